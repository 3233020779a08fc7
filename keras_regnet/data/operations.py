"""The operations of the augmentation policies by name, and how they are applied.

A magnitude is in the unit of its operation: pixels, degrees, bits, a threshold, or for
the four enhancements the difference of the factor from 1.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from keras_regnet.data import geometric, photometric

_Operation = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

_PHOTOMETRIC: dict[str, _Operation] = {
    "identity": lambda images, magnitudes: images,
    "brightness": lambda images, m: photometric.brightness(images, 1.0 + m),
    "color": lambda images, m: photometric.saturation(images, 1.0 + m),
    "contrast": lambda images, m: photometric.contrast(images, 1.0 + m),
    "sharpness": lambda images, m: photometric.sharpness(images, 1.0 + m),
    "posterize": photometric.posterize,
    "solarize": photometric.solarize,
    "solarize_add": photometric.solarize_add,
    "autocontrast": lambda images, magnitudes: photometric.autocontrast(images),
    "equalize": lambda images, magnitudes: photometric.equalize(images),
    "invert": lambda images, magnitudes: photometric.invert(images),
}
_GEOMETRIC = {
    "shear_x": geometric.shear_x,
    "shear_y": geometric.shear_y,
    "translate_x": geometric.translate_x,
    "translate_y": geometric.translate_y,
    "rotate": geometric.rotate,
}

OPERATIONS = (*_PHOTOMETRIC, *_GEOMETRIC)
"""Their names."""


def operation(name: str, interpolation: str = "nearest", fill: int = 0) -> _Operation:
    """A function of images, uint8 `(n, h, w, c)`, and magnitudes, float32 `(n,)`.

    Args:
        name: One of `OPERATIONS`.
        interpolation: `"nearest"` or `"bilinear"`.
        fill: What comes into the image from outside, 0 to 255.
    """
    if name in _PHOTOMETRIC:
        return _PHOTOMETRIC[name]
    move = _GEOMETRIC[name]
    return lambda images, m: move(images, m, interpolation, fill)


def apply(
    images: tf.Tensor,
    which: tf.Tensor,
    magnitudes: tf.Tensor,
    operations: Sequence[_Operation],
) -> tf.Tensor:
    """Applies to each image the operation drawn for it, and only that.

    Args:
        images: uint8 `(n, height, width, channels)`, height and width static.
        which: int32 `(n,)`, places in `operations`.
        magnitudes: float32 `(n,)`.
        operations: See `operation`.

    Returns:
        Images of the same shape.
    """
    if images.shape[0] == 1:
        branches = [lambda o=o: o(images, magnitudes) for o in operations]
        changed = tf.switch_case(which[0], branches)
        return tf.ensure_shape(changed, images.shape)
    # Sorting a batch by operation is much cheaper than a branch for each image.
    kinds = len(operations)
    places = tf.dynamic_partition(tf.range(tf.shape(images)[0]), which, kinds)
    changed = [
        one(tf.gather(images, place), tf.gather(magnitudes, place))
        for one, place in zip(operations, places, strict=True)
    ]
    return tf.ensure_shape(tf.dynamic_stitch(places, changed), images.shape)
