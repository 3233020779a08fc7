"""What happens to pixels: crops, augmentation and resizing, with tf.image.

Randomness is drawn apart from being used: the `draw_*` functions are pure functions
of a stateless seed, the others take what was drawn. Functions that say `images` work
on whole batches, which is several times cheaper than one image at a time.
"""

import tensorflow as tf

from keras_regnet.data.image_files import DCT, decode, to_channels

# One generator everywhere: "auto_select" may pick another one on another device.
GENERATOR = "philox"
_TRIES = 10


def fold(seed: tf.Tensor, data: int | tf.Tensor) -> tf.Tensor:
    """Derives a new stateless seed, `(2,)`, from `seed` and a number."""
    return tf.random.fold_in(seed, tf.cast(data, tf.int64))


def stream(seed: tf.Tensor, number: int) -> tf.Tensor:
    """The seed of another draw for the same example: cheaper than `fold`.

    Philox scrambles its seeds, so that neighbours have nothing in common.
    """
    seed = tf.convert_to_tensor(seed)
    return seed + tf.constant((number, 0), seed.dtype)


def draw_offsets(seed: tf.Tensor, count: int | tf.Tensor, pad: int) -> tf.Tensor:
    """Draws `(count, 2)` offsets (down, right), uniform in 0..2 `pad`, int32."""
    return tf.random.stateless_uniform(
        (count, 2), seed, 0, 2 * pad + 1, tf.int32, GENERATOR
    )


def pad_crop(images: tf.Tensor, offsets: tf.Tensor, pad: int) -> tf.Tensor:
    """Pads `pad` zeros on each side and cuts the old size out at `offsets`.

    Args:
        images: `(n, height, width, channels)`, any dtype.
        offsets: int32 `(n, 2)`, down and right, in 0..2 `pad`.
        pad: Pixels on each side. An offset of `pad` is the unmoved image.

    Returns:
        Images of the same shape and dtype.
    """
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    padded = tf.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    rows = offsets[:, :1] + tf.range(height)
    columns = offsets[:, 1:] + tf.range(width)
    cut = tf.gather(padded, rows, axis=1, batch_dims=1)
    cut = tf.gather(cut, columns, axis=2, batch_dims=1)
    return tf.ensure_shape(cut, images.shape)


def draw_flips(seed: tf.Tensor, count: int | tf.Tensor) -> tf.Tensor:
    """Draws `(count,)` booleans, each true with probability one half."""
    return tf.random.stateless_uniform((count,), seed, alg=GENERATOR) < 0.5


def flip(images: tf.Tensor, flips: tf.Tensor) -> tf.Tensor:
    """Mirrors those images of a batch, left to right, for which `flips` is true."""
    if images.shape[0] == 1:  # a third of the time
        dims = tf.constant((False, False, True, False)) & flips[0]
        return tf.raw_ops.Reverse(tensor=images, dims=dims)
    return tf.where(flips[:, None, None, None], tf.reverse(images, [2]), images)


def draw_crops(
    seed: tf.Tensor,
    count: int | tf.Tensor,
    height: int | tf.Tensor,
    width: int | tf.Tensor,
    area: tuple[float, float],
    aspect: tuple[float, float],
) -> tf.Tensor:
    """Draws the boxes of random-resized-crops.

    The rule is torchvision's: the area is uniform, the aspect ratio log-uniform, the
    first of ten tries that fits is taken, and if none fits the largest centred box of
    a permitted ratio. (`tf.image.stateless_sample_distorted_bounding_box` has a
    uniform height instead, hence smaller crops on average.)

    Args:
        seed: int32 `(2,)`.
        count: How many boxes.
        height: Of the images, in pixels.
        width: Of the images, in pixels.
        area: Least and greatest share of the image's area.
        aspect: Least and greatest ratio of width to height.

    Returns:
        int32 `(count, 4)`: top, left, height, width.
    """
    height, width = tf.cast(height, tf.float32), tf.cast(width, tf.float32)
    draws = tf.random.stateless_uniform((count, 2 * _TRIES + 2), seed, alg=GENERATOR)
    shares, ratios, corners = tf.split(draws, (_TRIES, _TRIES, 2), axis=1)
    share = area[0] + shares * (area[1] - area[0])
    log_least, log_most = tf.math.log(aspect[0]), tf.math.log(aspect[1])
    ratio = tf.exp(log_least + ratios * (log_most - log_least))
    pixels = share * height * width
    # From here on the last axis is height and width.
    whole = tf.stack((height, width))
    tries = tf.round(tf.sqrt(tf.stack((pixels / ratio, pixels * ratio), axis=-1)))
    fits = tf.reduce_all((tries >= 1) & (tries <= whole), axis=-1)
    first = tf.argmax(fits, axis=1)  # the first true one
    found = tf.reduce_any(fits, axis=1, keepdims=True)
    own = tf.clip_by_value(width / height, aspect[0], aspect[1])
    spare = tf.round(tf.stack((width / own, height * own)))
    spare = tf.maximum(1.0, tf.minimum(whole, spare))
    sides = tf.where(found, tf.gather(tries, first, batch_dims=1), spare)
    room = whole - sides
    start = tf.where(found, tf.floor(corners * (room + 1)), room // 2)
    # A float32 draw of 1 - 2^-24 times a large side may round up to the side itself.
    start = tf.minimum(start, room)
    return tf.cast(tf.concat((start, sides), axis=1), tf.int32)


def crop_and_resize(images: tf.Tensor, boxes: tf.Tensor, size: int) -> tf.Tensor:
    """Cuts a box out of each image of a batch and resizes it bilinearly.

    Args:
        images: `(n, height, width, channels)`.
        boxes: int32 `(n, 4)`: top, left, height, width.
        size: Height and width of the result.

    Returns:
        float32 `(n, size, size, channels)`. Pixel centres are at halves, as in
        `tf.image.resize`; at the edge of a box its neighbours are looked at.
    """
    # crop_and_resize samples from corner to corner of a box given in units of
    # (length - 1). One pixel of padding keeps half a pixel outside from being zero.
    images = tf.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), "SYMMETRIC")
    last = tf.cast(tf.shape(images)[1:3] - 1, tf.float32)
    start = tf.cast(boxes[:, :2], tf.float32)
    length = tf.cast(boxes[:, 2:], tf.float32)
    low = (start + 1.0 + 0.5 * length / size - 0.5) / last
    high = (start + 1.0 + length - 0.5 * length / size - 0.5) / last
    corners = tf.concat((low, high), axis=1)
    which = tf.range(tf.shape(images)[0])
    return tf.image.crop_and_resize(images, corners, which, (size, size))


def resize(images: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Resizes whole images bilinearly to float32, smoothed where they shrink."""
    old = images.shape[-3:-1]
    if tuple(old) == (height, width):
        return tf.cast(images, tf.float32)
    shrinks = None in old or old[0] > height or old[1] > width
    return tf.image.resize(images, (height, width), antialias=shrinks)


def normalize(
    images: tf.Tensor, mean: tuple[float, ...], std: tuple[float, ...]
) -> tf.Tensor:
    """Maps 0..255 to (x / 255 - mean) / std, per channel; the width must be static."""
    width, channels = images.shape[-2:]
    # Whole rows at once: three times as fast as along the short axis of channels.
    scale = tf.constant([1 / (255 * s) for s in std] * width, tf.float32)
    shift = [m / s for m, s in zip(mean, std, strict=True)]
    rows = tf.cast(tf.reshape(images, (-1, width * channels)), tf.float32)
    rows = rows * scale - tf.constant(shift * width, tf.float32)
    return tf.reshape(rows, tf.shape(images))


def add(images: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Adds a number to each channel of each image.

    Args:
        images: float32 `(n, height, width, channels)`, static but for n.
        values: float32 `(n, channels)`.
    """
    height, width, channels = images.shape[1:]
    rows = tf.reshape(images, (-1, height, width * channels))
    rows += tf.tile(values, (1, width))[:, None]
    return tf.reshape(rows, (-1, height, width, channels))


def to_uint8(images: tf.Tensor) -> tf.Tensor:
    """Rounds float32 images of 0..255."""
    if images.dtype == tf.uint8:
        return images
    return tf.cast(images + 0.5, tf.uint8)


def decode_random_crop(
    encoded: tf.Tensor,
    seed: tf.Tensor,
    size: int,
    area: tuple[float, float],
    aspect: tuple[float, float],
    channels: int = 3,
) -> tf.Tensor:
    """A random-resized-crop of an encoded image, decoding no more than the crop.

    Args:
        encoded: The bytes of an image file.
        seed: int32 `(2,)`.
        size: Height and width of the result.
        area: See `draw_crops`.
        aspect: See `draw_crops`.
        channels: 1 or 3.

    Returns:
        float32 `(size, size, channels)`, 0..255. Smoothed where the crop has more
        than four times the result's pixels, in a JPEG by decoding it at a half, a
        quarter or an eighth of its size.
    """

    def box_in(shape: tf.Tensor) -> tf.Tensor:
        height, width, _ = tf.unstack(shape)
        return tf.squeeze(draw_crops(seed, 1, height, width, area, aspect), 0)

    def jpeg() -> tf.Tensor:
        box = box_in(tf.image.extract_jpeg_shape(encoded))
        cropped = tf.reduce_prod(tf.cast(box[2:], tf.float32))

        def at(ratio: int) -> tf.Tensor:
            window = tf.maximum(box // ratio, (0, 0, 1, 1))
            return tf.io.decode_and_crop_jpeg(
                encoded, window, channels=3, ratio=ratio, dct_method=DCT
            )

        steps = tf.constant([(ratio * size) ** 2 for ratio in (2, 4, 8)], tf.float32)
        halvings = tf.reduce_sum(tf.cast(cropped > steps, tf.int32))
        crop = tf.switch_case(halvings, [lambda r=r: at(r) for r in (1, 2, 4, 8)])
        return tf.image.resize(to_channels(crop, channels), (size, size))

    def other() -> tf.Tensor:
        image = decode(encoded, channels)
        box = box_in(tf.shape(image))
        begin, shape = tf.pad(box[:2], [[0, 1]]), tf.concat((box[2:], [-1]), 0)
        crop = tf.slice(image, begin, shape)
        return tf.cond(
            tf.reduce_prod(box[2:]) > 4 * size**2,
            lambda: tf.image.resize(crop, (size, size), antialias=True),
            lambda: tf.image.resize(crop, (size, size)),
        )

    crop = tf.cond(tf.io.is_jpeg(encoded), jpeg, other)
    return tf.ensure_shape(crop, (size, size, channels))


def centre_crop(images: tf.Tensor, size: int) -> tf.Tensor:
    """Cuts `(size, size)` out of the middle of `(..., height, width, channels)`."""
    top = (tf.shape(images)[-3] - size) // 2
    left = (tf.shape(images)[-2] - size) // 2
    return images[..., top : top + size, left : left + size, :]


def resize_and_crop(images: tf.Tensor, size: int, fraction: float) -> tf.Tensor:
    """The customary evaluation of large images.

    The shorter side is resized (bilinear, smoothed) to `size / fraction`, rounded, and
    the middle is cut out.

    Args:
        images: `(..., height, width, channels)`, all of one size.
        size: Height and width of the result.
        fraction: The result's share of the resized image's shorter side.

    Returns:
        float32 `(..., size, size, channels)`, 0..255.
    """
    shorter = max(size, round(size / fraction))
    sides = tf.cast(tf.shape(images)[-3:-1], tf.float32)
    new = tf.round(sides * (shorter / tf.reduce_min(sides)))
    # A strip of 1 x 5000 pixels must not become one of 256 x 1,280,000.
    new = tf.minimum(tf.cast(new, tf.int32), 16 * shorter)
    cropped = centre_crop(tf.image.resize(images, new, antialias=True), size)
    return tf.ensure_shape(cropped, (*images.shape[:-3], size, size, images.shape[-1]))


def decode_centre_crop(
    encoded: tf.Tensor, size: int, fraction: float, channels: int = 3
) -> tf.Tensor:
    """`resize_and_crop` of an encoded image: float32 `(size, size, channels)`."""
    return resize_and_crop(decode(encoded, channels), size, fraction)
