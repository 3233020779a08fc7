"""A whole training job: a network and a data set by their configurations, trained."""

import os
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from keras_regnet.data import Data, DataConfig, DataDescription, load
from keras_regnet.files import local_path
from keras_regnet.training.config import TrainingConfig
from keras_regnet.training.consensus import Consensus
from keras_regnet.training.environment import describe_environment
from keras_regnet.training.evaluation import evaluate_data
from keras_regnet.training.model_config import ModelConfig
from keras_regnet.training.report import write_report
from keras_regnet.training.saved_run import load_run
from keras_regnet.training.trainer import Trainer, TrainingResult
from keras_regnet.training.workers import agree, naming_lost_workers

_MISTAKES = 24


def train_network(
    model_config: ModelConfig,
    data_config: DataConfig,
    training_config: TrainingConfig,
    run_dir: str | os.PathLike[str],
    *,
    strategy: tf.distribute.Strategy | None = None,
    classes: int | None = None,
    seed: int = 0,
    resume: bool = False,
    recipe: str | None = None,
    recipe_fields: Mapping[str, Any] | None = None,
    worker_timeout: float = 1800.0,
    verbose: int = 1,
) -> TrainingResult:
    """Builds, trains, evaluates and saves a network.

    Args:
        model_config: The network.
        data_config: The data set, and its batch size.
        training_config: The training.
        run_dir: The folder of the run; see `Trainer` for what it will hold.
        strategy: A `tf.distribute` strategy; one device by default.
        classes: The number of classes that the data set must have, to be sure.
        seed: Of the initial weights and of dropout. (The data have their own.)
        resume: Whether to go on with a run that is already in `run_dir`.
        recipe: The name of the recipe that the configurations began with.
        recipe_fields: What the recipe itself would be, for the report: sections
            `"model"`, `"data"` and `"training"`.
        worker_timeout: See `Trainer`.
        verbose: 0 prints nothing; 1 prints a line per epoch.

    Returns:
        The history.

    Raises:
        ValueError: A configuration is wrong, `run_dir` holds another run, or the
            workers were given different configurations.
        OSError: `run_dir` cannot be written.
        LostWorkerError: Another worker died or stopped.
        DamagedImageError: `data_config.strict` is set and an image cannot be used, or
            none of a whole batch can be. (A ValueError.)
    """
    local_path(run_dir, "run_dir")  # before the data are opened
    strategy = strategy or tf.distribute.get_strategy()
    data = load(data_config)
    check_classes(data, classes)
    description = {
        "recipe": recipe,
        "model": model_config.to_dict(),
        "data": data_config.to_dict(),
        "seed": seed,
        "image_shape": list(data.image_shape),
        "class_names": list(data.class_names),
        "centre_cropped": data.centre_cropped,
    }
    if data.hold_out:  # a run that held out others must not be resumed with these
        description["hold_out"] = data.hold_out
    consensus = Consensus(strategy)
    with naming_lost_workers(consensus):
        # Before there is a model: workers with unequal ones cannot even begin.
        agree(
            consensus,
            description
            | {
                "training": training_config.to_dict(),
                "training images": data.train_size,
                "validation images": data.validation_size,
                "versions": describe_environment(strategy)["versions"],
            },
        )
        keras.utils.set_random_seed(seed)
        with strategy.scope():
            network = model_config.build(_input_shape(data), data.num_classes)
            logits = keras.Model(network.inputs, network.get_layer("head_fc").output)
        trainer = Trainer(
            logits,
            data,
            data,
            training_config,
            run_dir,
            strategy=strategy,
            resume=resume,
            save=network,
            description=description,
            worker_timeout=worker_timeout,
            verbose=verbose,
        )
    trainer.progress.say(
        f"{network.name}: {network.count_params():,} parameters; {data_config.name}: "
        f"{data.train_size:,} training and {data.validation_size:,} validation images "
        f"of {'x'.join(map(str, data.image_shape))}, {data.num_classes} classes; "
        f"{strategy.num_replicas_in_sync} replica(s)."
    )
    result = trainer.train()
    if trainer.consensus.chief and not (trainer.run.path / "report.html").exists():
        run = load_run(run_dir)
        evaluation = evaluate_data(run.model, data, worst=_MISTAKES)
        write_report(run_dir, evaluation, recipe=recipe_fields)
    return result


def check_classes(data: Data | DataDescription, classes: int | None) -> None:
    """Checks that a data set has as many classes as somebody wants to be sure of.

    Raises:
        ValueError: It has another number.
    """
    if classes is not None and classes != data.num_classes:
        raise ValueError(
            f"The data set {data.config.name} has {data.num_classes} classes. "
            f"Received: classes={classes}"
        )


def _input_shape(data: Data) -> tuple[int | None, int | None, int]:
    """Any size where training and evaluation have different ones."""
    if data.evaluation_shape == data.image_shape:
        return data.image_shape
    return None, None, data.image_shape[-1]
