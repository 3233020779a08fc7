"""Images that set the ranges of 8-bit activations, and ranges that cannot be set."""

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np

from keras_regnet.layers import SqueezeExcite
from keras_regnet.layers.composite import all_layers
from keras_regnet.preprocessing import PixelNormalization
from keras_regnet.preprocessing.normalization import normalize

_SILENT = 1e-3  # of the largest magnitude before the ReLU


def image_batches(
    images: Any, size: tuple[int | None, int | None, int], name: str
) -> Iterator[np.ndarray]:
    """Batches of float32 images.

    Args:
        images: An array, which is cut into batches, or an iterable of batches.
        size: Height, width and channels that they must have; None for what is free.
        name: What they are for, for the messages.

    Raises:
        ValueError: There are none, or they are not as the model takes them.
    """
    if hasattr(images, "shape"):
        images = np.asarray(images)
        images = [images[start : start + 32] for start in range(0, len(images), 32)]
    found = False
    for batch in images:
        batch = np.asarray(batch)
        fits = batch.ndim == 4 and all(
            wanted in (None, given)
            for wanted, given in zip(size, batch.shape[1:], strict=True)
        )
        if not fits or not len(batch) or batch.dtype.kind not in "fiu":
            raise ValueError(
                f"The {name} images must be numbers of shape (batch, height, width, "
                f"channels) with {size} for the last three. Received: shape "
                f"{batch.shape}, {batch.dtype}"
            )
        found = True
        yield batch.astype(np.float32)
    if not found:
        raise ValueError(f"There must be {name} images. Received: none")


def check_useful(
    batches: list[np.ndarray], model: keras.Model, evaluated_on_others: bool
) -> None:
    """Refuses calibration images that cannot set ranges.

    Args:
        batches: The images.
        model: What they are for.
        evaluated_on_others: Whether other images will show what the ranges are worth.
            Otherwise these have to lie, and to spread, in the range of numbers that the
            model expects, if it says one.

    Raises:
        ValueError: They have values that are not finite, do not differ, or are scaled
            otherwise.
    """
    lowest = float(np.min([batch.min() for batch in batches]))  # NaN stays so
    highest = float(np.max([batch.max() for batch in batches]))
    received = f"Received: calibration images of {lowest:g} to {highest:g}"
    if not np.isfinite([lowest, highest]).all():
        raise ValueError(f"Calibration images must have finite numbers. {received}")
    first = batches[0][0]
    if lowest == highest or (
        sum(map(len, batches)) > 1 and all((batch == first).all() for batch in batches)
    ):
        raise ValueError(f"Calibration images must differ. {received}, all the same")
    low, high = expected_range(model) or (-np.inf, np.inf)
    slack, least = 0.05 * (high - low), (high - low) / 8
    known = np.isfinite(low) and not evaluated_on_others
    if known and (
        lowest < low - slack or highest > high + slack or highest - lowest < least
    ):
        raise ValueError(
            f"Calibration images must be as the model takes them, of {low:.3g} to "
            f"{high:.3g}, and spread over an eighth of that. {received}"
        )


def expected_range(model: keras.Model) -> tuple[float, float] | None:
    """The least and the greatest number of the images that a model says it expects."""
    for layer in all_layers(model):
        if isinstance(layer, PixelNormalization):
            if layer.applied:
                return 0.0, 255.0
            ends = np.array([[[0.0]], [[255.0]]]) + np.zeros(
                layer.specification.channels
            )
            found = keras.ops.convert_to_numpy(normalize(ends, layer.specification))
            return float(found.min()), float(found.max())
    return None


def give_silent_units_a_range(
    network: keras.Model, images: Iterable[np.ndarray]
) -> None:
    """Makes squeezes that are 0 for all images quantisable; changes the weights.

    A squeeze-and-excitation has few units, and trained networks have some where none
    ever fires. The range of its activations is then a point, and LiteRT's XNNPACK
    refuses to run a convolution of such a scale. Here its first unit becomes 1, and
    counts nothing in the excitation, so that the outputs for these images stay.

    Args:
        network: A copy that is exported afterwards.
        images: Batches, as the network takes them.
    """
    units = [each for each in all_layers(network) if isinstance(each, SqueezeExcite)]
    largest = {id(unit): (0.0, 0.0) for unit in units}

    def recorder(unit: SqueezeExcite, activation: Any) -> Any:
        def record(values: Any) -> Any:
            outputs = activation(values)
            seen = float(keras.ops.max(outputs)), float(keras.ops.max(abs(values)))
            largest[id(unit)] = tuple(map(max, largest[id(unit)], seen))
            return outputs

        return record

    activations = [unit.fc1.activation for unit in units]
    try:
        for unit, activation in zip(units, activations, strict=True):
            unit.fc1.activation = recorder(unit, activation)
        for batch in images:
            network(batch, training=False)
    finally:
        for unit, activation in zip(units, activations, strict=True):
            unit.fc1.activation = activation
    for unit in units:
        after, before = largest[id(unit)]
        if after <= _SILENT * before:
            squeeze, bias = unit.fc1.get_weights()
            squeeze[..., 0], bias[0] = 0.0, 1.0
            unit.fc1.set_weights([squeeze, bias])
            excitation, bias = unit.fc2.get_weights()
            excitation[:, :, 0] = 0.0
            unit.fc2.set_weights([excitation, bias])
