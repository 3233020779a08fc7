"""What the first bytes of an image file say: its kind, and how large it will be.

Looked up in tables, by a few operations on whole vectors: with some for every byte,
most of what the graphs of a pipeline hold, and of the time to build them, was here.
"""

import numpy as np
import tensorflow as tf

MOST_PIXELS = 2**27  # 11,585 x 11,585: more would take 400 MB for one image

_HEADER = 32  # bytes: the longest of these headers ends at the 30th


def within_limits(encoded: tf.Tensor) -> tf.Tensor:
    """Gives `encoded` back, or fails where it would take more than `MOST_PIXELS`."""
    fits = tf.reduce_prod(picture_size(encoded)) <= MOST_PIXELS
    with tf.control_dependencies([ensure(fits, "too many pixels")]):
        return tf.identity(encoded)


def picture_size(encoded: tf.Tensor) -> tf.Tensor:
    """Height and width that a file announces, int64 `(2,)`.

    Args:
        encoded: The bytes of a JPEG, PNG, GIF, BMP or WebP file.

    Returns:
        (height, width); zeros for other files, of which nothing is known.

    Raises:
        tf.errors.InvalidArgumentError: A JPEG's header is damaged.
    """
    return tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: tf.cast(tf.image.extract_jpeg_shape(encoded)[:2], tf.int64),
        lambda: _other_size(encoded),
    )


def first_bytes(encoded: tf.Tensor, count: int = _HEADER) -> tf.Tensor:
    """The first bytes of a file, uint8 `(count,)`, with zeros after its end."""
    return tf.io.decode_raw(encoded, tf.uint8, fixed_length=count)


def patterns(*kinds: tuple[tuple, ...]) -> np.ndarray:
    """What `first_match` looks for.

    Args:
        *kinds: For each kind of file parts, all of which must be there: the place of
            the first byte, the bytes, and which of their bits count (by default all).

    Returns:
        uint8 `(kinds + 1, 2, 32)`, masks and values; the last one matches everything.
    """
    found = np.zeros((len(kinds) + 1, 2, _HEADER), np.uint8)
    for parts, row in zip(kinds, found[:-1], strict=True):
        for at, text, *mask in parts:
            row[0, at : at + len(text)] = mask or 255
            row[1, at : at + len(text)] = list(text)
    return found


def first_match(data: tf.Tensor, kinds: np.ndarray) -> tf.Tensor:
    """The number of the first of the patterns that `first_bytes` match, int32."""
    same = tf.bitwise.bitwise_and(data, kinds[:, 0]) == kinds[:, 1]
    return tf.argmax(tf.reduce_all(same, 1), output_type=tf.int32)


def weights(at: int, count: int = 4, size: int = _HEADER) -> np.ndarray:
    """What the first `size` bytes count in the number of `count` bytes at `at`."""
    found = np.zeros(size, np.int64)
    found[at : at + count] = 256 ** np.arange(count)
    return found


def numbers(data: tf.Tensor, each: tf.Tensor | np.ndarray) -> tf.Tensor:
    """The numbers, int64 `(n,)`, that bytes are by `weights`, `(n, bytes)`."""
    return tf.reduce_sum(tf.cast(data, tf.int64) * each, 1)


def ensure(condition: tf.Tensor, message: str) -> tf.Operation | None:
    """`tf.debugging.Assert` without the branches that it has in a graph."""
    return tf.raw_ops.Assert(condition=condition, data=[message])


def _side(
    at: int,
    count: int,
    *,
    big: bool = False,
    shift: int = 0,
    bits: int = 32,
    plus: int = 0,
    signed: bool = False,
) -> list[int]:
    """A height or a width in a header: weights, shift, mask, summand, wrap-around."""
    found = weights(at, count)
    if big:
        found[at : at + count] = found[at : at + count][::-1].copy()
    return [*found, shift, 2**bits - 1, plus, 2**32 if signed else 2**62]


_KINDS = patterns(
    ((0, b"\x89PNG"),),
    ((0, b"GIF8"),),
    ((0, b"BM"),),
    ((12, b"VP8X"),),
    ((12, b"VP8L"),),
    ((12, b"VP8 "),),
)
_SIDES = np.array(
    [
        [_side(20, 4, big=True), _side(16, 4, big=True)],
        [_side(8, 2), _side(6, 2)],
        [_side(22, 4, signed=True), _side(18, 4)],  # negative from top to bottom
        [_side(27, 3, plus=1), _side(24, 3, plus=1)],
        [_side(21, 4, shift=14, bits=14, plus=1), _side(21, 4, bits=14, plus=1)],
        [_side(28, 2, bits=14), _side(26, 2, bits=14)],
        [_side(0, 0), _side(0, 0)],
    ]
)


def _other_size(encoded: tf.Tensor) -> tf.Tensor:
    data = first_bytes(encoded)
    sides = tf.gather(_SIDES, first_match(data, _KINDS))
    shift, mask, plus, around = tf.unstack(sides[:, _HEADER:], axis=1)
    number = tf.bitwise.right_shift(numbers(data, sides[:, :_HEADER]), shift)
    number = tf.bitwise.bitwise_and(number, mask) + plus
    return tf.minimum(number, around - number)
