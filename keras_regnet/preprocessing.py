"""What must happen to pixels before a network, and what its outputs mean."""

from collections.abc import Sequence
from typing import Any

import keras

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Mean of ImageNet's training pixels, red, green, blue, on a scale of 0 to 1."""

IMAGENET_STD = (0.229, 0.224, 0.225)
"""Standard deviation of the same, on the same scale. Not the variance."""


def channel_statistics(channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """ImageNet's mean and standard deviation for a number of channels.

    Args:
        channels: With 3, those of red, green and blue. Otherwise every channel gets
            their average, as is customary for grey images.
    """
    if channels == 3:
        return IMAGENET_MEAN, IMAGENET_STD
    mean, std = sum(IMAGENET_MEAN) / 3, sum(IMAGENET_STD) / 3
    return (round(mean, 6),) * channels, (round(std, 6),) * channels


def normalization_layer(
    mean: Sequence[float],
    std: Sequence[float],
    name: str = "preprocessing",
) -> keras.layers.Layer:
    """A layer that maps pixels of 0 to 255 to `(pixels / 255 - mean) / std`.

    Args:
        mean: Per channel, on a scale of 0 to 1.
        std: Standard deviation per channel, on a scale of 0 to 1.
        name: Of the layer.

    Returns:
        A layer for images of any size, `(..., channels)`; it computes in float32.
    """
    return keras.layers.Rescaling(
        scale=[1.0 / (255.0 * value) for value in std],
        offset=[-a / b for a, b in zip(mean, std, strict=True)],
        dtype="float32",
        name=name,
    )


def decode_predictions(predictions: Any, top: int = 5) -> list[list[tuple]]:
    """The most probable ImageNet classes of each row of probabilities.

    The names come from the file `imagenet_class_index.json`, which Keras downloads
    once, checks against its checksum, and keeps in its cache folder.

    Args:
        predictions: Array of shape `(batch, 1000)`.
        top: How many classes of each row.

    Returns:
        For each row a list of `(WordNet id, name, probability)`.
    """
    return keras.applications.imagenet_utils.decode_predictions(predictions, top=top)
