"""Data sets as the loop wants them: split over replicas, every example counted once."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

TrainDataset = tf.data.Dataset | Callable[[int], tf.data.Dataset]


def training_dataset(source: TrainDataset, epoch: int) -> tf.data.Dataset:
    """The training data of an epoch (counted from 0)."""
    return source if isinstance(source, tf.data.Dataset) else source(epoch)


def check_training_dataset(dataset: Any, replicas: int) -> None:
    """Checks that a data set gives (images, labels) that split evenly.

    Raises:
        ValueError: It does not.
    """
    check_pairs(dataset, "train_dataset")
    size = dataset.element_spec[0].shape[0]
    if replicas > 1 and (size is None or size % replicas):
        raise ValueError(
            f"With {replicas} replicas the training batches must have one size "
            f"(batch(..., drop_remainder=True)) that {replicas} divides. "
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


def weighted(dataset: tf.data.Dataset, replicas: int) -> tf.data.Dataset:
    """Gives every example of an evaluation data set the weight 1.

    Under several replicas short batches are padded to the size of the first one,
    rounded up to a multiple of the replicas, with examples of weight 0.

    Args:
        dataset: Batches of (images, labels), none larger than the first.
        replicas: Number of replicas.

    Returns:
        Batches of (images, labels, weights).
    """

    def with_weights(images: tf.Tensor, labels: tf.Tensor) -> tuple:
        return images, labels, tf.ones(tf.shape(images)[:1])

    if replicas == 1:
        return dataset.map(with_weights)
    size = None
    for images, _ in dataset.take(1):
        size = -(-images.shape[0] // replicas) * replicas
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
