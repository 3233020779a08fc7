"""Operations that move pixels: shear, shift and rotation.

As in `photometric` they take batches, uint8 `(n, height, width, channels)`, and one
number for each image. What comes from outside is `fill`. Points are named as Pillow
and torchvision name them: the middle of the first pixel is (0.5, 0.5), shears keep
the upper left corner of the image in place, rotations its middle.
"""

import tensorflow as tf


def shear_x(
    images: tf.Tensor, slopes: tf.Tensor, interpolation: str, fill: int
) -> tf.Tensor:
    """Moves each row to the left by `slopes` pixels for each row above it."""
    one, zero = tf.ones_like(slopes), tf.zeros_like(slopes)
    rows = (one, slopes, slopes / 2, zero, one, zero)
    return _transform(images, rows, interpolation, fill)


def shear_y(
    images: tf.Tensor, slopes: tf.Tensor, interpolation: str, fill: int
) -> tf.Tensor:
    """Moves each column up by `slopes` pixels for each column left of it."""
    one, zero = tf.ones_like(slopes), tf.zeros_like(slopes)
    rows = (one, zero, zero, slopes, one, slopes / 2)
    return _transform(images, rows, interpolation, fill)


def translate_x(
    images: tf.Tensor, pixels: tf.Tensor, interpolation: str, fill: int
) -> tf.Tensor:
    """Moves to the right by `pixels`."""
    one, zero = tf.ones_like(pixels), tf.zeros_like(pixels)
    rows = (one, zero, -pixels, zero, one, zero)
    return _transform(images, rows, interpolation, fill)


def translate_y(
    images: tf.Tensor, pixels: tf.Tensor, interpolation: str, fill: int
) -> tf.Tensor:
    """Moves down by `pixels`."""
    one, zero = tf.ones_like(pixels), tf.zeros_like(pixels)
    rows = (one, zero, zero, zero, one, -pixels)
    return _transform(images, rows, interpolation, fill)


def rotate(
    images: tf.Tensor, degrees: tf.Tensor, interpolation: str, fill: int
) -> tf.Tensor:
    """Turns counter-clockwise about the middle by `degrees`."""
    angle = degrees * (3.141592653589793 / 180)
    cos, sin = tf.cos(angle), tf.sin(angle)
    y, x = (images.shape[1] - 1) / 2, (images.shape[2] - 1) / 2
    rows = (cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y)
    return _transform(images, rows, interpolation, fill)


def _transform(
    images: tf.Tensor, rows: tuple[tf.Tensor, ...], interpolation: str, fill: int
) -> tf.Tensor:
    """Takes each pixel from where a matrix sends its place, (x, y), to.

    Args:
        images: uint8 `(n, height, width, channels)`.
        rows: The two rows of the matrix, six times `(n,)`, for the numbers of pixels,
            which are their middles less a half.
        interpolation: `"nearest"` or `"bilinear"`.
        fill: Value of what lies outside.
    """
    zero = tf.zeros_like(rows[0])
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack((*rows, zero, zero), axis=1),
        output_shape=images.shape[1:3],
        fill_value=float(fill),
        interpolation=interpolation.upper(),
        fill_mode="CONSTANT",
    )
