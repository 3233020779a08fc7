"""Exponential moving averages of a model's weights and batch-normalisation statistics.

Keras' own (`use_ema` of its optimizers) leaves out the running statistics of batch
normalisation, without which averaged weights cannot be judged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import keras
import numpy as np

from keras_regnet.training.config import TrainingConfig

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf


def average_rates(
    config: TrainingConfig, epoch: int, steps_per_epoch: int, warm_up: bool = True
) -> np.ndarray:
    """How far the averages move towards the weights after each step of an epoch.

    After every `ema_every_steps`-th step of an epoch, counted from its first, the
    averages move by `1 - decay`; between these not at all. With
    `ema_copies_in_warmup` they are set to the weights as long as the learning rate
    warms up (pycls `core/net.py`, torchvision `references/classification`).

    The decay of the n-th update after the last copy is
    `min(ema_decay, (1 + n) / (10 + n))`, as of `tf.train.ExponentialMovingAverage`:
    averages of a short run would otherwise be those of its first weights.

    Args:
        config: The training configuration.
        epoch: From 0 on.
        steps_per_epoch: Number of steps in an epoch.
        warm_up: Whether the decay warms up so; otherwise it is `ema_decay` at once.

    Returns:
        A rate in [0, 1] for each step of the epoch, float64.
    """
    rates = np.zeros(steps_per_epoch)
    if not config.ema_decay:
        return rates
    updates = len(rates[:: config.ema_every_steps])
    copies = 1  # they start as one
    if config.ema_copies_in_warmup:
        copies = max(copies, math.ceil(config.warmup_epochs) * updates)
    number = epoch * updates + np.arange(updates) + 1 - copies  # since the last copy
    decay = np.full(updates, config.ema_decay)
    if warm_up:
        decay = np.minimum(decay, (1 + number) / (10 + np.maximum(number, 0)))
    rates[:: config.ema_every_steps] = np.where(number > 0, 1.0 - decay, 1.0)
    return rates


class SwappedInPlace:
    """Averages that can change places with the weights."""

    _swap: Callable[[], None]

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the block the model has the averages in place of its weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()


class Averages(SwappedInPlace):
    """Averages of the floating-point variables of a model.

    Args:
        model: A built model.
        strategy: The strategy under which it was built.

    Attributes:
        variables: The averages, in the order of the model's variables.
        statistics: Those of them that are no weights: of the running statistics.
    """

    def __init__(self, model: keras.Model, strategy: tf.distribute.Strategy) -> None:
        self._strategy = strategy
        self._averaged = float_variables(model.variables)
        with strategy.scope():
            self.variables = [
                keras.Variable(
                    variable.numpy(),
                    dtype=variable.dtype,
                    trainable=False,
                    name="average",
                )
                for variable in self._averaged
            ]
        trained = {id(variable) for variable in model.trainable_variables}
        self.statistics = [
            average
            for average, variable in zip(self.variables, self._averaged, strict=True)
            if id(variable) not in trained
        ]
        self._swap = tf.function(self._exchange)

    def update(self, rate: tf.Tensor) -> None:
        """Moves the averages by `rate` of the distance; for use inside a step."""

        def move(average: tf.Variable, value: tf.Tensor, rate: tf.Tensor) -> None:
            average.assign_add((value - average) * tf.cast(rate, average.dtype))

        for average, variable in zip(self.variables, self._averaged, strict=True):
            self._strategy.extended.update(
                average.value, move, args=(variable.value, rate), group=False
            )

    def _exchange(self) -> None:
        def swap(average: tf.Variable, variable: tf.Variable) -> None:
            old = tf.identity(average)
            with tf.control_dependencies([old]):
                average.assign(variable)
            with tf.control_dependencies([average.read_value()]):
                variable.assign(old)

        for average, variable in zip(self.variables, self._averaged, strict=True):
            self._strategy.extended.update(
                average.value, swap, args=(variable.value,), group=False
            )


def float_variables(variables: Sequence[keras.Variable]) -> list[keras.Variable]:
    """Those that hold floating-point numbers; the states of seeds do not."""
    return [v for v in variables if keras.backend.is_float_dtype(v.dtype)]
