"""What each replica has for itself: running statistics, and random masks.

Keras' variables have a copy on every replica. Batch normalisation that is not
synchronised updates each copy from its own part of a batch, so they drift apart, and a
reader outside sees the first one. The seeds of dropout, on the other hand, are equal
everywhere, and so would be the masks.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import tensorflow as tf

_SEEDS_APART = 1_000_003  # no two layers of a model have seeds that differ by it


class ReplicaStatistics:
    """Floating-point variables of which every replica has values of its own.

    All methods are collective: all workers must call them. With one replica they do
    nothing.

    Args:
        variables: Those that a step updates on each replica for itself.
        strategy: The strategy under which they were built.

    Attributes:
        rows: What `gather` found, as variables `[replicas, values]`; one for each type.
    """

    def __init__(
        self, variables: Sequence[keras.Variable], strategy: tf.distribute.Strategy
    ) -> None:
        self._strategy = strategy
        self._groups: dict[str, list[keras.Variable]] = {}
        self.rows: list[keras.Variable] = []
        replicas = strategy.num_replicas_in_sync
        if replicas == 1:
            return
        for variable in variables:
            self._groups.setdefault(variable.dtype, []).append(variable)
        with strategy.scope():
            for dtype, group in self._groups.items():
                size = sum(math.prod(variable.shape) for variable in group)
                self.rows.append(
                    keras.Variable(
                        tf.zeros([replicas, size], dtype),
                        trainable=False,
                        name=f"statistics_of_replicas_{dtype}",
                    )
                )
        self._average = tf.function(lambda: strategy.run(self._average_replica))
        self._gather = tf.function(lambda: strategy.run(self._gather_replica))
        self._scatter = tf.function(lambda: strategy.run(self._scatter_replica))

    def average(self) -> None:
        """Makes the values of all replicas their mean."""
        if self._groups:
            self._average()

    def gather(self) -> None:
        """Writes the values of all replicas into `rows`."""
        if self._groups:
            self._gather()

    def scatter(self) -> None:
        """Gives each replica its own values from `rows`."""
        if self._groups:
            self._scatter()

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within the block all replicas have the mean, and afterwards their own."""
        self.gather()
        self.average()
        try:
            yield
        finally:
            self.scatter()

    @tf.autograph.experimental.do_not_convert
    def _average_replica(self) -> None:
        context = tf.distribute.get_replica_context()
        variables = [v for group in self._groups.values() for v in group]
        means = context.all_reduce("MEAN", [tf.identity(v.value) for v in variables])
        for variable, mean in zip(variables, means, strict=True):
            variable.assign(mean)

    @tf.autograph.experimental.do_not_convert
    def _gather_replica(self) -> None:
        context = tf.distribute.get_replica_context()
        for rows, group in zip(self.rows, self._groups.values(), strict=True):
            own = tf.concat([tf.reshape(v.value, [1, -1]) for v in group], axis=1)
            rows.assign(context.all_gather(own, axis=0))

    @tf.autograph.experimental.do_not_convert
    def _scatter_replica(self) -> None:
        index = tf.distribute.get_replica_context().replica_id_in_sync_group
        for rows, group in zip(self.rows, self._groups.values(), strict=True):
            sizes = [math.prod(variable.shape) for variable in group]
            parts = tf.split(tf.gather(rows.value, index), sizes)
            for variable, part in zip(group, parts, strict=True):
                variable.assign(tf.reshape(part, variable.shape))


@contextmanager
def own_masks(model: keras.Model) -> Iterator[None]:
    """What is traced here draws other random numbers on every replica.

    For use inside a step, in replica context. Afterwards the seeds are again equal
    everywhere, as checkpoints have them.

    Args:
        model: The model whose layers draw.
    """
    context = tf.distribute.get_replica_context()
    seeds = []
    if context.num_replicas_in_sync > 1:
        seeds = [
            variable
            for variable in model.non_trainable_variables
            if variable.path.endswith("seed_generator_state")
        ]
    index = context.replica_id_in_sync_group

    def shift(sign: int) -> None:
        for seed in seeds:
            distance = sign * _SEEDS_APART * tf.cast(tf.stack([index, 0]), seed.dtype)
            seed.assign(seed.value + distance)

    shift(1)
    yield
    shift(-1)
