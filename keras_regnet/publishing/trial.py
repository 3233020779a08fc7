"""Batches of images on which an exported network is compared with its Keras model."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from keras_regnet.layers.composite import all_layers
from keras_regnet.preprocessing import PixelNormalization
from keras_regnet.publishing.agreement import Agreement, compare, together
from keras_regnet.publishing.endings import image_model

BATCHES = (1, 2, 5)
"""Images in the batches that are tried."""

# Where the size is free: one that all strides divide, and one that none does.
_SIZES = ((96, 96), (107, 75))


def takes_pixels(model: keras.Model) -> bool:
    """Whether the model normalises pixels of 0 to 255 itself."""
    return any(
        isinstance(layer, PixelNormalization) and layer.applied
        for layer in all_layers(model)
    )


def batches(model: keras.Model) -> Iterator[np.ndarray]:
    """Random images as the model takes them: several batch sizes and, if free, sizes.

    Yields:
        float32 `(batch, height, width, channels)`: whole numbers of 0 to 255 where the
        model normalises them itself, otherwise of the standard normal distribution.
    """
    rng = np.random.default_rng(0)
    height, width, channels = image_model(model)
    pixels = takes_pixels(model)
    sizes = _SIZES if None in (height, width) else ((height, width),)
    for rows, columns in sizes:
        for batch in BATCHES:
            shape = (batch, height or rows, width or columns, channels)
            if pixels:
                yield rng.integers(0, 256, shape).astype(np.float32)
            else:
                yield rng.standard_normal(shape, dtype=np.float32)


def keras_outputs(model: keras.Model, images: np.ndarray) -> Any:
    """What the model gives in inference: arrays, in the structure of its output."""
    return keras.tree.map_structure(
        keras.ops.convert_to_numpy, model(images, training=False)
    )


def try_out(
    run: Callable[[np.ndarray], Any], model: keras.Model, images: Any = None
) -> Agreement:
    """Compares an exported network with the model on several batches.

    Args:
        run: Gives the exported network's outputs for a batch.
        model: The reference.
        images: Batches; random ones by default.
    """
    return together(
        compare(run(batch), keras_outputs(model, batch))
        for batch in (batches(model) if images is None else images)
    )
