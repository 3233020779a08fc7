"""The training loop: any Keras model, any tf.data, any single-host strategy."""

import dataclasses
import math
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from keras_regnet.optimizers import SGD
from keras_regnet.training import checkpoints
from keras_regnet.training.config import TrainingConfig
from keras_regnet.training.datasets import (
    TrainDataset,
    check_pairs,
    check_training_dataset,
    steps_in,
    training_dataset,
    weighted,
)
from keras_regnet.training.environment import describe_environment
from keras_regnet.training.interruption import Interruption
from keras_regnet.training.loop import Loop, Sums, check_model
from keras_regnet.training.losses import Loss, cross_entropy, per_example
from keras_regnet.training.outputs import save_outputs, write_summaries
from keras_regnet.training.progress import Progress
from keras_regnet.training.run_directory import RunDirectory, naming
from keras_regnet.training.schedules import learning_rates

_SECONDS_BETWEEN_LOOKS = 1.0


class NonFiniteLossError(ArithmeticError):
    """The loss became infinite or not a number."""


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """What a run came to.

    Attributes:
        history: A row per epoch: `epoch` (from 1), `learning_rate` (of its last step),
            `train_loss`, `train_accuracy` (means over the epoch, while the weights
            moved), `validation_loss`, `validation_accuracy` and `validation_count`
            (exact; absent without validation data), `seconds` and `images_per_second`
            of the training part.
        run_dir: The run directory.
    """

    history: list[dict[str, Any]]
    run_dir: str

    @property
    def final(self) -> dict[str, Any]:
        """The last epoch's row."""
        return self.history[-1]


class Trainer:
    """Trains a model and keeps everything about it in one folder.

    The folder receives `config.json`, `log.csv`, TensorBoard events, checkpoints, and
    at the end `learning_curve.png`, `model.keras`, `saved_model/` and `result.json`.
    A run that was interrupted, however hard, goes on from its last checkpoint with
    `resume=True`, and ends at the numbers of an undisturbed one where the data do (see
    `train_dataset`).

    Args:
        model: A built Keras model from an image batch to `[batch, classes]`.
        train_dataset: Batches of (images, labels): a function from the epoch (counted
            from 0) to a `tf.data.Dataset`, or one data set for all epochs. Only the
            function makes going on exact, because a data set that shuffles does not
            remember how often it was read. Labels are whole numbers `[batch]`, or
            shares `[batch, classes]`.
        validation_dataset: Batches of (images, labels), the last of which may be
            short: every example counts once. None for no validation.
        config: The training configuration.
        run_dir: The folder; made if absent.
        loss: A `keras.losses.Loss`, or a function of labels and outputs that gives one
            loss per example. By default cross-entropy with `config.label_smoothing`.
        from_logits: Whether the model gives logits, as the default loss needs to know.
        strategy: The `tf.distribute` strategy under whose scope the model was built;
            by default the one the model knows.
        steps_per_epoch: Needed where the data set does not know its length.
        resume: Whether to go on with a run that is already in `run_dir`.
        save: The model to save at the end, if another than `model`: for example the
            network with softmax, whose logits are trained.
        description: More of the configuration for `config.json`, as JSON types: what
            the network and the data are. A run only goes on where it is the same.
        verbose: 0 prints nothing; 1 prints a line per epoch.

    Raises:
        ValueError: An argument is wrong, or `run_dir` holds another run.
        OSError: `run_dir` cannot be written.
    """

    def __init__(
        self,
        model: keras.Model,
        train_dataset: TrainDataset,
        validation_dataset: tf.data.Dataset | None,
        config: TrainingConfig,
        run_dir: str | os.PathLike[str],
        *,
        loss: keras.losses.Loss | Loss | None = None,
        from_logits: bool = True,
        strategy: tf.distribute.Strategy | None = None,
        steps_per_epoch: int | None = None,
        resume: bool = False,
        save: keras.Model | None = None,
        description: Mapping[str, Any] | None = None,
        verbose: int = 1,
    ) -> None:
        if keras.backend.backend() != "tensorflow":
            raise ValueError(
                "Training needs the TensorFlow backend (KERAS_BACKEND=tensorflow). "
                f"Received: {keras.backend.backend()}"
            )
        if not isinstance(config, TrainingConfig):
            raise ValueError(f"config must be a TrainingConfig. Received: {config!r}")
        if loss is not None and config.label_smoothing:
            raise ValueError(
                "label_smoothing belongs to the default loss; give it to your own. "
                f"Received: label_smoothing={config.label_smoothing} and loss={loss!r}"
            )
        self.model = model
        self.config = config
        self.strategy = strategy or model.distribute_strategy
        check_model(model, self.strategy)
        self.train_dataset = train_dataset
        self.validation_dataset = validation_dataset
        first = training_dataset(train_dataset, 0)
        check_training_dataset(first, self.strategy.num_replicas_in_sync)
        if validation_dataset is not None:
            check_pairs(validation_dataset, "validation_dataset")
        self.steps_per_epoch = steps_in(first, steps_per_epoch)
        self.saved_model = save or model
        self.progress = Progress(config.epochs, verbose)
        self.interruption = Interruption()
        self.run = RunDirectory(run_dir)
        self.run.open(
            {
                "training": config.to_dict(),
                "steps_per_epoch": self.steps_per_epoch,
                "parameters": model.count_params(),
                **(description or {}),
            },
            describe_environment(self.strategy),
            resume,
        )
        self.loop = Loop(
            model,
            self._build_optimizer(),
            per_example(loss or cross_entropy(config.label_smoothing, from_logits)),
            self.strategy,
        )
        self._variables = {
            "model": model.variables,
            "optimizer": self.loop.optimizer.variables,
        }

    def train(self) -> TrainingResult:
        """Trains to the last epoch, from the last checkpoint where there is one.

        Returns:
            The history of the run.

        Raises:
            NonFiniteLossError: The loss became infinite or not a number.
            ValueError: The checkpoint belongs to another network.
            OSError: A file could not be written; the message names it.
        """
        begin, history = self._restore()
        if begin == self.config.epochs and self.run.read_json("result.json"):
            self.progress.say(
                f"The run in {self.run.path} is complete ({begin} epochs)."
            )
            return TrainingResult(history, str(self.run.path))
        if begin:
            self.progress.say(f"Going on after epoch {begin} of {self.config.epochs}.")
        self.run.clear_tensorboard()
        with (
            self.interruption,
            write_summaries(self.run.tensorboard) as summarize,
        ):
            for row in history:
                summarize(row)
            batches = None
            for epoch in range(begin, self.config.epochs):
                batches = self._batches(epoch, batches)
                row = self._train_epoch(epoch, batches)
                if self.validation_dataset is not None:
                    row |= self._validate(epoch)
                history.append(row)
                self._write(epoch, history)
                summarize(row)
                self.progress.end_epoch(row)
                self.interruption.check()
        save_outputs(self.run, self.saved_model, history)
        self.run.write_json(
            "result.json", {"final": history[-1], "epochs": self.config.epochs}
        )
        return TrainingResult(history, str(self.run.path))

    def _build_optimizer(self) -> keras.optimizers.Optimizer:
        config = self.config
        with self.strategy.scope():
            optimizer = SGD(
                learning_rate=config.learning_rate,
                momentum=config.momentum,
                nesterov=config.nesterov,
                weight_decay=config.weight_decay,
                decay_norms_and_biases=config.decay_norms_and_biases,
            )
            if any(layer.compute_dtype == "float16" for layer in self.model.layers):
                optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
            optimizer.build(self.model.trainable_variables)
        return optimizer

    def _restore(self) -> tuple[int, list[dict[str, Any]]]:
        """The number of epochs done, and their history."""
        found = checkpoints.restore_newest(self.run.checkpoints, self._variables)
        if found is None:
            return 0, []
        epoch, extra = found
        return epoch, extra["history"]

    def _batches(self, epoch: int, before: Iterator | None) -> Iterator:
        """An iterator over the batches of an epoch."""
        endless = (
            isinstance(self.train_dataset, tf.data.Dataset)
            and self.train_dataset.cardinality() == tf.data.INFINITE_CARDINALITY
        )
        if endless and before is not None:
            return before
        dataset = training_dataset(self.train_dataset, epoch)
        return iter(self.strategy.experimental_distribute_dataset(dataset))

    def _train_epoch(self, epoch: int, batches: Iterator) -> dict[str, Any]:
        steps = self.steps_per_epoch
        rates = learning_rates(self.config, epoch, steps)
        self.loop.reset()
        self.progress.start_epoch(epoch, steps)
        begin = looked = time.monotonic()
        checked = 0
        for step in range(0, steps, self.config.steps_per_execution):
            chunk = rates[step : step + self.config.steps_per_execution]
            try:
                self.loop.train(batches, chunk)
            except tf.errors.OutOfRangeError:
                raise ValueError(
                    f"train_dataset must give {steps} batches in every epoch. "
                    f"Received: fewer in epoch {epoch + 1}"
                ) from None
            self.interruption.check()
            done = step + len(chunk)
            if done == steps or time.monotonic() - looked > _SECONDS_BETWEEN_LOOKS:
                sums = self._look(epoch, checked, done)
                checked, looked = done, time.monotonic()
                self.progress.update(
                    done, sums.count, sums.loss / sums.count, sums.correct / sums.count
                )
        seconds = time.monotonic() - begin
        return {
            "epoch": epoch + 1,
            "learning_rate": float(rates[-1]),
            "train_loss": sums.loss / sums.count,
            "train_accuracy": sums.correct / sums.count,
            "seconds": round(seconds, 3),
            "images_per_second": round(sums.count / seconds, 1),
        }

    def _look(self, epoch: int, checked: int, done: int) -> Sums:
        """Reads the sums so far and stops the run where the loss is not finite."""
        sums = self.loop.read()
        if not math.isfinite(sums.loss):
            where = checkpoints.list_checkpoints(self.run.checkpoints)
            raise NonFiniteLossError(
                f"The loss stopped being finite in epoch {epoch + 1}, between its "
                f"steps {checked + 1} and {done} of {self.steps_per_epoch}. A lower "
                "learning rate or a longer warm-up usually helps. The last good "
                f"checkpoint is {where[-1] if where else 'none'}. "
                f"Received: loss {sums.loss}"
            )
        return sums

    def _validate(self, epoch: int) -> dict[str, Any]:
        self.loop.reset()
        dataset = weighted(self.validation_dataset, self.strategy.num_replicas_in_sync)
        self.loop.evaluate(self.strategy.experimental_distribute_dataset(dataset))
        sums = self.loop.read()
        if not sums.count:
            raise ValueError("validation_dataset must not be empty. Received: 0 images")
        if not math.isfinite(sums.loss):
            warnings.warn(
                f"The validation loss of epoch {epoch + 1} is not finite.", stacklevel=2
            )
        return {
            "validation_loss": sums.loss / sums.count,
            "validation_accuracy": sums.correct / sums.count,
            "validation_count": int(sums.count),
        }

    def _write(self, epoch: int, history: list[dict[str, Any]]) -> None:
        done = epoch + 1
        if done % self.config.checkpoint_every_epochs == 0 or (
            done == self.config.epochs
        ):
            with naming(self.run.checkpoints):
                checkpoints.write_checkpoint(
                    self.run.checkpoints, done, self._variables, {"history": history}
                )
        self.run.write_log(history)
