"""The ways in which a part of a data set is held: decoded in memory, or encoded.

An epoch's order is a pure function of its seed in all of them, and where each worker
reads records of its own, of the number of workers.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import tensorflow as tf

from keras_regnet.data.portions import Portion
from keras_regnet.data.problems import reason_for_file
from keras_regnet.data.rows import unconverted


@dataclass(frozen=True)
class ArraySplit:
    """Images that are decoded once, on first use, and kept in memory.

    Attributes:
        size: The number of images.
        load: Gives the images, uint8 `(size, height, width, channels)`, and the
            labels, int32 `(size,)`.
        name: What the part is called.
    """

    size: int
    load: Callable[[], tuple[np.ndarray, np.ndarray]] = field(repr=False)
    name: str = "train"

    @cached_property
    def tensors(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Images and labels on the host, whatever the strategy and the devices."""
        images, labels = self.load()
        # init_scope: the first use may be inside somebody's tf.function.
        with tf.init_scope(), tf.device("/CPU:0"):
            return tf.constant(images, tf.uint8), tf.constant(labels, tf.int32)

    def batches(
        self, order_seed: Sequence[int] | None, portion: Portion
    ) -> tf.data.Dataset:
        """Gives (number of the batch, (uint8 images, int32 labels)).

        Args:
            order_seed: Determines the order; None keeps the stored one.
            portion: Which batches and rows. The last batch may be short.
        """
        images, labels = self.tensors
        rows_of = _rows(self.size, order_seed, portion)

        @unconverted
        def batch(step: tf.Tensor) -> tuple:
            rows = rows_of(step)
            return step, (tf.gather(images, rows), tf.gather(labels, rows))

        return portion.steps().map(batch, num_parallel_calls=tf.data.AUTOTUNE)

    def all_labels(self) -> np.ndarray:
        """The label of every image."""
        return self.tensors[1].numpy()

    def names(
        self, order_seed: Sequence[int] | None, portion: Portion
    ) -> tuple[str, ...]:
        """The names of the images of the first batch: their places as stored."""
        rows = _rows(self.size, order_seed, portion)(portion.start)
        return tuple(f"{self.name}[{row}]" for row in rows.numpy())


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

    @property
    def types(self) -> tuple[tf.DType, ...]:
        """Of what `read` takes."""
        return tf.string, tf.int32

    @cached_property
    def tensors(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Paths and labels."""
        paths = [os.fsencode(path) for path in self.paths]
        with tf.init_scope(), tf.device("/CPU:0"):
            return tf.constant(paths), tf.constant(self.labels, tf.int32)

    def fields(
        self, order_seed: Sequence[int] | None, portion: Portion
    ) -> tf.data.Dataset:
        """Gives (number of the batch, what `read` takes for each of its rows)."""
        paths, labels = self.tensors
        rows_of = _rows(self.size, order_seed, portion)

        @unconverted
        def batch(step: tf.Tensor) -> tuple:
            rows = rows_of(step)
            return step, (tf.gather(paths, rows), tf.gather(labels, rows))

        return portion.steps().map(batch)

    def all_labels(self) -> np.ndarray:
        """The label of every image."""
        return np.asarray(self.labels, np.int32)

    def read(self, path: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Gives the bytes of an image and its label, in a graph."""
        return tf.io.read_file(path), label

    def name(self, path: bytes, _: int) -> str:
        """The file."""
        return os.fsdecode(path)

    def reason(self, path: bytes, _: int) -> str:
        """Why an image cannot be used, or empty."""
        return reason_for_file(os.fsdecode(path))


@dataclass(frozen=True)
class RecordSplit:
    """A part of a data set that is streamed from record files.

    Attributes:
        size: The number of images.
        shuffle_buffer: Images in the buffer that is shuffled after the files are.
        types: Of the tuples of scalars that are examples here.
        open: Gives the examples `start` to `stop` as stored, for a shuffle seed, or in
            a fixed order for None. Deterministic.
        read: Makes the bytes of an image and its label of an example, in a graph.
        name: Makes the name of an image of an example, in Python.
        reason: Says why an image cannot be used, likewise; empty if it can.
    """

    size: int
    shuffle_buffer: int
    types: tuple[tf.DType, ...] = field(repr=False)
    open: Callable[[int | None, int, int], tf.data.Dataset] = field(repr=False)
    read: Callable[..., tuple[tf.Tensor, tf.Tensor]] = field(repr=False)
    name: Callable[..., str] = field(repr=False)
    reason: Callable[..., str] = field(repr=False)

    def fields(
        self, order_seed: Sequence[int] | None, portion: Portion
    ) -> tf.data.Dataset:
        """Gives (number of the batch, what `read` takes for each of its rows).

        Each worker reads records of its own, as many as the others, give or take one.
        In training all batches are full. Otherwise a worker with less to read ends with
        an empty batch, so that it has as many as the others.
        """
        start, stop = portion.part_of(self.size)
        size, steps = portion.size, portion.stop - portion.start
        if order_seed is None:
            batches = self.open(None, start, stop).batch(size)
            empty = tf.data.Dataset.from_tensors(
                tuple(tf.zeros(0, dtype) for dtype in self.types)
            )
            batches = batches.concatenate(empty.repeat())
            batches = batches.skip(portion.start).take(steps)
            return portion.numbered(batches)
        if portion.count > 1:
            order_seed = (*order_seed, portion.index, portion.count)
        seed = int(np.random.SeedSequence(order_seed).generate_state(1)[0])
        dataset = self.open(seed, start, stop)
        buffer = min(self.shuffle_buffer, stop - start)
        dataset = dataset.shuffle(buffer, seed, reshuffle_each_iteration=False)
        first, repeats = portion.start * size, portion.repeats
        if repeats > 1:
            dataset = dataset.skip(first // repeats).flat_map(
                lambda *example: tf.data.Dataset.from_tensors(example).repeat(repeats)
            )
            first %= repeats
        dataset = dataset.skip(first).take(steps * size)
        return portion.numbered(dataset.batch(size, drop_remainder=True))

    def all_labels(self) -> np.ndarray:
        """The label of every image; all records are read for it."""

        @unconverted
        def label(*example: tf.Tensor) -> tf.Tensor:
            return self.read(*example)[1]

        labels = self.open(None, 0, self.size).map(
            label, num_parallel_calls=tf.data.AUTOTUNE
        )
        return np.fromiter(labels.as_numpy_iterator(), np.int32)


EncodedSplit = FileSplit | RecordSplit
Split = ArraySplit | EncodedSplit


def order_of(size: int, seed: Sequence[int] | None, repeats: int = 1) -> np.ndarray:
    """The order of an epoch: a permutation of 0..size-1, or the identity for None.

    With `repeats` each comes so many times in a row, and the order ends at `size`
    nevertheless, as in torchvision's sampler for repeated augmentation.
    """
    order = np.arange(size)
    if seed is not None:
        order = np.random.default_rng(seed).permutation(size)
    return np.repeat(order, repeats)[:size]


def _rows(
    size: int, order_seed: Sequence[int] | None, portion: Portion
) -> Callable[[tf.Tensor | int], tf.Tensor]:
    """Gives a function from the number of a batch to the images in it, by number."""
    with tf.device("/CPU:0"):
        order = tf.constant(order_of(size, order_seed, portion.repeats))

    def rows(step: tf.Tensor | int) -> tf.Tensor:
        begin = tf.cast(step, tf.int64) * portion.batch_size
        return order[begin + portion.rows.start : begin + portion.rows.stop]

    return rows
