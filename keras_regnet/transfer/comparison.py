"""What reuse gains: frozen, fine-tuned and from scratch, with several seeds."""

import dataclasses
import os
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from keras_regnet.data import DataConfig
from keras_regnet.training.environment import describe_environment
from keras_regnet.training.run_directory import RunDirectory
from keras_regnet.transfer.config import FineTuneConfig
from keras_regnet.transfer.fine_tuning import fine_tune
from keras_regnet.transfer.result import FineTuneResult
from keras_regnet.transfer.source import Source, open_source

METHODS = {
    "frozen": "the head alone",
    "two_phase": "the head, then the body",
    "from_scratch": "random weights",
}
"""What is compared, and in a few words what it is."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The results of all methods and seeds.

    Attributes:
        source: What the pretrained network was opened by.
        dataset: The data set's name.
        epochs: Of each run.
        seeds: The seeds.
        results: Of each of `METHODS` one per seed.
    """

    source: str
    dataset: str
    epochs: int
    seeds: tuple[int, ...]
    results: Mapping[str, Sequence[FineTuneResult]]

    def accuracies(self, method: str) -> list[float]:
        """One per seed."""
        return [result.accuracy for result in self.results[method]]

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        methods = {}
        for method, results in self.results.items():
            values = self.accuracies(method)
            methods[method] = {
                "accuracies": values,
                "mean": statistics.mean(values),
                "standard_deviation": _deviation(values),
                "least": min(values),
                "greatest": max(values),
                "seconds": [result.seconds for result in results],
            }
        any_result = next(iter(self.results.values()))[0]
        return {
            "source": self.source,
            "dataset": self.dataset,
            "validation_images": any_result.count,
            "epochs": self.epochs,
            "seeds": list(self.seeds),
            "methods": methods,
        }

    def table(self) -> str:
        """The accuracies in percent, as lines to print."""
        found = self.to_dict()
        width = max(len(f"{name} ({text})") for name, text in METHODS.items())
        heads = [f"seed {seed}" for seed in self.seeds]
        heads += ["mean", "deviation", "least", "greatest", "seconds"]
        lines = [
            f"Accuracy in % on {found['validation_images']} validation images of "
            f"{self.dataset}, {self.epochs} epochs, from {self.source}",
            "  ".join([" " * width, *(f"{head:>9}" for head in heads)]),
        ]
        for name, row in found["methods"].items():
            deviation = row["standard_deviation"]
            numbers = [*row["accuracies"], row["mean"], deviation]
            numbers += [row["least"], row["greatest"]]
            cells = ["-" if n is None else f"{100 * n:.2f}" for n in numbers]
            cells.append(f"{statistics.mean(row['seconds']):.0f}")
            head = f"{name} ({METHODS[name]})"
            lines.append("  ".join([f"{head:{width}}", *(f"{c:>9}" for c in cells)]))
        return "\n".join(lines)


def configurations(config: FineTuneConfig) -> dict[str, FineTuneConfig]:
    """The configuration of each of `METHODS`, all of as many epochs."""
    scratch_norm = "auto" if config.batch_norm == "frozen" else config.batch_norm
    return {
        "frozen": dataclasses.replace(
            config, init="pretrained", head_epochs=config.epochs, body_epochs=0
        ),
        "two_phase": dataclasses.replace(config, init="pretrained"),
        "from_scratch": dataclasses.replace(
            config, init="scratch", batch_norm=scratch_norm
        ),
    }


def compare(
    source: Source | str | os.PathLike[str],
    data_config: DataConfig,
    config: FineTuneConfig,
    run_dir: str | os.PathLike[str],
    *,
    seeds: Sequence[int] = (0, 1, 2),
    strategy: tf.distribute.Strategy | None = None,
    classes: int | None = None,
    resume: bool = False,
    verbose: int = 1,
) -> Comparison:
    """Trains with all methods and seeds, each in a folder `run_dir/<method>/seed_<n>`.

    All have as many epochs: the frozen one trains the head for all of them, and from
    scratch everything. Runs that are complete are not repeated; further seeds may be
    added. `comparison.json` receives the accuracies.

    Args:
        source: As in `fine_tune`.
        data_config: The data set. Its seed is replaced by those of `seeds`; the
            images that are held out stay the same.
        config: The fine-tuning in two phases.
        run_dir: The folder.
        seeds: Of weights, order and augmentation.
        strategy: As in `fine_tune`.
        classes: As in `fine_tune`.
        resume: Whether to go on with a comparison that is already in `run_dir`.
        verbose: 0 prints nothing; 1 prints a line per epoch.

    Returns:
        The results.

    Raises:
        ValueError: As `fine_tune`; or a seed is not a whole number of at least 0, or
            comes twice, or there is none.
        OSError: `run_dir` cannot be written.
    """
    seeds = tuple(seeds)
    if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0:
        raise ValueError(
            "seeds must be one or more different whole numbers of at least 0. "
            f"Received: {seeds}"
        )
    if not config.head_epochs or not config.body_epochs:
        raise ValueError(
            "A comparison needs epochs in both phases. Received: "
            f"head_epochs={config.head_epochs}, body_epochs={config.body_epochs}"
        )
    if not isinstance(source, Source):
        source = open_source(source)
    strategy = strategy or tf.distribute.get_strategy()
    run = RunDirectory(run_dir)
    data_config = dataclasses.replace(data_config, seed=0)
    methods = configurations(config)
    configuration = {
        "comparison": {name: each.to_dict() for name, each in methods.items()},
        "data": data_config.to_dict(),
        "source": {"sha256": source.digest},
    }
    environment = describe_environment(strategy) | {"source": source.origin}
    run.claim(configuration, environment, resume)
    results: dict[str, list[FineTuneResult]] = {name: [] for name in methods}
    for seed in seeds:  # seed by seed, so that a part of them is a comparison already
        for name, each in methods.items():
            if verbose:
                print(f"\n{name}, seed {seed}: {METHODS[name]}", flush=True)
            results[name].append(
                fine_tune(
                    source,
                    dataclasses.replace(data_config, seed=seed),
                    each,
                    run.path / name / f"seed_{seed}",
                    strategy=strategy,
                    classes=classes,
                    seed=seed,
                    resume=True,  # the folder above it has been claimed
                    verbose=verbose,
                )
            )
    found = Comparison(source.origin, data_config.name, config.epochs, seeds, results)
    run.write_json("comparison.json", found.to_dict())
    return found


def _deviation(values: Sequence[float]) -> float | None:
    """The standard deviation of a sample; None of a single value."""
    return statistics.stdev(values) if len(values) > 1 else None
