"""The compiled steps of training and evaluation under any tf.distribute strategy.

Every replica adds up its own sums, and nothing is fetched before someone asks, so
that a step never waits for Python. The loss of a step is the sum over its examples
divided by the number of examples in the *global* batch, and the optimizer adds up the
gradients of the replicas: N replicas take the step that one device would.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_regnet.training.losses import Loss, hits


class Sums(NamedTuple):
    """What has been added up since the last reset.

    Attributes:
        loss: Sum of the losses of the examples.
        correct: Number of examples whose label was the strongest output.
        count: Number of examples.
    """

    loss: float
    correct: float
    count: float


class Loop:
    """Training and evaluation steps of one model.

    Args:
        model: A built model that maps images to logits or probabilities.
        optimizer: A Keras optimizer, built on the model's trainable variables under
            `strategy`.
        loss: Gives one loss per example.
        strategy: The strategy under which the model was built.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        loss: Loss,
        strategy: tf.distribute.Strategy,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.loss = loss
        self.strategy = strategy
        self._most_steps = 1
        self.scales_loss = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        with strategy.scope():
            # One vector for loss, correct and count; float64 counts exactly. A replica
            # adds to its own copy, and reading gives the sum of the copies.
            self._sums = tf.Variable(
                tf.zeros(3, tf.float64),
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.SUM,
                name="sums",
            )
        self._train = tf.function(self._train_steps, reduce_retracing=True)
        self._evaluate = tf.function(self._evaluate_step, reduce_retracing=True)

    def train(self, batches: Iterator, learning_rates: np.ndarray) -> None:
        """Takes as many steps as there are learning rates, without waiting for them.

        Args:
            batches: Iterator over (images, labels), distributed by the strategy.
            learning_rates: The learning rate of each step.
        """
        count = len(learning_rates)
        # One length for every call, or else the last one of an epoch is a new trace.
        self._most_steps = max(self._most_steps, count)
        rates = np.pad(learning_rates, (0, self._most_steps - count))
        self._train(batches, tf.constant(rates, tf.float32), tf.constant(count))

    def evaluate(self, batches: Any) -> None:
        """Adds the examples of a distributed data set of (images, labels, weights)."""
        for batch in batches:
            self._evaluate(batch)

    def read(self) -> Sums:
        """Waits for the steps under way and returns the sums."""
        return Sums(*self._sums.numpy().tolist())

    def reset(self) -> None:
        """Sets the sums to zero."""
        self._sums.assign(tf.zeros(3, tf.float64))

    def _train_steps(
        self, batches: Iterator, learning_rates: tf.Tensor, count: tf.Tensor
    ) -> None:
        for index in tf.range(count):
            self.optimizer.learning_rate = learning_rates[index]
            self.strategy.run(self._train_replica, args=(next(batches),))

    @tf.autograph.experimental.do_not_convert
    def _train_replica(self, batch: tuple[tf.Tensor, tf.Tensor]) -> None:
        images, labels = batch
        count = tf.shape(images)[0]
        replicas = self.strategy.num_replicas_in_sync
        with tf.GradientTape() as tape:
            outputs = _at_least_float32(self.model(images, training=True))
            losses = self.loss(labels, outputs)
            total = tf.reduce_sum(losses) / tf.cast(
                self._over_replicas("SUM", count), losses.dtype
            )
            if penalties := self.model.losses:
                penalty = tf.add_n([tf.cast(p, losses.dtype) for p in penalties])
                total += penalty / replicas
                losses += penalty
            scaled = self.optimizer.scale_loss(total)
        variables = self.model.trainable_variables
        gradients = tape.gradient(scaled, variables)
        if self.scales_loss and replicas > 1:
            gradients = self._all_or_none_finite(gradients)
        self.optimizer.apply(gradients, variables)
        self._add(losses, hits(labels, outputs), tf.ones_like(losses))

    @tf.autograph.experimental.do_not_convert
    def _evaluate_step(self, batch: Any) -> None:
        self.strategy.run(self._evaluate_replica, args=(batch,))

    @tf.autograph.experimental.do_not_convert
    def _evaluate_replica(self, batch: tuple[tf.Tensor, ...]) -> None:
        images, labels, weights = batch
        outputs = _at_least_float32(self.model(images, training=False))
        losses = self.loss(labels, outputs)
        if penalties := self.model.losses:
            losses += tf.add_n([tf.cast(p, losses.dtype) for p in penalties])
        self._add(losses, hits(labels, outputs), weights)

    def _add(self, losses: tf.Tensor, correct: tf.Tensor, weights: tf.Tensor) -> None:
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

    def _over_replicas(self, operation: str, value: tf.Tensor) -> tf.Tensor:
        if self.strategy.num_replicas_in_sync == 1:
            return value
        return tf.distribute.get_replica_context().all_reduce(operation, value)

    def _all_or_none_finite(self, gradients: list) -> list:
        """Makes the gradients of all replicas NaN where those of one are not finite.

        Keras' LossScaleOptimizer asks the first replica alone whether to skip a step.
        """
        sums = [tf.reduce_sum(g) for g in gradients if g is not None]
        poison = self._over_replicas("SUM", tf.add_n(sums) * 0)  # 0 or NaN
        return [None if g is None else g + poison for g in gradients]


def _at_least_float32(outputs: tf.Tensor) -> tf.Tensor:
    low = outputs.dtype in (tf.float16, tf.bfloat16)
    return tf.cast(outputs, tf.float32) if low else outputs


def check_model(model: keras.Model, strategy: tf.distribute.Strategy) -> None:
    """Checks that a model can be trained under a strategy.

    Raises:
        ValueError: It is not built, has nothing to train, or was built elsewhere.
    """
    if not model.built or not model.trainable_variables:
        raise ValueError(
            "model must be built and have trainable variables. "
            f"Received: built={model.built}, "
            f"{len(model.trainable_variables)} trainable variables"
        )
    for variable in model.variables:
        if not strategy.extended.variable_created_in_scope(variable.value):
            raise ValueError(
                "The model must be built under the strategy's scope "
                "(with strategy.scope(): ...). "
                f"Received: {variable.path}, built elsewhere"
            )
