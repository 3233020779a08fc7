"""Which batches of an epoch, and which rows of each, a worker gets."""

import dataclasses
from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Portion:
    """A worker's share of the batches `start` to `stop` of an epoch.

    Attributes:
        batch_size: Images in a whole batch, over all workers.
        start: The first batch.
        stop: The batch after the last one.
        index: Which worker.
        count: How many there are.
        repeats: How many times in a row each image comes.
        served: Whether the batches are made by a tf.data service, each of whose
            workers has to leave out those of the others.
    """

    batch_size: int
    start: int
    stop: int
    index: int = 0
    count: int = 1
    repeats: int = 1
    served: bool = False

    def __post_init__(self) -> None:
        """Checks the worker.

        Raises:
            ValueError: There is no such worker, or the batch cannot be divided.
        """
        if not 0 <= self.index < self.count:
            raise ValueError(
                "shard must be (index, count) with 0 <= index < count. "
                f"Received: {(self.index, self.count)}"
            )
        if self.batch_size % self.count:
            raise ValueError(
                f"batch_size must be a multiple of the {self.count} workers. "
                f"Received: {self.batch_size}"
            )

    @property
    def size(self) -> int:
        """Images of a batch that are this worker's."""
        return self.batch_size // self.count

    @property
    def rows(self) -> slice:
        """Where they are in the batch."""
        return slice(self.index * self.size, (self.index + 1) * self.size)

    @property
    def whole(self) -> "Portion":
        """The same batches with all their rows."""
        return dataclasses.replace(self, index=0, count=1)

    def part_of(self, size: int) -> tuple[int, int]:
        """First and last + 1 of `size` images, where each worker reads its own."""
        return self.index * size // self.count, (self.index + 1) * size // self.count

    def steps(self) -> tf.data.Dataset:
        """The numbers of the batches, int64."""
        if not self.served:
            return tf.data.Dataset.range(self.start, self.stop)
        return self.divided(tf.data.Dataset.counter(self.start)).take_while(
            lambda step: step < self.stop
        )

    def numbered(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Batches that are read in order, each with its number in front."""
        if not self.served:
            return batches.enumerate(self.start)
        nothing = tf.nest.map_structure(
            lambda spec: tf.zeros(spec.shape, spec.dtype), batches.element_spec
        )
        after = tf.data.Dataset.from_tensors(nothing).repeat()
        return self.divided(
            batches.concatenate(after).enumerate(self.start)
        ).take_while(lambda step, *_: step < self.stop)

    def divided(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Every worker of a data service keeps each of so many elements.

        There must be at least one for each, which is why the above have no end.
        """
        if not self.served:
            return dataset
        hint = tf.data.experimental.SHARD_HINT
        return dataset.shard(hint, hint)
