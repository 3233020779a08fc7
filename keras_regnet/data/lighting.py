"""Noise along the principal components of ImageNet's colours."""

import numpy as np
import tensorflow as tf

from keras_regnet.data.transforms import GENERATOR

# Of the colours of ImageNet's pixels (red, green, blue) on a scale of 0 to 1, as they
# were published with AlexNet and are used by pycls; a vector in each column.
_EIGENVALUES = (0.2175, 0.0188, 0.0045)
_EIGENVECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)


def draw_lighting(seed: tf.Tensor, count: int, std: float) -> tf.Tensor:
    """Draws what AlexNet's colour augmentation adds to each image.

    Args:
        seed: int32 `(2,)`.
        count: How many images.
        std: Of the weights of the three components; AlexNet's is 0.1.

    Returns:
        float32 `(count, 3)`, to be added to all pixels, on a scale of 0 to 255. The
        sum is not cut off at the ends of the scale.
    """
    weights = tf.random.stateless_normal((count, 3), seed, 0.0, std, alg=GENERATOR)
    axes = 255 * np.array(_EIGENVECTORS) * np.array(_EIGENVALUES)
    return tf.linalg.matmul(weights, axes.astype(np.float32), transpose_b=True)
