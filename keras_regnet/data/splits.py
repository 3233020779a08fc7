"""The two ways in which a part of a data set is held: decoded in memory, or encoded.

An epoch's order is a pure function of its seed in both.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class ArraySplit:
    """Images that are decoded once, on first use, and kept in memory.

    Attributes:
        size: The number of images.
        load: Gives the images, uint8 `(size, height, width, channels)`, and the
            labels, int32 `(size,)`.
    """

    size: int
    load: Callable[[], tuple[np.ndarray, np.ndarray]] = field(repr=False)

    @cached_property
    def tensors(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Images and labels on the host, whatever the strategy and the devices."""
        images, labels = self.load()
        # init_scope: the first use may be inside somebody's tf.function.
        with tf.init_scope(), tf.device("/CPU:0"):
            return tf.constant(images, tf.uint8), tf.constant(labels, tf.int32)

    def batches(
        self,
        order_seed: Sequence[int] | None,
        batch_size: int,
        start: int,
        steps: int,
        repeats: int = 1,
    ) -> tf.data.Dataset:
        """Gives batches of (uint8 images, int32 labels).

        Args:
            order_seed: Determines the order; None keeps the stored one.
            batch_size: Images in a batch; the last one may be short.
            start: How many batches to leave out at the beginning.
            steps: The number of the batch to stop before.
            repeats: How many times each image comes in a row.
        """
        images, labels = self.tensors
        order = order_of(self.size, order_seed, repeats)
        order = order[start * batch_size : steps * batch_size]
        return (
            tf.data.Dataset.from_tensor_slices(order)
            .batch(batch_size)
            .map(
                lambda rows: (tf.gather(images, rows), tf.gather(labels, rows)),
                num_parallel_calls=tf.data.AUTOTUNE,
            )
        )


@dataclass(frozen=True)
class FileSplit:
    """Image files that are read anew in each epoch.

    Attributes:
        paths: The files.
        labels: int32, one for each.
    """

    paths: tuple[str, ...] = field(repr=False)
    labels: tuple[int, ...] = field(repr=False)

    @property
    def size(self) -> int:
        """The number of images."""
        return len(self.paths)

    def encoded(
        self,
        order_seed: Sequence[int] | None,
        start: int,
        stop: int,
        repeats: int = 1,
    ) -> tf.data.Dataset:
        """Gives (bytes, int32 label) for the images `start`..`stop` of the order.

        With `repeats` each image comes so many times in a row.
        """
        order = order_of(self.size, order_seed, repeats)[start:stop]
        paths = np.asarray([os.fsencode(path) for path in self.paths], dtype=object)
        labels = np.asarray(self.labels, np.int32)
        return tf.data.Dataset.from_tensor_slices((paths[order], labels[order])).map(
            lambda path, label: (tf.io.read_file(path), label),
            num_parallel_calls=tf.data.AUTOTUNE,
        )


@dataclass(frozen=True)
class RecordSplit:
    """A part of a TFDS data set, streamed from its record files.

    Attributes:
        size: The number of images.
        shuffle_buffer: Images in the buffer that is shuffled after the files are.
        open: Gives a dataset of {"image": bytes, "label": int} for a shuffle seed, or
            in the stored order for None. Deterministic.
    """

    size: int
    shuffle_buffer: int
    open: Callable[[int | None], tf.data.Dataset] = field(repr=False)

    def encoded(
        self,
        order_seed: Sequence[int] | None,
        start: int,
        stop: int,
        repeats: int = 1,
    ) -> tf.data.Dataset:
        """Gives (bytes, int32 label) for the images `start`..`stop` of the order.

        With `repeats` each image comes so many times in a row.
        """
        if order_seed is None:
            dataset = self.open(None)
        else:
            seed = int(np.random.SeedSequence(order_seed).generate_state(1)[0])
            dataset = self.open(seed)
            buffer = min(self.shuffle_buffer, self.size)
            dataset = dataset.shuffle(buffer, seed, reshuffle_each_iteration=False)
        if repeats > 1:
            dataset = dataset.skip(start // repeats).flat_map(
                lambda example: tf.data.Dataset.from_tensors(example).repeat(repeats)
            )
            start, stop = start % repeats, stop - start + start % repeats
        dataset = dataset.skip(start).take(stop - start)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(stop - start))
        return dataset.map(_bytes_and_label, num_parallel_calls=tf.data.AUTOTUNE)


Split = ArraySplit | FileSplit | RecordSplit


def _bytes_and_label(example: dict[str, Any]) -> tuple[tf.Tensor, tf.Tensor]:
    return example["image"], tf.cast(example["label"], tf.int32)


def order_of(size: int, seed: Sequence[int] | None, repeats: int = 1) -> np.ndarray:
    """The order of an epoch: a permutation of 0..size-1, or the identity for None.

    With `repeats` each comes so many times in a row, and the order ends at `size`
    nevertheless, as in torchvision's sampler for repeated augmentation.
    """
    order = np.arange(size)
    if seed is not None:
        order = np.random.default_rng(seed).permutation(size)
    return np.repeat(order, repeats)[:size]
