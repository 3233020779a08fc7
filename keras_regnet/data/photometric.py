"""Operations on the values of pixels, which leave every pixel where it is.

All take whole batches, uint8 `(n, height, width, channels)` with 1 or 3 channels, and
where they have a strength one number for each image, float32 `(n,)`. Meaning and
rounding are those of torchvision's `transforms.v2.functional` on tensors: products are
cut off, not rounded. The forms are chosen for TensorFlow on a CPU, where a product
with a vector along the last, short axis costs three times that along whole rows, and
`tf.where` on uint8 ten times a bitwise operation.
"""

from collections.abc import Callable

import tensorflow as tf

_GREY = (0.2989, 0.587, 0.114)  # shares of red, green and blue in the brightness


def invert(images: tf.Tensor) -> tf.Tensor:
    """The negative: 255 - x."""
    return tf.bitwise.invert(images)


def posterize(images: tf.Tensor, bits: tf.Tensor) -> tf.Tensor:
    """Keeps the `bits` highest of the 8 bits, 0 to 8."""
    low = tf.bitwise.left_shift(1, 8 - tf.cast(bits, tf.int32)) - 1
    mask = tf.bitwise.invert(tf.cast(low, tf.uint8))
    return tf.bitwise.bitwise_and(images, _each(mask))


def solarize(images: tf.Tensor, thresholds: tf.Tensor) -> tf.Tensor:
    """Inverts the pixels of at least `thresholds`, 0 to 256."""
    least = tf.math.ceil(thresholds)
    reached = images >= _each(tf.cast(tf.minimum(least, 255.0), tf.uint8))
    flips = tf.where(least > 255, tf.constant(0, tf.uint8), tf.constant(255, tf.uint8))
    return tf.bitwise.bitwise_xor(images, tf.cast(reached, tf.uint8) * _each(flips))


def solarize_add(images: tf.Tensor, amounts: tf.Tensor) -> tf.Tensor:
    """Adds `amounts`, 0 to 128, to the pixels below 128."""
    below = tf.cast(images < 128, tf.uint8)
    return images + below * _each(tf.cast(amounts, tf.uint8))


def brightness(images: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Multiplies by `factors`, of at least 0."""
    return _cut(tf.cast(images, tf.float32) * _each(factors))


def saturation(images: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Moves away from the grey image by `factors`: 0 is grey, 1 the image itself.

    Images of one channel are grey already.
    """
    if images.shape[-1] == 1:
        return images
    images = tf.cast(images, tf.float32)
    return _blend(images, tf.floor(_grey(images, 3)), factors)


def contrast(images: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Moves away from the image's mean brightness by `factors`: 0 is all of it."""
    images = tf.cast(images, tf.float32)
    grey = images if images.shape[-1] == 1 else tf.floor(_grey(images, 1))
    return _blend(images, tf.reduce_mean(grey, (1, 2, 3), keepdims=True), factors)


def sharpness(images: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Moves away from a smoothed image by `factors`: 0 is smooth, 1 the image itself.

    Each pixel is smoothed with weight 5 of 13, its eight neighbours with 1 each. The
    pixels at the edge stay as they are, and with them images of up to two pixels.
    """
    if min(images.shape[1:3]) <= 2:
        return images
    images = tf.cast(images, tf.float32)
    inner = images[:, 1:-1, 1:-1]
    mean = tf.nn.avg_pool2d(images, 3, 1, "VALID")
    smooth = tf.round(mean * (9 / 13) + inner * (4 / 13))
    change = tf.pad(smooth - inner, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return _cut(images + change * _each(1.0 - factors))


def autocontrast(images: tf.Tensor) -> tf.Tensor:
    """Stretches each channel to 0..255; one of a single value stays as it is."""
    height, width, channels = images.shape[1:]
    rows = tf.cast(tf.reshape(images, (-1, height, width * channels)), tf.float32)

    def extreme(reduce: Callable[..., tf.Tensor]) -> tf.Tensor:
        found = tf.reshape(reduce(rows, 1), (-1, width, channels))
        return reduce(found, 1)

    low, high = extreme(tf.reduce_min), extreme(tf.reduce_max)
    flat = low == high
    scale = tf.where(flat, 1.0, (high - low) * tf.constant(1 / 255, tf.float32))
    low = tf.where(flat, 0.0, low)
    stretched = (rows - _along_rows(low, width)) / _along_rows(scale, width)
    return tf.reshape(_cut(stretched), (-1, height, width, channels))


def equalize(images: tf.Tensor) -> tf.Tensor:
    """Makes the histogram of each channel as even as a table of values can."""
    height, width, channels = images.shape[1:]
    # Each channel of each image has 256 places of its own.
    tables = tf.shape(images)[0] * channels
    first = tf.reshape(tf.range(tables) * 256, (-1, channels))
    rows = tf.cast(tf.reshape(images, (-1, height, width * channels)), tf.int32)
    places = rows + _along_rows(first, width)
    bins = tables * 256
    histogram = tf.math.bincount(tf.reshape(places, (-1,)), None, bins, bins)
    histogram = tf.reshape(histogram, (-1, 256))
    total = tf.cumsum(histogram, axis=1)
    # All pixels but those of the greatest value are spread over 255 steps.
    last = tf.argmax(total, axis=1)[:, None]
    spread = height * width - tf.gather(histogram, last, batch_dims=1)
    step = spread // 255
    before = total - histogram
    table = tf.minimum((before + step // 2) // tf.maximum(step, 1), 255)
    table = tf.cast(tf.where(step == 0, tf.range(256), table), tf.uint8)
    equal = tf.gather(tf.reshape(table, (-1,)), places)
    return tf.reshape(equal, (-1, height, width, channels))


def _each(values: tf.Tensor) -> tf.Tensor:
    """One number for each image, `(n,)`, in a shape that meets `(n, h, w, c)`."""
    return values[:, None, None, None]


def _along_rows(values: tf.Tensor, width: int) -> tf.Tensor:
    """Numbers for each image and channel, `(n, c)`, as `(n, 1, width * c)`."""
    return tf.tile(values, (1, width))[:, None]


def _grey(images: tf.Tensor, channels: int) -> tf.Tensor:
    """The brightness of coloured float32 images, in so many equal channels."""
    weights = tf.constant([[share] * channels for share in _GREY], tf.float32)
    grey = tf.linalg.matmul(tf.reshape(images, (-1, 3)), weights)
    return tf.reshape(grey, (-1, *images.shape[1:3], channels))


def _blend(images: tf.Tensor, others: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    factors = _each(factors)
    return _cut(images * factors + others * (1.0 - factors))


def _cut(images: tf.Tensor) -> tf.Tensor:
    """float32 to uint8, cut off at 0, at 255 and behind the point."""
    return tf.cast(tf.clip_by_value(images, 0.0, 255.0), tf.uint8)
