"""A whole fine-tuning: its phases, one after the other, and what comes out of it."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_regnet.data import Data, DataConfig, load
from keras_regnet.files import local_path
from keras_regnet.publishing.layout import check_name
from keras_regnet.training import Trainer
from keras_regnet.training.consensus import Consensus
from keras_regnet.training.environment import describe_environment
from keras_regnet.training.job import check_classes
from keras_regnet.training.losses import Loss
from keras_regnet.training.run_directory import RunDirectory
from keras_regnet.transfer.class_weights import class_weights_of, weighted_cross_entropy
from keras_regnet.transfer.config import FineTuneConfig
from keras_regnet.transfer.epochs import LaterEpochs
from keras_regnet.transfer.freezing import layer_factors, stages_of, training_model
from keras_regnet.transfer.network import new_network
from keras_regnet.transfer.outputs import finish
from keras_regnet.transfer.phases import Phase, phases_of
from keras_regnet.transfer.result import FineTuneResult, read_result
from keras_regnet.transfer.source import Source, open_source


def fine_tune(
    source: Source | str | os.PathLike[str],
    data_config: DataConfig,
    config: FineTuneConfig,
    run_dir: str | os.PathLike[str],
    *,
    strategy: tf.distribute.Strategy | None = None,
    classes: int | None = None,
    seed: int = 0,
    resume: bool = False,
    publish_dir: str | os.PathLike[str] | None = None,
    name: str | None = None,
    verbose: int = 1,
) -> FineTuneResult:
    """Fine-tunes a pretrained network on a data set.

    Each phase is a `Trainer`'s run in a folder of its own, `run_dir/head` and
    `run_dir/body` (or `run_dir/scratch`). A run that was interrupted, however hard,
    goes on from its last checkpoint with `resume=True`, and ends at the numbers of an
    undisturbed one.

    `run_dir` receives `config.json`, and at the end `model.keras`, `log.csv`,
    `learning_curve.png`, `confusion_matrix.png`, `worst_mistakes.png`,
    `evaluation.json`, `report.html` and `result.json`.

    Args:
        source: The pretrained network: what `open_source` gave, or what it takes.
        data_config: The data set, and its batch size.
        config: The fine-tuning.
        run_dir: The folder of the run.
        strategy: A `tf.distribute` strategy of one process; one device by default.
        classes: The number of classes that the data set must have, to be sure.
        seed: Of the new weights and of dropout. (The data have their own.)
        resume: Whether to go on with a run that is already in `run_dir`.
        publish_dir: Where the fine-tuned network is published. None: it is not.
        name: Of the published network. None: made of those of the network and the
            data set.
        verbose: 0 prints nothing; 1 prints a line per epoch.

    Returns:
        What it came to.

    Raises:
        ValueError: A configuration is wrong, the images or classes do not fit, or
            `run_dir` holds another run.
        OSError: `run_dir` cannot be written.
        DamagedImageError: `data_config.strict` is set and an image cannot be used. (A
            ValueError.)
    """
    for folder, what in ((run_dir, "run_dir"), (publish_dir, "publish_dir")):
        if folder is not None:  # before work starts
            local_path(folder, what)
    strategy = strategy or tf.distribute.get_strategy()
    if (workers := Consensus(strategy).workers) > 1:
        raise ValueError(
            "Fine-tuning runs in one process, on one or several devices of a machine. "
            f"Received: a strategy of {workers} workers"
        )
    if publish_dir is not None and name is not None:
        check_name(name)
    if not isinstance(source, Source):
        source = open_source(source)
    data = load(data_config)
    check_classes(data, classes)
    weights = class_weights_of(config.class_weights, data)
    phases = phases_of(config, data.batch_size, strategy.num_replicas_in_sync)
    keras.utils.set_random_seed(seed)
    with strategy.scope():
        network = _build(source, data, config)
    _check_stages(phases, network)
    run = RunDirectory(run_dir)
    environment = describe_environment(strategy) | {"source": source.origin}
    run.claim(_configuration(source, data, config, network, seed), environment, resume)

    def say(text: str) -> None:
        if verbose:
            print(text, flush=True)

    if (done := read_result(run)) is not None:
        say(f"The run in {run.path} is complete.")
        return done
    say(
        f"{network.name} from {source.origin}: {network.count_params():,} parameters; "
        f"{data_config.name}: {data.train_size:,} training and "
        f"{data.validation_size:,} validation images of "
        f"{'x'.join(map(str, data.image_shape))}, {data.num_classes} classes."
    )
    loss = None
    if weights is not None:
        loss = weighted_cross_entropy(weights, config.label_smoothing)
        pairs = zip(data.class_names, weights, strict=True)
        say("Class weights: " + ", ".join(f"{n} {weight:.3g}" for n, weight in pairs))
    history: list[dict[str, Any]] = []
    for number, phase in enumerate(phases, start=1):
        say(f"Phase {number} of {len(phases)}, {phase}.")
        later = LaterEpochs(data, len(history))
        rows = _train(phase, network, later, data, run.path, strategy, loss, verbose)
        history += [
            {"phase": phase.name, **row, "epoch": len(history) + row["epoch"]}
            for row in rows
        ]
    return finish(run, network, data, phases, history, publish_dir, name, say)


def _build(source: Source, data: Data, config: FineTuneConfig) -> keras.Model:
    """The new network; for any size where training and evaluation have different."""
    shape = data.image_shape
    if data.evaluation_shape != shape:
        shape = (None, None, shape[-1])
    size = data.evaluation_shape[0]
    fraction = data.config.crop_fraction if data.centre_cropped else 1.0
    options: dict[str, Any] = (
        {} if not config.precision else {"dtype": config.precision}
    )
    return new_network(
        source,
        shape,
        data.num_classes,
        pretrained=config.init == "pretrained",
        resize_size=round(size / fraction),
        dropout=config.dropout,
        stochastic_depth=config.stochastic_depth,
        **options,
    )


def _check_stages(phases: Sequence[Phase], network: keras.Model) -> None:
    """Checks that there are as many stages as shall move, before work starts."""
    stages = stages_of(network)
    for phase in phases:
        if phase.unfreeze != "all" and phase.unfreeze > stages:
            raise ValueError(
                f"unfreeze must be at most the {stages} stages of the network, or "
                f"'all' for its stem too. Received: {phase.unfreeze}"
            )


def _configuration(
    source: Source,
    data: Data,
    config: FineTuneConfig,
    network: keras.Model,
    seed: int,
) -> Mapping[str, Any]:
    """What must be the same to go on, in the words of a training run."""
    return {
        "model": {
            "architecture": source.parameters.to_dict(),
            "dropout": config.dropout,
            "stochastic_depth": config.stochastic_depth,
        },
        "data": data.config.to_dict(),
        "training": {"epochs": config.epochs, **config.to_dict()},
        "source": {"sha256": source.digest},
        "seed": seed,
        "image_shape": list(data.image_shape),
        "class_names": list(data.class_names),
        "centre_cropped": data.centre_cropped,
        "parameters": network.count_params(),
        "steps_per_epoch": data.steps_per_epoch,
        **({"hold_out": data.hold_out} if data.hold_out else {}),
    }


def _train(
    phase: Phase,
    network: keras.Model,
    train_data: LaterEpochs,
    data: Data,
    folder: Path,
    strategy: tf.distribute.Strategy,
    loss: Loss | None,
    verbose: int,
) -> list[dict[str, Any]]:
    """Trains a phase to its end, from its last checkpoint where there is one."""
    with strategy.scope():
        model = training_model(network, phase.unfreeze, phase.train_batch_norm)
    factors = None
    if phase.layer_decay != 1:
        factors = layer_factors(network, phase.layer_decay)
    trainer = Trainer(
        model,
        train_data,
        data,
        phase.training,
        folder / phase.name,
        loss=loss,
        strategy=strategy,
        resume=True,  # the folder above it has been claimed
        save_models=False,
        learning_rate_factors=factors,
        description={
            "phase": phase.name,
            "unfreeze": phase.unfreeze,
            "train_batch_norm": phase.train_batch_norm,
            "layer_decay": phase.layer_decay,
        },
        verbose=verbose,
    )
    return trainer.train().history
