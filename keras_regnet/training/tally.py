"""What the compiled steps count: sums that stay on the devices until someone asks."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

_NEVER = np.iinfo(np.int64).max


class Sums(NamedTuple):
    """What has been added up since the last reset.

    Attributes:
        loss: Sum of the losses of the examples.
        correct: Number of examples whose label was the strongest output.
        count: Number of examples.
    """

    loss: float = 0.0
    correct: float = 0.0
    count: float = 0.0

    def since(self, before: Sums) -> Sums:
        """What was added after `before`."""
        return Sums(*(now - old for now, old in zip(self, before, strict=True)))


class Tally:
    """Sums of a training or evaluation pass, a copy of them on each replica.

    The `add` methods are for use inside a step, in replica context; the others outside.

    Args:
        strategy: The strategy of the steps.

    Attributes:
        has_clock: Whether steps can tell the time. TensorFlow refuses it where only
            deterministic operations are enabled.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self.strategy = strategy
        self.has_clock = _has_clock()
        with strategy.scope():
            # One vector for loss, correct and count; float64 counts exactly. A replica
            # adds to its own copy, and reading gives the sum of the copies.
            self._sums = on_each_replica(tf.zeros(3, tf.float64), "sums")
            self._first_bad = on_each_replica(tf.constant(_NEVER), "first_bad")
        with tf.device("/CPU:0"):
            self._waited = tf.Variable(0.0, trainable=False, dtype=tf.float64)
            self._skipped = tf.Variable(0, trainable=False, dtype=tf.int64)

    def add(self, losses: tf.Tensor, correct: tf.Tensor, weights: tf.Tensor) -> None:
        """Adds examples, each with its weight of 0 or 1."""
        weights = tf.cast(weights, tf.float64)
        losses = tf.cast(losses, tf.float64)
        # Not a product: the loss of padding could be infinite.
        losses = tf.where(weights > 0, losses, tf.zeros_like(losses))
        self._sums.assign_add(
            tf.stack(
                [
                    tf.reduce_sum(losses),
                    tf.reduce_sum(correct * weights),
                    tf.reduce_sum(weights),
                ]
            )
        )

    def add_bad(self, bad: tf.Tensor, step: tf.Tensor) -> None:
        """Remembers `step` where it is the first of which `bad` is true."""
        step = tf.where(bad, step, tf.constant(_NEVER))
        self._first_bad.assign(tf.minimum(self._first_bad.read_value(), step))

    def add_wait(self, seconds: tf.Tensor) -> None:
        """Adds to the time for which the steps of this worker waited for data."""
        self._waited.assign_add(seconds)

    def add_skipped(self) -> None:
        """Counts a step that was left out."""
        self._skipped.assign_add(1)

    def read(self) -> Sums:
        """Waits for the steps under way and returns the sums.

        With several workers all must call it, since their sums are added up.
        """
        return Sums(*self._sums.numpy().tolist())

    @property
    def waited(self) -> float:
        """Seconds for which this worker's steps waited for data since `reset`.

        Not a number without a clock.
        """
        return float(self._waited.numpy()) if self.has_clock else float("nan")

    @property
    def skipped(self) -> int:
        """Steps left out since `reset` because they were not finite."""
        return int(self._skipped.numpy())

    @property
    def first_bad(self) -> int | None:
        """The first step since `reset` whose loss was not finite on this worker."""
        first = min(int(part.numpy()) for part in self._parts(self._first_bad))
        return None if first == _NEVER else first

    def forget_bad(self) -> None:
        """Makes `first_bad` None again."""
        for part in self._parts(self._first_bad):
            part.assign(_NEVER)

    def reset(self) -> None:
        """Sets everything to zero."""
        for part in self._parts(self._sums):
            part.assign(tf.zeros(3, tf.float64))
        self._waited.assign(0.0)
        self._skipped.assign(0)
        self.forget_bad()

    def state(self, total: Sums | None = None) -> dict[str, Any]:
        """What has been counted as JSON types, for `restore`.

        Args:
            total: What `read` gave, in place of this worker's part of it.
        """
        parts = [part.numpy().tolist() for part in self._parts(self._sums)]
        return {
            "sums": parts if total is None else [list(total)],
            "waited": float(self._waited.numpy()),
            "skipped": self.skipped,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up what `state` gave; with other replicas the totals are kept."""
        self.reset()
        parts, sums = self._parts(self._sums), state["sums"]
        if len(sums) != len(parts):
            sums = [np.sum(sums, axis=0).tolist()]
        for part, value in zip(parts, sums, strict=False):
            part.assign(value)
        self._waited.assign(state["waited"])
        self._skipped.assign(state["skipped"])

    def _parts(self, variable: tf.Variable) -> tuple[tf.Variable, ...]:
        return self.strategy.experimental_local_results(variable)


def on_each_replica(initial: tf.Tensor, name: str) -> tf.Variable:
    """A variable of which each replica has its own copy; reading adds them up."""
    return tf.Variable(
        initial,
        trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.SUM,
        name=name,
    )


def _has_clock() -> bool:
    try:
        tf.timestamp()
    except tf.errors.FailedPreconditionError:
        return False
    return True
