"""Decoding that goes on where an image cannot be used.

Only tf.data can catch an error, with `ignore_errors`. A batch is decoded at once; if
that fails, its rows are decoded one by one, so that the bad ones are known. Good
batches cost no more for it.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_regnet.data.picture_sizes import within_limits
from keras_regnet.data.problems import Problems
from keras_regnet.data.rows import RowFunction, unconverted
from keras_regnet.data.splits import EncodedSplit
from keras_regnet.data.transforms import fold

Fields = tuple[tf.Tensor, ...]


def row_function(
    split: EncodedSplit, decode: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
) -> RowFunction:
    """Traces what happens to one image; once for all epochs, since it takes a while.

    Args:
        split: Reads the bytes of an image and its label.
        decode: Makes an image of its bytes and its place in the epoch's random
            stream, an int32 seed `(2,)`.

    Returns:
        A function of (row, place, seed of the epoch, fields of the row) to (row, image,
        label). It fails where the image is bad.
    """

    def one(
        row: tf.Tensor, place: tf.Tensor, seed: tf.Tensor, *fields: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        encoded, label = split.read(*fields)
        image = decode(within_limits(encoded), fold(seed, place))
        return row, image, label

    number = tf.TensorSpec((), tf.int64)
    fields = (tf.TensorSpec((), dtype) for dtype in split.types)
    return RowFunction(one, (number, number, tf.TensorSpec((2,), tf.int32), *fields))


def decode_batches(
    dataset: tf.data.Dataset,
    one: RowFunction,
    seed: np.ndarray,
    first_place: Callable[[tf.Tensor], tf.Tensor],
    own: slice | None = None,
) -> tf.data.Dataset:
    """Decodes batches as far as they can be.

    Args:
        dataset: Gives (number of the batch, fields of each row).
        one: What `row_function` gave.
        seed: int32 `(2,)`, of the epoch.
        first_place: The place in the epoch of a batch's first row, by its number.
        own: The rows that are wanted. The others are decoded only where one of these
            is bad. None for all.

    Returns:
        (number of the batch, rows that are there, their images and labels, fields).
    """

    def rows(step: tf.Tensor, fields: Fields) -> list[tf.Tensor]:
        count = tf.size(fields[0], tf.int64)
        numbers = tf.range(count)
        seeds = tf.broadcast_to(seed, (count, 2))
        return [numbers, first_place(step) + numbers, seeds, *fields]

    @unconverted
    def at_once(*parts: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return tuple(one.map([part[own] for part in parts] if own else parts))

    @unconverted
    def each(step: tf.Tensor, fields: Fields) -> tf.data.Dataset:
        parts = tuple(rows(step, fields))
        attempt = tf.data.Dataset.from_tensors(parts).map(at_once).ignore_errors()
        singly = tf.data.Dataset.from_tensor_slices(parts)
        singly = singly.map(one.one, num_parallel_calls=tf.data.AUTOTUNE)
        singly = singly.ignore_errors().batch(
            tf.maximum(tf.size(parts[0], tf.int64), 1)
        )
        nothing = tf.data.Dataset.from_tensors(
            tuple(tf.zeros((0, *spec.shape), spec.dtype) for spec in one.specs)
        )
        found = attempt.concatenate(singly).concatenate(nothing).take(1)
        batch = tf.data.Dataset.from_tensors((step, fields))
        return tf.data.Dataset.zip(batch, found)

    # Two at a time, so that the threads have work at the end of a batch. Unlike a map,
    # interleave prepares the functions within once for all batches.
    return dataset.interleave(
        each, cycle_length=2, num_parallel_calls=2, deterministic=True
    )


def fill(
    kept: tf.Tensor, images: tf.Tensor, labels: tf.Tensor, fields: Fields, own: slice
) -> tuple[tf.Tensor, tf.Tensor, tuple[tf.Tensor, Fields]]:
    """Puts in the place of each bad image the nearest good one before it in the batch.

    For the first ones, the last ones are before them. Every image keeps its place.

    Args:
        kept: int64, the rows that are there, increasing.
        images: Their images.
        labels: Their labels.
        fields: Those of all rows.
        own: The rows that are wanted.

    Returns:
        Images and labels of the rows `own`, and what was lost: whether there was no
        good image at all (all are black then), and the fields of the bad rows.
    """
    hopeless = tf.size(kept) == 0

    def none_lost() -> tuple:
        return images, labels, tuple(field[:0] for field in fields)

    def some_lost() -> tuple:
        # Where there is nothing at all, something black stands before every row.
        missing = [[0, tf.cast(hopeless, tf.int32)]]
        there = tf.pad(kept, missing, constant_values=-1)
        wanted = tf.range(own.start, own.stop, dtype=tf.int64)
        before = tf.searchsorted(there, wanted, side="right") - 1
        before = tf.where(before < 0, tf.size(there) - 1, before)
        bad = tf.boolean_mask(wanted, tf.gather(there, before) != wanted)
        return (
            tf.gather(tf.pad(images, missing + [[0, 0]] * 3), before),
            tf.gather(tf.pad(labels, missing), before),
            tuple(tf.gather(field, bad) for field in fields),
        )

    # They increase.
    complete = (
        (tf.size(kept) == own.stop - own.start)
        & (tf.reduce_min(kept) == own.start)
        & (tf.reduce_max(kept) == own.stop - 1)
    )
    images, labels, lost = tf.cond(complete, none_lost, some_lost)
    return images, labels, (hopeless, lost)


def leave_out(kept: tf.Tensor, fields: Fields) -> tuple[tf.Tensor, Fields]:
    """What was lost of a batch that may become shorter.

    Returns:
        As `fill`; a batch of which nothing is left is no error here.
    """
    there = tf.scatter_nd(
        kept[:, None], tf.ones_like(kept), tf.shape(fields[0], tf.int64)
    )
    lost = tf.squeeze(tf.where(there == 0), 1)
    return tf.constant(False), tuple(tf.gather(field, lost) for field in fields)


def tell(
    dataset: tf.data.Dataset,
    problems: Problems,
    name: Callable[..., str],
    reason: Callable[..., str],
) -> tf.data.Dataset:
    """Tells `problems` what was lost, and takes that out of the elements.

    Args:
        dataset: Gives (number of the batch, images, labels, what was lost).
        problems: The record.
        name: Makes an image's name of its fields.
        reason: Says why an image cannot be used.

    Returns:
        Gives (images, labels).
    """

    def remember(hopeless: tf.Tensor, *fields: tf.Tensor) -> None:
        for example in zip(*(field.numpy().tolist() for field in fields), strict=True):
            why = reason(*example) or "it could not be read or does not fit"
            problems.add(name(*example), why)
        if hopeless:
            raise problems.fail(
                "No image of a whole batch can be used. Received: "
                + ", ".join(problems.names[-3:])
            )

    @unconverted
    def told(_: tf.Tensor, images: tf.Tensor, labels: tf.Tensor, lost: tuple) -> tuple:
        hopeless, fields = lost

        def now() -> tf.Tensor:
            with tf.control_dependencies(
                [tf.py_function(remember, [hopeless, *fields], [])]
            ):
                return tf.constant(True)

        tf.cond(tf.size(fields[0]) > 0, now, lambda: tf.constant(False))
        return images, labels

    return dataset.map(told)
