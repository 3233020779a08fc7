"""The training loop: any Keras model, any tf.data, any synchronous strategy."""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import keras
import tensorflow as tf

from keras_regnet.training.arguments import check_arguments
from keras_regnet.training.averaging import Averages
from keras_regnet.training.callbacks import Callbacks
from keras_regnet.training.config import TrainingConfig
from keras_regnet.training.consensus import Consensus
from keras_regnet.training.data_problems import DataProblems
from keras_regnet.training.datasets import (
    ShardedData,
    TrainDataset,
    ValidationBatches,
    ValidationDataset,
    check_pairs,
    check_training_dataset,
    distribute_training,
    steps_in,
    training_dataset,
)
from keras_regnet.training.environment import describe_environment
from keras_regnet.training.interruption import Interruption
from keras_regnet.training.keeper import Keeper
from keras_regnet.training.loop import Loop
from keras_regnet.training.losses import Loss, default_loss, per_example
from keras_regnet.training.optimizers import build_optimizer
from keras_regnet.training.outputs import check_saving
from keras_regnet.training.precise_batch_norm import PreciseBatchNorm
from keras_regnet.training.progress import Progress
from keras_regnet.training.record import Record
from keras_regnet.training.run_directory import RunDirectory
from keras_regnet.training.training_run import TrainingResult, TrainingRun
from keras_regnet.training.validator import Validator
from keras_regnet.training.watchdog import Watchdog
from keras_regnet.training.workers import agree, chief_first, naming_lost_workers


class Trainer(TrainingRun):
    """Trains a model and keeps everything about it in one folder.

    The folder receives `config.json`, `log.csv` (a row per epoch), `metrics.jsonl` (a
    row per `log_every_steps`), TensorBoard events, checkpoints, and at the end
    `learning_curve.png`, `model.keras`, `saved_model/` and `result.json`. A run that
    was interrupted, however hard, goes on from its last checkpoint with `resume=True`,
    and ends at the numbers of an undisturbed one where the data do (see
    `train_dataset`).

    Args:
        model: A built Keras model from an image batch to `[batch, classes]`.
        train_dataset: Batches of (images, labels): a function from the epoch (counted
            from 0) to a `tf.data.Dataset`, one data set for all epochs, or an object
            like `keras_regnet.data.Data`, which also knows how to share an epoch
            between workers. A single data set that shuffles does not remember how
            often it was read, so going on is exact with the others only. Labels are
            whole numbers `[batch]`, or shares `[batch, classes]`.
        validation_dataset: Batches of (images, labels), the last of which may be
            short: every example counts once. None for no validation.
        config: The training configuration.
        run_dir: The folder; made if absent. With several workers the first one's
            alone is used.
        loss: A `keras.losses.Loss`, or a function of labels and outputs that gives one
            loss per example. By default that of the configuration.
        from_logits: Whether the model gives logits, as the default loss needs to know.
        strategy: The `tf.distribute` strategy under whose scope the model was built;
            by default the one the model knows.
        steps_per_epoch: Needed where the data set does not know its length.
        resume: Whether to go on with a run that is already in `run_dir`.
        save: The model to save at the end, if another than `model`: for example the
            network with softmax, whose logits are trained.
        save_models: Whether `model.keras`, `saved_model/` and the learning curve are
            written at the end. The checkpoints and `result.json` always are.
        learning_rate_factors: What the learning rate is multiplied with for variables
            whose path begins so, as `{"stem": 0.1}`; of sgd and rmsprop alone.
        description: More of the configuration for `config.json`, as JSON types: what
            the network and the data are. A run only goes on where it is the same.
        callbacks: Keras callbacks. The numbers and texts that they remember in their
            attributes are part of a checkpoint (of the first worker's callbacks, by
            their class); weights that they keep are not. A CSVLogger goes on in its
            file.
        worker_timeout: With several workers, or a tf.data service, the process ends
            with exit code 4 where nothing happens for so many seconds; 0 for never.
        verbose: 0 prints nothing; 1 prints a line per epoch.

    Raises:
        ValueError: An argument is wrong, `run_dir` holds another run, or the workers
            were given different configurations.
        OSError: `run_dir` cannot be written.
    """

    def __init__(
        self,
        model: keras.Model,
        train_dataset: TrainDataset,
        validation_dataset: ValidationDataset | None,
        config: TrainingConfig,
        run_dir: str | os.PathLike[str],
        *,
        loss: keras.losses.Loss | Loss | None = None,
        from_logits: bool = True,
        strategy: tf.distribute.Strategy | None = None,
        steps_per_epoch: int | None = None,
        resume: bool = False,
        save: keras.Model | None = None,
        save_models: bool = True,
        learning_rate_factors: Mapping[str, float] | None = None,
        description: Mapping[str, Any] | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        worker_timeout: float = 1800.0,
        verbose: int = 1,
    ) -> None:
        self.model = model
        self.config = config
        self.strategy = strategy or model.distribute_strategy
        check_arguments(
            model, config, loss, self.strategy, learning_rate_factors, from_logits
        )
        if save is not None and not save_models:
            raise ValueError(
                "save is the model that save_models writes. "
                f"Received: save={save.name!r} and save_models=False"
            )
        self.train_dataset = train_dataset
        self._endless_batches: Iterator | None = None
        first = training_dataset(train_dataset, 0)
        check_training_dataset(
            first, self.strategy.num_replicas_in_sync, config.accumulation
        )
        validation = None
        if validation_dataset is not None:
            if not isinstance(validation_dataset, ShardedData):
                check_pairs(validation_dataset, "validation_dataset")
            validation = ValidationBatches(validation_dataset, self.strategy)
        self.steps_per_epoch = steps_in(first, steps_per_epoch)
        self.saved_model = (save or model) if save_models else None
        self.consensus = Consensus(self.strategy)
        if self.saved_model is not None:
            check_saving(self.saved_model)
        self.progress = Progress(config.epochs, verbose if self.consensus.chief else 0)
        self.interruption = Interruption()
        self.run = RunDirectory(run_dir)
        configuration = {
            "training": config.to_dict(),
            "steps_per_epoch": self.steps_per_epoch,
            "parameters": model.count_params(),
            **(description or {}),
        }
        agree(self.consensus, configuration)
        environment = describe_environment(self.strategy)
        chief_first(
            self.consensus, lambda: self.run.open(configuration, environment, resume)
        )
        self.watchdog = self._make_watchdog(worker_timeout)
        self.problems = DataProblems(train_dataset, self.run.path, self.consensus)
        self.record = Record(self.run, self.steps_per_epoch, self.consensus.chief)
        averages = Averages(model, self.strategy) if config.ema_decay else None
        self.loop = Loop(
            model,
            build_optimizer(config, model, self.strategy, learning_rate_factors),
            per_example(loss or default_loss(config, from_logits)),
            self.strategy,
            averages=averages,
            accumulation=config.accumulation,
            clip_norm=config.clip_norm,
            skip_non_finite=config.on_nan == "skip",
            jit_compile=config.jit_compile,
        )
        self.callbacks = Callbacks(
            callbacks,
            model,
            self.loop.optimizer,
            config.epochs,
            self.steps_per_epoch,
            verbose,
        )
        # What is read after a batch is an exchange between all workers.
        hooks = self.callbacks.every_batch, self.callbacks.every_test_batch
        on_train, on_test = self.consensus.total(*hooks)
        self.callbacks.every_batch = bool(on_train)
        self.callbacks.every_test_batch = bool(on_test)
        groups = {
            "model": model.variables,
            "optimizer": self.loop.optimizer.variables,
        }
        if averages is not None:
            groups["averages"] = averages.variables
        self.keeper = Keeper(
            self.run.checkpoints,
            config,
            groups,
            self.loop,
            self.consensus,
            self.steps_per_epoch,
        )
        precise = None
        size = first.element_spec[0].shape[0] or 1
        if config.precise_bn_images:
            precise = PreciseBatchNorm(model, self.strategy)
        self.validator = Validator(
            self.loop,
            validation,
            self.callbacks,
            self._between_batches,
            self.watchdog.alive,
            precise,
            train_dataset,
            min(self.steps_per_epoch, math.ceil(config.precise_bn_images / size)),
        )

    def train(self) -> TrainingResult:
        """Trains to the last epoch, from the last checkpoint where there is one.

        Returns:
            The history of the run.

        Raises:
            NonFiniteLossError: The loss became infinite or not a number.
            KeyboardInterrupt: Ctrl-C was pressed; a checkpoint has been written.
            TerminatedError: SIGTERM came; a checkpoint has been written.
            ValueError: The checkpoint belongs to another network.
            OSError: A file could not be written; the message names it.
            LostWorkerError: Another worker died or stopped.
            DamagedImageError: No image may be left out, or none of a batch can be
                used.
        """
        with (
            naming_lost_workers(self.consensus),
            self.problems.raising(),
            self.watchdog,
            self.run.training() if self.consensus.chief else nullcontext(),
        ):
            return self._train()

    def _make_watchdog(self, seconds: float) -> Watchdog:
        """Ends the process where others, without whom it cannot go on, are silent."""
        served = getattr(self.train_dataset, "served", False)
        if self.consensus.workers == 1 and not served:
            seconds = 0
        who = "the tf.data service" if served else "another worker"
        if served and self.consensus.workers > 1:
            who += " or another worker"
        return Watchdog(
            seconds,
            f"Nothing happened for {seconds:g} seconds: {who} hangs or cannot be "
            f"reached. Worker {self.consensus.index} of {self.consensus.workers} (from "
            "0) ends. Start everything again with --resume (resume=True).",
        )

    def _between_batches(self) -> None:
        """While a model is judged."""
        self.watchdog.alive()
        if self.consensus.workers == 1:
            self.interruption.check()

    def _batches(self, epoch: int, step: int) -> Iterator:
        if self._endless_batches is not None:
            return self._endless_batches
        batches = distribute_training(self.train_dataset, epoch, step, self.strategy)
        if self._endless:
            self._endless_batches = batches
        return batches

    @property
    def _endless(self) -> bool:
        return (
            isinstance(self.train_dataset, tf.data.Dataset)
            and self.train_dataset.cardinality() == tf.data.INFINITE_CARDINALITY
        )
