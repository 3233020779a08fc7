"""The pixels of image files, as Pillow has them, with TensorFlow operations alone.

One decoder for training, evaluation, prediction and exported graphs. An orientation
that a camera noted in a file is not applied, as in timm and torchvision.
"""

import tensorflow as tf

from keras_regnet.data.picture_sizes import head_of

DCT = "INTEGER_ACCURATE"  # Pillow's; TensorFlow's default is coarser
_BGR_MASKS = (0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0)  # of red, green and blue


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
    head = head_of(encoded)
    data = tf.io.decode_raw(head, tf.uint8)

    def starts(text: bytes, at: int = 0) -> tf.Tensor:
        return tf.strings.substr(head, at, len(text)) == text

    # Of a lossless WebP, and of an extended one.
    alpha = tf.where(starts(b"VP8L", 12), data[24], data[20]) & 16 > 0
    with_alpha = alpha & (starts(b"VP8L", 12) | starts(b"VP8X", 12))
    ways = [
        (tf.io.is_jpeg(encoded), _jpeg),
        (starts(b"\x89PNG") & (data[24] == 16), _png16),
        (starts(b"BM"), _bmp),
        (with_alpha, lambda each: _any(each, 4)[..., :3]),
    ]
    number = tf.constant(len(ways))
    for place, (matches, _) in reversed(list(enumerate(ways))):
        number = tf.where(matches, place, number)
    image = tf.switch_case(
        number,
        [lambda way=way: way(encoded) for _, way in ways] + [lambda: _any(encoded)],
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
    """TensorFlow knows no palettes and looks at no compression."""
    data = tf.io.decode_raw(encoded, tf.uint8)
    head = tf.cast(tf.pad(data[:66], [[0, 66]]), tf.int64)

    def number(at: int, count: int = 4) -> tf.Tensor:
        return sum(head[at + place] * 256**place for place in range(count))

    bits, compression = number(28, 2), number(30)
    masks = tf.reduce_all(head[54:66] == tf.constant(_BGR_MASKS, tf.int64))
    plain = (number(14) >= 40) & (
        (compression == 0) & tf.reduce_any(bits == [1, 4, 8, 24, 32])
        | (compression == 3) & (bits == 32) & masks
    )
    text = "A BMP must have 1, 4, 8, 24 or 32 bits without compression"
    with tf.control_dependencies([tf.debugging.Assert(plain, [text])]):
        bits = tf.identity(bits)

    def with_palette() -> tf.Tensor:
        begin, width, height = number(10), number(18), number(22)
        upwards = height < 2**31
        rows = tf.where(upwards, height, 2**32 - height)
        stride = (width * bits + 31) // 32 * 4
        packed = tf.reshape(data[begin : begin + rows * stride], (rows, stride, 1))
        shifts = tf.range(8 - bits, -1, -bits, tf.int64)
        places = tf.bitwise.right_shift(packed, tf.cast(shifts, tf.uint8))
        places = tf.cast(places, tf.int32) % tf.cast(2**bits, tf.int32)
        places = tf.reshape(places, (rows, -1))[:, :width]
        colours = tf.where(number(46) > 0, number(46), 2**bits)
        start = 14 + number(14)
        palette = tf.reshape(data[start : start + 4 * colours], (-1, 4))[:, 2::-1]
        image = tf.gather(palette, places)
        return tf.cond(upwards, lambda: tf.reverse(image, [0]), lambda: image)

    return tf.cond(bits <= 8, with_palette, lambda: _any(encoded))
