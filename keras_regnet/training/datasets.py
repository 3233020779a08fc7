"""Data sets as the loop wants them: split over replicas, every example counted once."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol, runtime_checkable

import tensorflow as tf

Shard = tuple[int, int]


@runtime_checkable
class ShardedData(Protocol):
    """Data that give each worker its part of an epoch, as `keras_regnet.data.Data`.

    Attributes:
        batch_size: Images of a batch over all workers; of validation, at most.
    """

    batch_size: int

    def train(
        self, epoch: int, start_step: int = 0, shard: Shard = (0, 1)
    ) -> tf.data.Dataset:
        """Batches of (images, labels) of worker `shard[0]` of `shard[1]`, one size."""

    def validation(self, shard: Shard = (0, 1)) -> tf.data.Dataset:
        """Batches of (images, labels); each example with one worker alone."""


TrainDataset = tf.data.Dataset | Callable[[int], tf.data.Dataset] | ShardedData
ValidationDataset = tf.data.Dataset | ShardedData


def training_dataset(
    source: TrainDataset, epoch: int, start_step: int = 0, shard: Shard = (0, 1)
) -> tf.data.Dataset:
    """A worker's part of the training data of an epoch.

    Args:
        source: What the user gave.
        epoch: From 0 on.
        start_step: How many batches are left out at the beginning.
        shard: (index, number) of this worker. Where the source does not know shards,
            each worker prepares all batches and takes its rows.
    """
    if isinstance(source, ShardedData):
        return source.train(epoch, start_step, shard)
    dataset = source if isinstance(source, tf.data.Dataset) else source(epoch)
    if start_step:
        dataset = dataset.skip(start_step)
    return _rows_of(dataset, shard)


def _rows_of(dataset: tf.data.Dataset, shard: Shard) -> tf.data.Dataset:
    """The rows of each batch that belong to a worker."""
    index, count = shard
    if count == 1:
        return dataset

    def rows(*batch: tf.Tensor) -> tuple[tf.Tensor, ...]:
        size = batch[0].shape[0] // count
        return tuple(part[index * size : (index + 1) * size] for part in batch)

    return dataset.map(rows)


def distribute_training(
    source: TrainDataset, epoch: int, start_step: int, strategy: tf.distribute.Strategy
) -> Iterator:
    """An iterator over the batches of an epoch, a part of each for each replica."""

    def per_replica(context: tf.distribute.InputContext) -> tf.data.Dataset:
        shard = (context.input_pipeline_id, context.num_input_pipelines)
        dataset = training_dataset(source, epoch, start_step, shard)
        return _split(dataset, context)

    return iter(strategy.distribute_datasets_from_function(per_replica))


class ValidationBatches:
    """Batches of (images, labels, weights) for every replica, again and again.

    Where there are several replicas, short batches are padded with examples of weight
    0 to the size of the data's batches (or of the first one, where that is not known),
    rounded up to a multiple of the replicas.

    Args:
        source: What the user gave.
        strategy: The strategy of the evaluation.
    """

    def __init__(
        self, source: ValidationDataset, strategy: tf.distribute.Strategy
    ) -> None:
        self.source = source
        self.strategy = strategy
        self._size: int | None = None

    def __iter__(self) -> Iterator:
        return iter(self.strategy.distribute_datasets_from_function(self._part))

    def _part(self, context: tf.distribute.InputContext) -> tf.data.Dataset:
        index, workers = context.input_pipeline_id, context.num_input_pipelines
        replicas = context.num_replicas_in_sync
        if isinstance(self.source, ShardedData):
            replicas //= workers
            dataset = self.source.validation((index, workers))
            # Not the first batch's size: images that cannot be used are left out.
            largest = self.source.batch_size // workers
        else:
            dataset, largest = self.source, None
        if context.num_replicas_in_sync == 1:
            return weighted(dataset)
        if self._size is None:
            if largest is None:
                largest = next((len(images) for images, _ in dataset.take(1)), 1)
            self._size = -(-largest // replicas) * replicas
        dataset = weighted(dataset, self._size)
        if not isinstance(self.source, ShardedData):
            dataset = _rows_of(dataset, (index, workers))
        return _split(dataset, context)


def _split(
    dataset: tf.data.Dataset, context: tf.distribute.InputContext
) -> tf.data.Dataset:
    """Cuts a worker's batches into those of its replicas."""
    replicas = context.num_replicas_in_sync // context.num_input_pipelines
    if replicas == 1:
        return dataset
    size = dataset.element_spec[0].shape[0]
    return dataset.rebatch(size // replicas, drop_remainder=True)


def check_training_dataset(dataset: Any, replicas: int, accumulation: int = 1) -> None:
    """Checks that a data set gives (images, labels) that split evenly.

    Raises:
        ValueError: It does not.
    """
    check_pairs(dataset, "train_dataset")
    size = dataset.element_spec[0].shape[0]
    parts = replicas * accumulation
    if parts > 1 and (size is None or size % parts):
        pieces = f" and accumulation={accumulation}" if accumulation > 1 else ""
        raise ValueError(
            f"With {replicas} replicas{pieces} the training batches must have one size "
            f"(batch(..., drop_remainder=True)) that {parts} divides. "
            f"Received: {'batches of varying size' if size is None else size}"
        )


def check_pairs(dataset: Any, name: str) -> None:
    """Checks that a data set gives batches of (images, labels).

    Raises:
        ValueError: It does not.
    """
    if not isinstance(dataset, tf.data.Dataset):
        raise ValueError(f"{name} must be a tf.data.Dataset. Received: {dataset!r}")
    spec = dataset.element_spec
    pair = isinstance(spec, tuple) and len(spec) == 2
    if not pair or not all(isinstance(part, tf.TensorSpec) for part in spec):
        raise ValueError(
            f"{name} must give pairs of an image batch and a label batch. "
            f"Received: {spec}"
        )
    if spec[1].shape.rank not in (1, 2):
        raise ValueError(
            f"The labels of {name} must be [batch] whole numbers or [batch, classes] "
            f"shares. Received: shape {spec[1].shape}"
        )


def steps_in(dataset: tf.data.Dataset, given: int | None) -> int:
    """The number of steps of an epoch: the given one, or the data set's own.

    Raises:
        ValueError: Neither is known, or `given` is below 1 or more than there are.
    """
    known = int(dataset.cardinality())
    if given is None:
        if known < 0:
            raise ValueError(
                "The length of train_dataset is not known, so steps_per_epoch must be "
                "given. Received: steps_per_epoch=None"
            )
        given = known
    if given < 1 or (known >= 0 and given > known):
        raise ValueError(
            f"An epoch must have at least one step, and at most the {known} batches "
            f"that train_dataset has. Received: {given}"
            if known >= 0
            else f"steps_per_epoch must be at least 1. Received: {given}"
        )
    return given


def weighted(dataset: tf.data.Dataset, size: int | None = None) -> tf.data.Dataset:
    """Gives every example of an evaluation data set the weight 1.

    Args:
        dataset: Batches of (images, labels).
        size: Shorter batches are padded to so many examples, with weight 0; None for
            no padding.

    Returns:
        Batches of (images, labels, weights).
    """

    def with_weights(images: tf.Tensor, labels: tf.Tensor) -> tuple:
        return images, labels, tf.ones(tf.shape(images)[:1])

    if size is None:
        return dataset.map(with_weights)

    def pad(tensor: tf.Tensor) -> tf.Tensor:
        missing = size - tf.shape(tensor)[0]
        tf.debugging.assert_non_negative(
            missing, "No validation batch may be larger than the first."
        )
        edges = [[0, missing]] + [[0, 0]] * (tensor.shape.rank - 1)
        padded = tf.pad(tensor, edges)
        return tf.ensure_shape(padded, [size, *tensor.shape[1:]])

    def padded(images: tf.Tensor, labels: tf.Tensor) -> tuple:
        return tuple(pad(part) for part in with_weights(images, labels))

    return dataset.map(padded)
