"""Colour jitter: brightness, contrast and saturation by random factors."""

import itertools

import numpy as np
import tensorflow as tf

from keras_regnet.data import photometric
from keras_regnet.data.operations import apply
from keras_regnet.data.transforms import GENERATOR

_KINDS = (photometric.brightness, photometric.contrast, photometric.saturation)


def draw_jitter(
    seed: tf.Tensor, count: int, strength: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws the factors, and in which order they are applied.

    As torchvision's `ColorJitter(strength, strength, strength)`.

    Args:
        seed: int32 `(2,)`.
        count: How many images.
        strength: The factors are uniform in 1 - `strength` (at least 0) to
            1 + `strength`.

    Returns:
        The factors of brightness, contrast and saturation, float32 `(count, 3)`, and
        the order of the three, int32 `(count, 3)`.
    """
    draws = tf.random.stateless_uniform((count, 4), seed, alg=GENERATOR)
    least = max(0.0, 1.0 - strength)
    factors = least + draws[:, :3] * (1.0 + strength - least)
    orders = np.array(list(itertools.permutations(range(len(_KINDS)))), np.int32)
    which = tf.cast(draws[:, 3] * len(orders), tf.int32)
    return factors, tf.gather(orders, tf.minimum(which, len(orders) - 1))


def colour_jitter(images: tf.Tensor, factors: tf.Tensor, order: tf.Tensor) -> tf.Tensor:
    """Changes brightness, contrast and saturation as drawn.

    Args:
        images: uint8 `(n, height, width, channels)`, static.
        factors: See `draw_jitter`.
        order: See `draw_jitter`.

    Returns:
        Images of the same shape.
    """
    for place in range(len(_KINDS)):
        kind = order[:, place]
        factor = tf.gather(factors, kind, batch_dims=1)
        images = apply(images, kind, factor, _KINDS)
    return images
