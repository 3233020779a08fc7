"""What a run will be, before it is one: steps, learning rates, groups, memory."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from keras_regnet.architecture import complexity
from keras_regnet.data import DataDescription
from keras_regnet.models import RegNet
from keras_regnet.optimizers import parameter_groups
from keras_regnet.training.memory_estimate import MemoryEstimate, estimate_memory
from keras_regnet.training.recipes import RunConfig
from keras_regnet.training.schedules import learning_rate_at

_BARS = "▁▂▃▄▅▆▇█"
_COLUMNS = 72
_GROUP_NAMES = {
    "weights": "weights (kernels)",
    "norms": "scales and shifts of normalisations",
    "biases": "biases",
    "squeeze_excite_biases": "biases of squeeze-and-excitation",
}


@dataclasses.dataclass(frozen=True)
class Group:
    """Variables that are decayed alike.

    Attributes:
        name: One of `keras_regnet.optimizers.GROUPS`.
        paths: The variables.
        parameters: Numbers in them.
        weight_decay: Their decay.
    """

    name: str
    paths: tuple[str, ...]
    parameters: int
    weight_decay: float


@dataclasses.dataclass(frozen=True)
class DryRun:
    """What a run will be.

    Attributes:
        config: The configuration.
        facts: The data set.
        devices: How many devices, over all machines.
        steps_per_epoch: Training steps of an epoch; an incomplete last batch is left
            out, as the official code does.
        learning_rates: (first, last) of each epoch.
        groups: The parameter groups.
        memory: Of one device, in bytes.
    """

    config: RunConfig
    facts: DataDescription
    devices: int
    steps_per_epoch: int
    learning_rates: tuple[tuple[float, float], ...]
    groups: tuple[Group, ...]
    memory: MemoryEstimate

    @property
    def steps(self) -> int:
        """Training steps in all."""
        return self.steps_per_epoch * self.config.training.epochs

    @property
    def batch_per_device(self) -> int:
        """Images of a batch that each device has."""
        return self.config.data.batch_size // self.devices


def dry_run(config: RunConfig, facts: DataDescription, devices: int = 1) -> DryRun:
    """Works out what a run will be. Builds the network, but needs no data and no GPU.

    Args:
        config: The configuration.
        facts: The data set, as `keras_regnet.data.describe` gives it.
        devices: How many devices there will be, over all machines.

    Returns:
        The dry run; `format_dry_run` makes text of it.

    Raises:
        ValueError: The batch does not split over the devices, or is larger than the
            training part.
    """
    batch = config.data.batch_size
    if devices < 1 or batch % devices:
        raise ValueError(
            f"The batch of {batch} images must split evenly over the devices. "
            f"Received: {devices} devices"
        )
    steps = facts.train_size // batch
    if not steps:
        raise ValueError(
            f"batch_size must be at most the {facts.train_size} training images of "
            f"{config.data.name}. Received: {batch}"
        )
    training = config.training
    rates = tuple(
        tuple(
            learning_rate_at(training, epoch * steps + step, steps)
            for step in (0, steps - 1)
        )
        for epoch in range(training.epochs)
    )
    return DryRun(
        config=config,
        facts=facts,
        devices=devices,
        steps_per_epoch=steps,
        learning_rates=rates,
        groups=_groups(config, facts),
        memory=estimate_memory(
            config.model.parameters,
            training,
            images=batch // devices,
            image_shape=facts.image_shape,
            classes=facts.num_classes,
            precision=config.model.precision,
        ),
    )


def format_dry_run(run: DryRun) -> str:
    """A dry run as text for a terminal."""
    return "\n\n".join(
        "\n".join(part)
        for part in (_head(run), _rates(run), _group_table(run), _memory(run.memory))
    )


def sparkline(values: Sequence[float], columns: int = _COLUMNS) -> str:
    """A curve of at most `columns` characters; 0 is the lowest of eight heights."""
    parts = np.array_split(np.asarray(values, float), min(columns, len(values)))
    means = np.array([part.mean() for part in parts])
    highest = means.max() or 1.0
    heights = np.rint(means / highest * (len(_BARS) - 1)).astype(int)
    return "".join(_BARS[height] for height in heights)


def _groups(config: RunConfig, facts: DataDescription) -> tuple[Group, ...]:
    model = RegNet(
        config.model.architecture,
        # The number of channels decides the first kernel; the image size nothing.
        input_shape=facts.image_shape,
        classes=facts.num_classes,
        include_preprocessing=True,
    )
    decays = config.training.decays
    return tuple(
        Group(
            name,
            tuple(variable.path for variable in variables),
            sum(int(np.prod(variable.shape)) for variable in variables),
            decays[name],
        )
        for name, variables in parameter_groups(model.trainable_variables).items()
        if variables
    )


def _head(run: DryRun) -> list[str]:
    config, facts = run.config, run.facts
    counts = complexity(
        config.model.parameters,
        facts.image_shape[:2],
        facts.image_shape[2],
        facts.num_classes,
    )
    shape = "x".join(map(str, facts.image_shape))
    name = config.model.architecture
    name = name if isinstance(name, str) else "network"
    training = config.training
    rows = {
        "recipe": config.recipe,
        "network": f"{name}: {counts.parameters:,} parameters, "
        f"{counts.multiply_adds:,} multiply-adds an image of {shape}",
        "data": f"{config.data.name}: {facts.train_size:,} training and "
        f"{facts.validation_size:,} validation images, {facts.num_classes:,} classes",
        "batch": f"{config.data.batch_size} images, {run.batch_per_device} on each of "
        f"{run.devices} device(s)",
        "steps": f"{run.steps_per_epoch:,} an epoch, {run.steps:,} in "
        f"{training.epochs} epochs",
        "optimizer": f"{training.optimizer}, learning rate "
        f"{training.learning_rate:g}, weight decay {training.weight_decay:g}",
    }
    if left := facts.train_size % config.data.batch_size:
        rows["steps"] += f" ({left} images of each epoch are left out)"
    return [f"{key:<11}{value}" for key, value in rows.items()]


def _rates(run: DryRun) -> list[str]:
    lines = ["Learning rate of each epoch (first step ... last step, where it moves)"]
    means = [sum(pair) / 2 for pair in run.learning_rates]
    lines += [f"  {sparkline(means)}"]
    moves = any(first != last for first, last in run.learning_rates)
    cells = [
        f"{epoch:>5}  {first:.6g}" + (f" ... {last:.6g}" if moves else "")
        for epoch, (first, last) in enumerate(run.learning_rates, start=1)
    ]
    columns = 3 if moves else 4
    width = 28 if moves else 20
    rows = -(-len(cells) // columns)
    for row in range(rows):  # downwards, then to the right
        lines.append("".join(f"{cell:<{width}}" for cell in cells[row::rows]).rstrip())
    return lines


def _group_table(run: DryRun) -> list[str]:
    lines = ["Parameter groups"]
    for group in run.groups:
        decay = f"{group.weight_decay:g}" if group.weight_decay else "none"
        lines.append(
            f"  {_GROUP_NAMES[group.name]:<36}{len(group.paths):>5} variables"
            f"{group.parameters:>14,} parameters   weight decay {decay}"
        )
        ends = dict.fromkeys((group.paths[0], group.paths[-1]))
        lines.append(f"    {', ..., '.join(ends)}")
    return lines


def _memory(memory: MemoryEstimate) -> list[str]:
    lines = ["Memory on each device (estimated, without the libraries' own)"]
    for field in dataclasses.fields(memory):
        size = getattr(memory, field.name)
        lines.append(f"  {field.name:<12}{size / 2**20:>10,.0f} MiB")
    lines.append(f"  {'in all':<12}{memory.total / 2**20:>10,.0f} MiB")
    return lines
