"""The pixels of image files, as Pillow has them, with TensorFlow operations alone.

One decoder for training, evaluation, prediction and exported graphs. An orientation
that a camera noted in a file is not applied, as in timm and torchvision.
"""

import numpy as np
import tensorflow as tf

from keras_regnet.data.picture_sizes import (
    ensure,
    first_bytes,
    first_match,
    numbers,
    patterns,
    weights,
)

DCT = "INTEGER_ACCURATE"  # Pillow's; TensorFlow's default is coarser
_BGR_MASKS = (0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0)  # of red, green and blue
_KINDS = patterns(
    ((0, b"\xff\xd8\xff"),),
    ((0, b"\x89PNG"), (24, b"\x10")),  # 16 bits
    ((0, b"BM"),),
    ((12, b"VP8L"), (24, b"\x10", 0x10)),  # WebP with opacity: a lossless one,
    ((12, b"VP8X"), (20, b"\x10", 0x10)),  # and an extended one
)
_BMP_HEADER = 66  # bytes
_BMP_NUMBERS = np.array(
    [
        weights(at, count, _BMP_HEADER)
        for at, count in (
            (10, 4),  # where the pixels begin
            (14, 4),  # bytes of the second header
            (18, 4),  # width
            (22, 4),  # height
            (28, 2),  # bits of a pixel
            (30, 4),  # compression
            (46, 4),  # colours of the palette
        )
    ]
)


def decode(encoded: tf.Tensor, channels: int = 3) -> tf.Tensor:
    """Decodes a JPEG, PNG, BMP, WebP or GIF (first frame).

    Every pixel is Pillow's, except that 16 bits are scaled by 1/257 and rounded, and
    that CMYK is mixed by TensorFlow, which differs by at most 1. Opacity is left out.

    Args:
        encoded: The bytes of an image file; a string scalar.
        channels: 1 or 3. Colours become grey by Pillow's formula.

    Returns:
        uint8 `(height, width, channels)`.

    Raises:
        tf.errors.InvalidArgumentError: The file is damaged or of another kind.
    """
    way = tf.gather((0, 1, 2, 3, 3, 4), first_match(first_bytes(encoded), _KINDS))
    image = tf.switch_case(
        way,
        [
            lambda: _jpeg(encoded),
            lambda: _png16(encoded),
            lambda: _bmp(encoded),
            lambda: _any(encoded, 4)[..., :3],
            lambda: _any(encoded),
        ],
    )
    return to_channels(tf.ensure_shape(image, (None, None, 3)), channels)


def to_channels(image: tf.Tensor, channels: int) -> tf.Tensor:
    """uint8 colours as they are, or as grey by Pillow's formula (ITU-R 601-2)."""
    if channels == 3:
        return image
    red, green, blue = tf.unstack(tf.cast(image, tf.int32), axis=-1)
    grey = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) // 0x10000
    return tf.cast(grey, tf.uint8)[..., None]


def _any(encoded: tf.Tensor, channels: int = 3) -> tf.Tensor:
    return tf.io.decode_image(encoded, channels, expand_animations=False)


def _jpeg(encoded: tf.Tensor) -> tf.Tensor:
    return tf.io.decode_jpeg(encoded, 3, dct_method=DCT)


def _png16(encoded: tf.Tensor) -> tf.Tensor:
    image = tf.cast(tf.io.decode_png(encoded, 3, tf.uint16), tf.int32)
    return tf.cast((image + 128) // 257, tf.uint8)


def _bmp(encoded: tf.Tensor) -> tf.Tensor:
    # In graphs a call: all this would be most of every decoder's graph.
    eager = tf.executing_eagerly()
    return _read_bmp.python_function(encoded) if eager else _read_bmp(encoded)


@tf.function(input_signature=[tf.TensorSpec((), tf.string)], autograph=False)
def _read_bmp(encoded: tf.Tensor) -> tf.Tensor:
    """TensorFlow knows no palettes and looks at no compression."""
    head = first_bytes(encoded, _BMP_HEADER)
    begin, size, width, height, bits, compression, colours = tf.unstack(
        numbers(head, _BMP_NUMBERS)
    )
    masks = tf.reduce_all(head[54:] == tf.constant(_BGR_MASKS, tf.uint8))
    plain = (size >= 40) & (
        (compression == 0) & tf.reduce_any(bits == [1, 4, 8, 24, 32])
        | (compression == 3) & (bits == 32) & masks
    )
    text = "A BMP must have 1, 4, 8, 24 or 32 bits without compression"
    with tf.control_dependencies([ensure(plain, text)]):
        bits = tf.identity(bits)

    def with_palette() -> tf.Tensor:
        data = tf.io.decode_raw(encoded, tf.uint8)
        upwards = height < 2**31
        rows = tf.where(upwards, height, 2**32 - height)
        stride = (width * bits + 31) // 32 * 4
        packed = tf.reshape(data[begin : begin + rows * stride], (rows, stride, 1))
        shifts = tf.range(8 - bits, -1, -bits, tf.int64)
        places = tf.bitwise.right_shift(packed, tf.cast(shifts, tf.uint8))
        places = tf.cast(places, tf.int32) % tf.cast(2**bits, tf.int32)
        places = tf.reshape(places, (rows, -1))[:, :width]
        used = tf.where(colours > 0, colours, 2**bits)
        start = 14 + size
        palette = tf.reshape(data[start : start + 4 * used], (-1, 4))[:, 2::-1]
        image = tf.gather(palette, places)
        dims = tf.stack((upwards, False, False))
        return tf.raw_ops.Reverse(tensor=image, dims=dims)

    return tf.cond(bits <= 8, with_palette, lambda: _any(encoded))
