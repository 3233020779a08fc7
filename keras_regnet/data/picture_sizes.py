"""How large a picture will be, read off the first bytes of its file."""

import tensorflow as tf

MOST_PIXELS = 2**27  # 11,585 x 11,585: more would take 400 MB for one image

_HEADER = 32  # bytes: the longest of these headers ends at the 30th


def within_limits(encoded: tf.Tensor) -> tf.Tensor:
    """Gives `encoded` back, or fails where it would take more than `MOST_PIXELS`."""
    height, width = tf.unstack(picture_size(encoded))
    fits = height * width <= MOST_PIXELS
    with tf.control_dependencies([tf.debugging.Assert(fits, ["too many pixels"])]):
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


def head_of(encoded: tf.Tensor) -> tf.Tensor:
    """The first 32 bytes of a file, with zeros after the end of a shorter one."""
    start = tf.strings.substr(encoded, 0, _HEADER)
    return tf.strings.substr(tf.strings.join([start, bytes(_HEADER)]), 0, _HEADER)


def _other_size(encoded: tf.Tensor) -> tf.Tensor:
    head = head_of(encoded)
    data = tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int64)

    def starts(text: bytes, at: int = 0) -> tf.Tensor:
        return tf.strings.substr(head, at, len(text)) == text

    def little(at: int, count: int) -> tf.Tensor:
        return sum(data[at + place] * 256**place for place in range(count))

    def big(at: int) -> tf.Tensor:
        return sum(data[at + place] * 256 ** (3 - place) for place in range(4))

    def signed(value: tf.Tensor) -> tf.Tensor:  # a BMP's height is negative top-down
        return tf.abs(tf.where(value >= 2**31, value - 2**32, value))

    bits = little(21, 4)  # 14 of each in a lossless WebP
    sizes = [
        (starts(b"\x89PNG"), (big(20), big(16))),
        (starts(b"GIF8"), (little(8, 2), little(6, 2))),
        (starts(b"BM"), (signed(little(22, 4)), little(18, 4))),
        (starts(b"VP8X", 12), (little(27, 3) + 1, little(24, 3) + 1)),
        (starts(b"VP8L", 12), (bits // 2**14 % 2**14 + 1, bits % 2**14 + 1)),
        (starts(b"VP8 ", 12), (little(28, 2) % 2**14, little(26, 2) % 2**14)),
    ]
    found = tf.zeros(2, tf.int64)
    for matches, size in reversed(sizes):
        found = tf.where(matches, tf.stack(size), found)
    return found
