"""What every export of a network begins with."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import keras

from keras_regnet.layers import SqueezeExcite
from keras_regnet.layers.composite import all_layers
from keras_regnet.publishing.copying import functional, in_float32, set_form
from keras_regnet.publishing.endings import image_model, output_names, with_ending
from keras_regnet.publishing.fusion import fuse

_MOST_BYTES = 2**31 - 2**25  # with room for the graph


class Prepared(NamedTuple):
    """A network that is to be converted.

    Attributes:
        size: Height, width and channels of its images; None where any will do.
        reference: What the file is compared with: the network in float32.
        names: Of its outputs.
        network: What is converted: the same with the batch normalisations folded.
    """

    size: tuple[int | None, int | None, int]
    reference: keras.Model
    names: Mapping[str, str] | str
    network: keras.Model


def prepare(model: keras.Model, activation: str | None) -> Prepared:
    """Makes the forms of a network that an export needs.

    Args:
        model: A built functional or sequential Keras model.
        activation: What a classifier ends in; None for what it ends in already.

    Raises:
        ValueError: The model cannot be exported.
    """
    model = functional(model)
    size = image_model(model)
    check_size(model)
    reference = with_ending(in_float32(model), activation)
    network = with_ending(fuse(model, dtype="float32"), activation)
    return Prepared(size, reference, output_names(reference), network)


def check_size(model: keras.Model) -> None:
    """Refuses what no file of ONNX or LiteRT can hold.

    Raises:
        ValueError: The model has too many numbers.
    """
    numbers = sum(math.prod(variable.shape) for variable in model.variables)
    if 4 * numbers > _MOST_BYTES:
        raise ValueError(
            "Files of ONNX and LiteRT have a limit of 2 GB; publish() has none. "
            f"Received: {model.name!r} with {numbers:,} numbers of 4 bytes"
        )


def set_export_form(network: keras.Model) -> None:
    """Lets a network be traced with one operation for each of its convolutions."""
    set_form(network, "inference")
    for layer in all_layers(network):
        if isinstance(layer, SqueezeExcite):
            layer.as_convolutions = True


def check_target(path: Path, suffix: str, exporter: str) -> None:
    """Refuses, before minutes of work, a file that could not be written.

    Args:
        path: Of the file.
        suffix: What it must end in.
        exporter: The function that is to write it.

    Raises:
        ValueError: The path, or the backend, is another.
    """
    if path.suffix != suffix:
        raise ValueError(f"`path` must end in '{suffix}'. Received: path={str(path)!r}")
    if not path.parent.is_dir():
        raise ValueError(
            f"The folder of `path` must exist. Received: path={str(path)!r}"
        )
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"{exporter} needs the TensorFlow backend (KERAS_BACKEND=tensorflow). "
            f"Received: {keras.backend.backend()}"
        )
