"""Training on a data set that lies on the accelerator, with Keras' JAX backend.

Where images fit as uint8, nothing needs to be fed: one compiled call takes as many
steps as there is time for until the next look at them. Each step gathers its batch by
an order that is a function of seed and epoch, augments it by keys that are functions of
seed, epoch and step, and moves weights, optimizer and averages. The run directory, its
rows and files are those of `Trainer`, whose epochs these are, too.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from keras_regnet.files import local_path
from keras_regnet.training.callbacks import Callbacks
from keras_regnet.training.config import TrainingConfig
from keras_regnet.training.consensus import Consensus
from keras_regnet.training.data_problems import DataProblems
from keras_regnet.training.environment import describe_environment
from keras_regnet.training.evaluation import Evaluation, probabilities_and_losses
from keras_regnet.training.interruption import Interruption
from keras_regnet.training.keeper import Keeper
from keras_regnet.training.mistakes import WorstMistakes
from keras_regnet.training.outputs import check_saving
from keras_regnet.training.progress import Progress
from keras_regnet.training.recipes import RunConfig, recipe_fields
from keras_regnet.training.record import Record
from keras_regnet.training.report import write_report
from keras_regnet.training.resident_augment import resize
from keras_regnet.training.resident_data import ResidentData, load_resident
from keras_regnet.training.resident_loop import ResidentLoop
from keras_regnet.training.run_directory import RunDirectory
from keras_regnet.training.training_run import TrainingResult, TrainingRun
from keras_regnet.training.validator import Validator
from keras_regnet.training.watchdog import Watchdog

ON_JAX = keras.backend.backend() == "jax"
if ON_JAX:
    import jax

_MISTAKES = 24

_ONLY = {
    "model": {
        "precision": ("float32", "mixed_bfloat16", "float64"),
        "sync_batch_norm": (False,),
    },
    "data": {
        "auto_augment": ("none",),
        "cache": ("auto", True),
        "colour_jitter": (0,),
        "data_service": (None,),
        "download": (False,),
        "normalize": (False,),
        "pca_lighting": (0,),
        "repeated_augmentation": (1,),
    },
    "training": {"accumulation": (1,), "precise_bn_images": (0,)},
}
"""Fields with the values that this trainer knows; of all others it knows all."""


def check_resident(run: RunConfig) -> None:
    """Checks that a run can be trained on resident data.

    Raises:
        ValueError: A field has a value that only the ordinary trainer knows.
    """
    for section, fields in _ONLY.items():
        for name, known in fields.items():
            value = getattr(getattr(run, section), name)
            if value not in known:
                expected = " or ".join(map(repr, known))
                raise ValueError(
                    f"{name} must be {expected} in training on resident data (the "
                    f"ordinary trainer, scripts/train.py, knows others). "
                    f"Received: {value!r}"
                )


def train_resident(
    run: RunConfig,
    run_dir: str | os.PathLike[str],
    *,
    classes: int | None = None,
    resume: bool = False,
    verbose: int = 1,
) -> TrainingResult:
    """Builds, trains, evaluates and saves a network, its data on the accelerator.

    The run directory holds what `train_network` leaves there, but for `saved_model/`
    and TensorBoard's events, which need TensorFlow.

    Args:
        run: The configuration of the run; its seed is that of the data.
        run_dir: The folder of the run.
        classes: The number of classes that the data set must have, to be sure.
        resume: Whether to go on with a run that is already in `run_dir`.
        verbose: 0 prints nothing; 1 prints a line per epoch.

    Returns:
        The history.

    Raises:
        ValueError: The backend is not JAX, a field or the data set does not fit,
            `run_dir` holds another run, or the accelerator's memory is too small.
        OSError: The data cannot be read, or `run_dir` cannot be written.
    """
    if not ON_JAX:
        raise ValueError(
            "Training on resident data needs the JAX backend (KERAS_BACKEND=jax). "
            f"Received: {keras.backend.backend()}"
        )
    check_resident(run)
    local_path(run_dir, "run_dir")  # before the data are read
    if run.model.precision == "float64":
        jax.config.update("jax_enable_x64", True)
    data = load_resident(run.data)
    if classes is not None and classes != data.num_classes:
        raise ValueError(
            f"The data set {run.data.name} has {data.num_classes} classes. "
            f"Received: classes={classes}"
        )
    description = {
        "trainer": "resident",
        "recipe": run.recipe,
        "model": run.model.to_dict(),
        "data": run.data.to_dict(),
        "seed": run.data.seed,
        "image_shape": list(data.image_shape),
        "class_names": list(data.class_names),
        "centre_cropped": data.centre_cropped,
    }
    if data.hold_out:
        description["hold_out"] = data.hold_out
    keras.utils.set_random_seed(run.data.seed)
    same = data.evaluation_shape == data.image_shape
    channels = data.image_shape[-1]
    network = run.model.build(
        data.image_shape if same else (None, None, channels), data.num_classes
    )
    trainer = ResidentTrainer(
        network,
        data,
        run.training,
        run_dir,
        resume=resume,
        description=description,
        verbose=verbose,
    )
    trainer.progress.say(
        f"{network.name}: {network.count_params():,} parameters; {run.data.name}: "
        f"{len(data.train.labels):,} training and {len(data.validation.labels):,} "
        f"validation images of {'x'.join(map(str, data.image_shape))}, "
        f"{data.num_classes} classes; {jax.devices()[0].device_kind}."
    )
    result = trainer.train()
    if not (trainer.run.path / "report.html").exists():
        saved = keras.saving.load_model(trainer.run.path / "model.keras", compile=False)
        with _naming_what_to_lower(data):
            evaluation = evaluate_resident(saved, data, _MISTAKES)
        write_report(run_dir, evaluation, recipe=recipe_fields(run))
    return result


class ResidentTrainer(TrainingRun):
    """Trains a network of this package on resident data.

    Args:
        network: A network that ends in a softmax over `head_fc`; it is saved.
        data: The data set.
        config: The training configuration.
        run_dir: The folder of the run.
        resume: Whether to go on with a run that is already in `run_dir`.
        description: More of the configuration for `config.json`.
        verbose: 0 prints nothing.

    Raises:
        ValueError: `run_dir` holds another run.
        OSError: `run_dir` cannot be written.
    """

    def __init__(
        self,
        network: keras.Model,
        data: ResidentData,
        config: TrainingConfig,
        run_dir: str | os.PathLike[str],
        *,
        resume: bool = False,
        description: Mapping[str, Any] | None = None,
        verbose: int = 1,
    ) -> None:
        self.data = data
        self.steps_per_epoch = steps = data.steps_per_epoch
        self.saved_model = network
        check_saving(network)
        # A call takes as many steps as there is time for until the next look at them.
        self.config = dataclasses.replace(config, steps_per_execution=steps)
        self.consensus = Consensus(None)
        self.progress = Progress(config.epochs, verbose)
        self.interruption = Interruption()
        self.watchdog = Watchdog(0, "")
        self.run = RunDirectory(run_dir)
        configuration = {
            "training": config.to_dict(),
            "steps_per_epoch": steps,
            "parameters": network.count_params(),
            **(description or {}),
        }
        self.run.open(configuration, describe_environment(None), resume)
        self.problems = DataProblems(data, self.run.path, self.consensus)
        self.record = Record(self.run, steps, True)
        model = keras.Model(network.inputs, network.get_layer("head_fc").output)
        with _naming_what_to_lower(data):
            self.loop = ResidentLoop(model, data, config)
        optimizer = self.loop.optimizer
        self.callbacks = Callbacks((), model, optimizer, config.epochs, steps, verbose)
        groups = {"model": model.variables, "optimizer": optimizer.variables}
        if self.loop.averages is not None:
            groups["averages"] = self.loop.averages.variables
        self.keeper = Keeper(
            self.run.checkpoints, config, groups, self.loop, self.consensus, steps
        )
        self.validator = Validator(
            self.loop,
            range(0, len(data.validation.labels), data.config.batch_size),
            self.callbacks,
            self.interruption.check,
            self.watchdog.alive,
            None,
            None,
            0,
        )

    def train(self) -> TrainingResult:
        """Trains to the last epoch, from the last checkpoint where there is one.

        Returns:
            The history of the run.

        Raises:
            NonFiniteLossError: The loss became infinite or not a number.
            KeyboardInterrupt: Ctrl-C was pressed; a checkpoint has been written.
            TerminatedError: SIGTERM came; a checkpoint has been written.
            ValueError: The checkpoint belongs to another network, or the accelerator's
                memory is too small.
            OSError: A file could not be written; the message names it.
        """
        with _naming_what_to_lower(self.data), self.run.training():
            return self._train()

    def _batches(self, epoch: int, step: int) -> tuple[np.ndarray, jax.Array]:
        """The order of the epoch, and the key of its random numbers."""
        seed = np.random.SeedSequence((self.data.config.seed, epoch, 1))
        return self.data.order(epoch), jax.random.wrap_key_data(seed.generate_state(2))


def evaluate_resident(
    model: keras.Model, data: ResidentData, worst: int = 0
) -> Evaluation:
    """Runs a classifier over the validation images, as `evaluation.evaluate_data`.

    Args:
        model: Maps images to probabilities `[batch, classes]`.
        data: The data set.
        worst: How many of the most confident mistakes to keep.
    """
    variables = model.trainable_variables, model.non_trainable_variables
    values = [[variable.value for variable in group] for group in variables]

    @jax.jit
    def answer(values: list, images: jax.Array) -> jax.Array:
        pixels = resize(images, *data.evaluation_shape[:2])
        return model.stateless_call(*values, pixels, training=False)[0]

    classes = data.num_classes
    confusion = np.zeros((classes, classes), np.int64)
    mistakes = WorstMistakes(max(worst, 1))
    top5, loss, part = 0, 0.0, data.validation
    for begin in range(0, len(part.labels), data.config.batch_size):
        rows = slice(begin, begin + data.config.batch_size)
        images, labels = part.images[rows], part.labels[rows]
        outputs = np.asarray(answer(values, images), np.float64)
        found = np.argsort(-outputs, axis=1, kind="stable")[:, :5]
        np.add.at(confusion, (labels, found[:, 0]), 1)
        top5 += int((found == labels[:, None]).any(1).sum())
        probabilities, losses = probabilities_and_losses(outputs, labels, "softmax")
        loss += float(losses.sum())
        mistakes.add(images, labels, found[:, 0], probabilities, begin)
    named = data.config.name.partition(":")[0] == "folder"
    return Evaluation(
        confusion,
        top5,
        loss / len(part.labels),
        tuple(
            dataclasses.replace(each, name=part.names[each.index]) if named else each
            for each in mistakes.sorted()[:worst]
        ),
    )


@contextmanager
def _naming_what_to_lower(data: ResidentData) -> Iterator[None]:
    """Says what to do where the accelerator's memory is too small.

    Raises:
        ValueError: It is.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        size = sum(part.images.nbytes for part in (data.train, data.validation))
        raise ValueError(
            "The accelerator's memory is too small. Lower batch_size or image_size, "
            "take a smaller network, or precision=mixed_bfloat16; images of any number "
            "train with scripts/train.py. Received: "
            f"batch_size={data.config.batch_size}, image_size={data.image_shape[0]}, "
            f"{size / 2**30:.2f} GiB of images ({str(error).splitlines()[0]})"
        ) from error
