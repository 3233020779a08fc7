"""The compiled steps of training and evaluation on resident data, by JAX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from keras_regnet.training.averaging import SwappedInPlace, float_variables
from keras_regnet.training.config import TrainingConfig
from keras_regnet.training.losses import default_loss
from keras_regnet.training.optimizers import make_optimizer
from keras_regnet.training.resident_augment import ResidentAugment, resize
from keras_regnet.training.resident_data import ResidentData
from keras_regnet.training.tally import Sums

if keras.backend.backend() == "jax":
    import jax
    from jax import lax
    from jax import numpy as jnp

_NEVER = np.iinfo(np.int32).max


class ResidentLoop:
    """Compiled steps of training and evaluation on resident data, as `loop.Loop`.

    While steps are taken, the values of the variables are here; `average_statistics`
    and `averaged` bring them home.

    Args:
        model: Gives logits.
        data: The data set.
        config: The training configuration.

    Attributes:
        optimizer: Built on the model's weights.
        averages: The moving averages, or None.
        tally: What the steps have added up.
        statistics: Itself: nothing is any replica's own.
        rows: Of the statistics; none.
    """

    def __init__(
        self, model: keras.Model, data: ResidentData, config: TrainingConfig
    ) -> None:
        self.model = model
        self.config = config
        self.optimizer = make_optimizer(config, model.trainable_variables)
        self.optimizer.build(model.trainable_variables)
        self.averages = ResidentAverages(model) if config.ema_decay else None
        self.batch_size = data.config.batch_size
        self.tally = ResidentTally(data.steps_per_epoch)
        self.statistics = self
        self.rows: list[keras.Variable] = []
        self.loss = default_loss(config)
        self.evaluation_size = data.evaluation_shape[:2]
        self.augment = ResidentAugment(
            data.config,
            data.augment,
            data.flip,
            data.pad,
            data.image_shape,
            data.num_classes,
        )
        self._train_part, self._validation_part = (
            jax.device_put((part.images, part.labels))
            for part in (data.train, data.validation)
        )
        places = {id(variable): at for at, variable in enumerate(self._variables[0])}
        offset = len(places)
        for at, variable in enumerate(self._variables[1]):
            places[id(variable)] = offset + at
        self._averaged = [places[id(v)] for v in float_variables(model.variables)]
        self._rate_at = next(
            at
            for at, variable in enumerate(self.optimizer.variables)
            if variable is self.optimizer.learning_rate
        )
        self._state: list[list[jax.Array]] | None = None
        # Within a loop XLA's convolutions take ten times as long on a CPU.
        self._in_a_loop = jax.default_backend() != "cpu"
        steps = self._train_steps if self._in_a_loop else self._train_step
        self._train = jax.jit(steps, donate_argnums=(0, 1))
        self._evaluate = jax.jit(self._evaluate_step)

    @property
    def _variables(self) -> list[list[keras.Variable]]:
        """Weights, other variables of the model, the optimizer's, and averages."""
        averages = self.averages.variables if self.averages is not None else []
        return [
            self.model.trainable_variables,
            self.model.non_trainable_variables,
            self.optimizer.variables,
            averages,
        ]

    def train(
        self,
        batches: tuple[np.ndarray, jax.Array],
        learning_rates: np.ndarray,
        average_rates: np.ndarray,
        first_step: int,
    ) -> None:
        """Takes as many steps as there are learning rates, without waiting for them.

        Args:
            batches: The order of the epoch, and its key.
            learning_rates: The learning rate of each step.
            average_rates: How far the averages move after each step.
            first_step: The number of the first of these steps in the whole run.
        """
        steps, count = self.tally.steps, len(learning_rates)
        rates = np.zeros((2, steps), np.float32)
        rates[:, :count] = learning_rates, average_rates
        if self._state is None:  # copies: a step overwrites what it is given
            self._state = [
                [jnp.array(variable.value, copy=True) for variable in group]
                for group in self._variables
            ]
        self.tally.first_step = first_step - first_step % steps
        data = *self._train_part, jnp.asarray(batches[0]), batches[1]
        first, state = first_step % steps, (self._state, self.tally.counts)
        if self._in_a_loop:
            state = self._train(*state, data, rates, np.int32(first), np.int32(count))
        else:
            for index in range(count):
                state = self._train(
                    *state, data, rates[:, index], np.int32(first + index)
                )
        self._state, self.tally.counts = state

    def evaluate(self, batch: int) -> None:
        """Adds the validation images from `batch` on, a batch of them."""
        weights, others = (
            [variable.value for variable in group] for group in self._variables[:2]
        )
        self.tally.add(
            self._evaluate(weights, others, *self._validation_part, np.int32(batch))
        )

    def average_statistics(self) -> None:
        """Gives the variables the values that the steps have come to."""
        state, self._state = self._state, None
        for variables, values in zip(self._variables, state or (), strict=False):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """As `average_statistics`; for a checkpoint in the middle of an epoch."""
        self.average_statistics()
        yield

    def scatter(self) -> None:
        """Nothing: there are no replicas."""

    def gradients(
        self, weights: list, others: list, images: jax.Array, labels: jax.Array
    ) -> tuple[list, tuple[list, jax.Array, jax.Array]]:
        """The gradients of the mean loss of a batch, before clipping and decay.

        Args:
            weights: Values of the model's trainable variables.
            others: Values of its other variables.
            images: float32 `(n, height, width, channels)` of 0 to 255.
            labels: int32 `(n,)`, or shares of the classes.

        Returns:
            The gradients; and the other variables after the step, the loss of each
            example, and the logits.
        """

        def mean_loss(weights: list) -> tuple[jax.Array, tuple]:
            logits, new = self.model.stateless_call(
                weights, others, images, training=True
            )
            losses = self.loss(labels, logits)
            return jnp.sum(losses) / len(losses), (new, losses, logits)

        return jax.grad(mean_loss, has_aux=True)(weights)

    def _train_steps(
        self,
        state: list[list[jax.Array]],
        counts: tuple[jax.Array, ...],
        data: tuple[jax.Array, ...],
        rates: jax.Array,
        first: jax.Array,
        count: jax.Array,
    ) -> tuple[list[list[jax.Array]], tuple[jax.Array, ...]]:
        def step(index: jax.Array, carry: tuple) -> tuple:
            return self._train_step(*carry, data, rates[:, index], first + index)

        return lax.fori_loop(jnp.int32(0), count, step, (state, counts))

    def _train_step(
        self,
        state: list[list[jax.Array]],
        counts: tuple[jax.Array, ...],
        data: tuple[jax.Array, ...],
        rates: jax.Array,
        place: jax.Array,
    ) -> tuple[list[list[jax.Array]], tuple[jax.Array, ...]]:
        images, labels, order, key = data
        size = self.batch_size
        rows = lax.dynamic_slice_in_dim(order, place * size, size)
        batch = self.augment(jax.random.fold_in(key, place), images[rows], labels[rows])
        return self._step(state, counts, batch, rates, place)

    def _step(
        self,
        state: list[list[jax.Array]],
        counts: tuple[jax.Array, ...],
        batch: tuple[jax.Array, jax.Array],
        rates: jax.Array,
        place: jax.Array,
    ) -> tuple[list[list[jax.Array]], tuple[jax.Array, ...]]:
        weights, before, optimizer, averages = state
        gradients, (others, losses, logits) = self.gradients(weights, before, *batch)
        finite = jnp.isfinite(losses)
        bad = ~finite.all()
        if self.config.clip_norm is not None:
            norm = jnp.sqrt(sum(jnp.sum(jnp.square(each)) for each in gradients))
            factor = self.config.clip_norm / jnp.maximum(norm, self.config.clip_norm)
            gradients = [each * factor for each in gradients]
        optimizer = list(optimizer)
        optimizer[self._rate_at] = rates[0]
        moved, changed = self.optimizer.stateless_apply(optimizer, gradients, weights)
        sums, first_bad, skipped = counts
        first_bad = jnp.minimum(first_bad, jnp.where(bad, place, _NEVER))
        counted = jnp.ones_like(finite)
        if self.config.on_nan == "skip":
            counted = finite
            for each in gradients:
                bad |= ~jnp.isfinite(each).all()
            moved, changed = (
                [jnp.where(bad, *pair) for pair in zip(old, new, strict=True)]
                for old, new in ((weights, moved), (optimizer, changed))
            )
            others = [
                jnp.where(bad & jnp.issubdtype(new.dtype, jnp.floating), old, new)
                for old, new in zip(before, others, strict=True)
            ]
            skipped += bad.astype(jnp.int32)
        sums = sums.at[:, place].set(_sums(batch[1], losses, logits, counted))
        values = [*moved, *others]
        averages = [
            average + (values[at] - average) * rates[1].astype(average.dtype)
            for average, at in zip(averages, self._averaged, strict=True)
        ]
        state = [list(moved), list(others), list(changed), averages]
        return state, (sums, first_bad, skipped)

    def _evaluate_step(
        self,
        weights: list,
        others: list,
        images: jax.Array,
        labels: jax.Array,
        begin: jax.Array,
    ) -> jax.Array:
        rows = begin + jnp.arange(self.batch_size, dtype=jnp.int32)
        counted = rows < len(labels)
        rows = jnp.minimum(rows, len(labels) - 1)
        pixels = resize(images[rows], *self.evaluation_size)
        logits, _ = self.model.stateless_call(weights, others, pixels, training=False)
        losses = self.loss(labels[rows], logits)
        return _sums(labels[rows], losses, logits, counted)


def _sums(
    labels: jax.Array, losses: jax.Array, logits: jax.Array, counted: jax.Array
) -> jax.Array:
    """Sum of the losses, right answers and number of the examples that are counted."""
    classes = labels if labels.ndim == 1 else jnp.argmax(labels, -1)
    correct = counted & (jnp.argmax(logits, -1) == classes)
    # Not a product: a loss that is not counted could be infinite.
    losses = jnp.where(counted, losses, 0)
    return jnp.stack(
        [jnp.sum(part.astype(float)) for part in (losses, correct, counted)]
    )


class ResidentTally:
    """What steps have counted, on the accelerator until someone asks; as `Tally`.

    A place for each step of an epoch, and their sum in float64 on the host: so it does
    not depend on how many steps a call took.

    Args:
        steps: Number of steps in an epoch.

    Attributes:
        counts: The sums of each step, the first step of the epoch that was not finite,
            and how many steps were left out.
        first_step: The number of the epoch's first step in the whole run.
        waited: Seconds for which steps waited for data.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.first_step = 0
        self.waited = 0.0
        self.reset()

    def add(self, sums: jax.Array) -> None:
        """Adds what a batch of an evaluation came to."""
        self._added.append(sums)

    def read(self) -> Sums:
        """Waits for the steps under way and returns the sums."""
        parts = [np.asarray(self.counts[0], np.float64).sum(1), self._before]
        parts += [np.asarray(sums, np.float64) for sums in self._added]
        return Sums(*np.sum(parts, 0).tolist())

    @property
    def skipped(self) -> int:
        """Steps left out since `reset` because they were not finite."""
        return self._skipped_before + int(self.counts[2])

    @property
    def first_bad(self) -> int | None:
        """The first step since `reset` whose loss was not finite."""
        first = int(self.counts[1])
        return None if first == _NEVER else self.first_step + first

    def forget_bad(self) -> None:
        """Makes `first_bad` None again."""
        self.counts = self.counts[0], jnp.int32(_NEVER), self.counts[2]

    def reset(self) -> None:
        """Sets everything to zero."""
        self.counts = jnp.zeros((3, self.steps)), jnp.int32(_NEVER), jnp.int32(0)
        self._added: list[jax.Array] = []
        self._before, self._skipped_before = np.zeros(3), 0

    def state(self, _: Sums | None = None) -> dict[str, Any]:
        """What has been counted as JSON types, for `restore`."""
        return {"sums": [list(self.read())], "waited": 0.0, "skipped": self.skipped}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state` gave."""
        self.reset()
        self._before = np.sum(state["sums"], axis=0)
        self._skipped_before = state["skipped"]


class ResidentAverages(SwappedInPlace):
    """Moving averages of a model's floating-point variables, as `averaging.Averages`.

    Args:
        model: A built model.

    Attributes:
        variables: The averages, in the order of the model's variables.
    """

    def __init__(self, model: keras.Model) -> None:
        self._averaged = float_variables(model.variables)
        self.variables = [
            keras.Variable(v.numpy(), dtype=v.dtype, trainable=False, name="average")
            for v in self._averaged
        ]

    def _swap(self) -> None:
        for average, variable in zip(self.variables, self._averaged, strict=True):
            old, new = variable.value, average.value
            variable.assign(new)
            average.assign(old)
