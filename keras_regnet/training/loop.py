"""The compiled steps of training and evaluation under any tf.distribute strategy.

Every replica adds up its own sums, and nothing is fetched before someone asks, so
that a step never waits for Python. The loss of a step is the sum over its examples
divided by the number of examples in the *global* batch, and the optimizer adds up the
gradients of the replicas: N replicas take the step that one device would.
"""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_regnet.training.averaging import Averages, float_variables
from keras_regnet.training.losses import Loss, hits
from keras_regnet.training.replicas import ReplicaStatistics, own_masks
from keras_regnet.training.tally import Tally, on_each_replica
from keras_regnet.training.updates import Updates


class Loop:
    """Training and evaluation steps of one model.

    Args:
        model: A built model that maps images to logits or probabilities.
        optimizer: A Keras optimizer, built on the model's trainable variables under
            `strategy`.
        loss: Gives one loss per example.
        strategy: The strategy under which the model was built.
        averages: Moving averages of the model's variables, if wanted.
        accumulation: Into how many pieces each replica cuts its part of a batch; the
            gradients of the pieces are added up before the weights move.
        clip_norm: The greatest norm of all gradients together; longer ones are scaled
            down to it. None for no limit. With several replicas it costs a second
            exchange of the gradients.
        skip_non_finite: Whether a step whose loss or gradient is not finite leaves the
            model as it was; otherwise it is only remembered.
        jit_compile: Whether XLA compiles the step, or with `accumulation` or
            `skip_non_finite` the gradients of each piece; with one replica only.

    Attributes:
        tally: The sums over the examples since they were last set to zero.
        statistics: The running statistics, of which every replica has its own.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        loss: Loss,
        strategy: tf.distribute.Strategy,
        *,
        averages: Averages | None = None,
        accumulation: int = 1,
        clip_norm: float | None = None,
        skip_non_finite: bool = False,
        jit_compile: bool = False,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.loss = loss
        self.strategy = strategy
        self.averages = averages
        self.accumulation = accumulation
        self.skip_non_finite = skip_non_finite
        self.tally = Tally(strategy)
        self._updates = Updates(model, optimizer, strategy, clip_norm)
        self._most_steps = 1
        self._statistics = float_variables(model.non_trainable_variables)
        averaged = [] if averages is None else averages.statistics
        self.statistics = ReplicaStatistics([*self._statistics, *averaged], strategy)
        self._totals, self._bad = [], None
        if accumulation > 1 or skip_non_finite:
            with strategy.scope():
                self._bad = on_each_replica(tf.constant(False), "bad")
                self._totals = [
                    on_each_replica(tf.zeros(v.shape, v.dtype), "gradient")
                    for v in model.trainable_variables
                ]
        # What XLA compiles: a whole step, or the gradients of a piece.
        phases = bool(self._totals)
        self._whole_step = self._accumulate_replica if phases else self._train_replica
        if jit_compile:
            self._whole_step = tf.function(self._whole_step, jit_compile=True)
        weight = model.trainable_variables[0].value
        device = tf.DeviceSpec.from_string(weight.device).device_type
        self._on_accelerator = device not in (None, "CPU")
        self._train = tf.function(self._train_steps, reduce_retracing=True)
        self._evaluate = tf.function(self._evaluate_step, reduce_retracing=True)

    def train(
        self,
        batches: Iterator,
        learning_rates: np.ndarray,
        average_rates: np.ndarray | None = None,
        first_step: int = 0,
    ) -> None:
        """Takes as many steps as there are learning rates, without waiting for them.

        Args:
            batches: Iterator over (images, labels), distributed by the strategy.
            learning_rates: The learning rate of each step.
            average_rates: How far the averages move after each step.
            first_step: The number of the first of these steps, from 0, by which
                `tally.first_bad` names one.
        """
        count = len(learning_rates)
        # One length for every call, or else the last one of an epoch is a new trace.
        self._most_steps = max(self._most_steps, count)
        rates = np.zeros((2, self._most_steps), np.float32)
        rates[0, :count] = learning_rates
        if average_rates is not None:
            rates[1, :count] = average_rates
        first = tf.constant(first_step, tf.int64)
        self._train(batches, tf.constant(rates), first, tf.constant(count))

    def evaluate(self, batch: Any) -> None:
        """Adds a batch of (images, labels, weights) of a distributed data set."""
        self._evaluate(batch)

    def average_statistics(self) -> None:
        """Makes the running statistics of all replicas their mean.

        Without synchronised batch normalisation every replica has its own. Before an
        evaluation they have to be one; all workers must call it.
        """
        self.statistics.average()

    def _train_steps(
        self, batches: Iterator, rates: tf.Tensor, first: tf.Tensor, count: tf.Tensor
    ) -> None:
        for index in tf.range(count):
            self.optimizer.learning_rate = rates[0, index]
            batch = self._next(batches)
            step = first + tf.cast(index, tf.int64)
            if self._totals:
                self._step_in_phases(batch, step)
            else:
                self.strategy.run(self._whole_step, args=(batch, step))
            if self.averages is not None and rates[1, index] > 0:
                self.averages.update(rates[1, index])

    @tf.autograph.experimental.do_not_convert
    def _next(self, batches: Iterator) -> Any:
        """The next batch; adds the time that it took to the tally."""
        if not self.tally.has_clock:
            return next(batches)
        # The host only knows that an accelerator is done by waiting for it. The clock
        # may wait; the batch is fetched and copied in the meantime.
        ahead = self._on_accelerator
        begin = tf.timestamp() if ahead else self._end_of_last_step()
        with tf.control_dependencies([begin]):
            batch = next(batches)
        free = self._end_of_last_step() if ahead else begin
        arrived = [
            tensor
            for part in tf.nest.flatten(batch)
            for tensor in self.strategy.experimental_local_results(part)
        ]
        with tf.control_dependencies(arrived):
            end = tf.timestamp()
        # A batch that came before the step was over was not waited for.
        self.tally.add_wait(tf.maximum(end - tf.maximum(begin, free), 0.0))
        if ahead or self.strategy.num_replicas_in_sync > 1:
            return batch
        # Or else a single thread may look at the clock after the step's other work.
        with tf.control_dependencies([end]):
            return tf.nest.map_structure(tf.identity, batch)

    def _end_of_last_step(self) -> tf.Tensor:
        """The time at which the weights have moved."""
        # The first weights' gradient is the last of a step: their value comes after it.
        done = tf.convert_to_tensor(self.model.trainable_variables[0].value)
        with tf.control_dependencies([done]):
            return tf.timestamp()

    def _step_in_phases(self, batch: Any, step: tf.Tensor) -> None:
        """Adds up the gradients of the pieces first, then moves the weights or not."""
        if self.skip_non_finite:
            statistics = self.strategy.run(self._copy_statistics)
        for piece in tf.range(self.accumulation):
            self.strategy.run(self._whole_step, args=(batch, piece, step))
        if self.skip_non_finite:
            bad = self.strategy.run(self._is_bad_replica)
            if self.strategy.reduce("SUM", bad, axis=None) > 0:
                self.strategy.run(self._undo_replica, args=(statistics,))
                self.tally.add_skipped()
            else:
                self.strategy.run(self._apply_totals_replica)
        else:
            self.strategy.run(self._apply_totals_replica)

    @tf.autograph.experimental.do_not_convert
    def _train_replica(self, batch: tuple[tf.Tensor, ...], step: tf.Tensor) -> None:
        images, labels = batch
        count = self._count(images)
        self._updates.apply(self._gradients(images, labels, count, step))

    @tf.autograph.experimental.do_not_convert
    def _accumulate_replica(
        self, batch: tuple[tf.Tensor, ...], piece: tf.Tensor, step: tf.Tensor
    ) -> None:
        count = self._count(batch[0])
        images, labels = (self._cut(part, piece) for part in batch)
        gradients = self._gradients(images, labels, count, step)
        for total, gradient in zip(self._totals, gradients, strict=True):
            if gradient is not None:
                total.assign_add(tf.convert_to_tensor(gradient))

    def _cut(self, tensor: tf.Tensor, piece: tf.Tensor) -> tf.Tensor:
        if self.accumulation == 1:  # of any size, that need not be known
            return tensor
        size = tensor.shape[0] // self.accumulation
        shape = [size, *tensor.shape[1:]]
        begin = [piece * size] + [0] * (len(shape) - 1)
        return tf.ensure_shape(tf.slice(tensor, begin, shape), shape)

    @tf.autograph.experimental.do_not_convert
    def _copy_statistics(self) -> list[tf.Tensor]:
        return [tf.identity(variable.value) for variable in self._statistics]

    @tf.autograph.experimental.do_not_convert
    def _is_bad_replica(self) -> tf.Tensor:
        bad = self._bad.read_value()
        if not self._updates.scales_loss:  # which makes infinite gradients on purpose
            finite = [tf.math.is_finite(total.read_value()) for total in self._totals]
            bad |= ~tf.reduce_all(tf.stack([tf.reduce_all(each) for each in finite]))
        return tf.cast(bad, tf.int32)

    @tf.autograph.experimental.do_not_convert
    def _undo_replica(self, statistics: list[tf.Tensor]) -> None:
        for variable, old in zip(self._statistics, statistics, strict=True):
            variable.assign(old)
        self._clear_totals()

    @tf.autograph.experimental.do_not_convert
    def _apply_totals_replica(self) -> None:
        gradients = [total.read_value() for total in self._totals]
        with tf.control_dependencies(gradients):
            self._clear_totals()
        self._updates.apply(gradients)

    def _clear_totals(self) -> None:
        for total in self._totals:
            total.assign(tf.zeros(total.shape, total.dtype))
        self._bad.assign(False)

    def _gradients(
        self, images: tf.Tensor, labels: tf.Tensor, count: tf.Tensor, step: tf.Tensor
    ) -> list:
        """Gradients of a part of a batch of `count` examples; adds its sums."""
        replicas = self.strategy.num_replicas_in_sync
        with tf.GradientTape() as tape:
            with own_masks(self.model):
                outputs = _at_least_float32(self.model(images, training=True))
            losses = self.loss(labels, outputs)
            total = tf.reduce_sum(losses) / tf.cast(count, losses.dtype)
            if penalties := self.model.losses:
                penalty = tf.add_n([tf.cast(p, losses.dtype) for p in penalties])
                total += penalty / (replicas * self.accumulation)
                losses += penalty
            scaled = self.optimizer.scale_loss(total)
        finite = tf.math.is_finite(losses)
        bad = ~tf.reduce_all(finite)
        self.tally.add_bad(bad, step)
        if self._bad is not None:
            self._bad.assign(self._bad.read_value() | bad)
        weights = finite if self.skip_non_finite else tf.ones_like(losses)
        self.tally.add(losses, hits(labels, outputs), weights)
        return tape.gradient(scaled, self.model.trainable_variables)

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
        self.tally.add(losses, hits(labels, outputs), weights)

    def _count(self, images: tf.Tensor) -> tf.Tensor:
        """The number of images of the global batch."""
        count = tf.shape(images)[0]
        if self.strategy.num_replicas_in_sync == 1:
            return count
        return tf.distribute.get_replica_context().all_reduce("SUM", count)


def _at_least_float32(outputs: tf.Tensor) -> tf.Tensor:
    low = outputs.dtype in (tf.float16, tf.bfloat16)
    return tf.cast(outputs, tf.float32) if low else outputs
