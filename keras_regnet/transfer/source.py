"""The pretrained network that fine-tuning begins with."""

import dataclasses
import hashlib
import os
import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import keras
import numpy as np

from keras_regnet.architecture import AnyNetParameters
from keras_regnet.data import ImageReader
from keras_regnet.models import arguments_of
from keras_regnet.preprocessing import PreprocessingSpec
from keras_regnet.publishing import read_metadata, reading
from keras_regnet.training.saved_run import image_reader, load_run
from keras_regnet.transfer.opening import published_folder

HEAD = "head_fc"


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """A pretrained network, and what is known about it.

    Attributes:
        origin: What it was opened by.
        model: The network.
        parameters: Its numbers.
        arguments: The further arguments of `AnyNet` that build an equal one.
        class_names: A name per class; None where they are not known.
    """

    origin: str
    model: keras.Model
    parameters: AnyNetParameters
    arguments: Mapping[str, Any]
    class_names: tuple[str, ...] | None = None

    @property
    def image_shape(self) -> tuple[int | None, int | None, int]:
        """(height, width, channels) of its images; None for any size."""
        return tuple(self.model.input_shape[1:])

    @property
    def image_size(self) -> int | None:
        """The side of its images, where they are square and of one size."""
        height, width, _ = self.image_shape
        return height if height == width else None

    @property
    def body(self) -> dict[str, keras.Variable]:
        """All weights but those of the classifier, by path."""
        return {
            variable.path: variable
            for variable in self.model.weights
            if variable.path.split("/")[0] != HEAD
        }

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the weights of the body: what a run must go on from."""
        digest = hashlib.sha256()
        for path, variable in sorted(self.body.items()):
            digest.update(path.encode())
            digest.update(np.ascontiguousarray(variable.numpy()).tobytes())
        return digest.hexdigest()


def open_source(name_or_path: str | os.PathLike[str]) -> Source:
    """Opens a pretrained network.

    Args:
        name_or_path: A run directory, a `.keras` file, or a published model: its name,
            or the path of its folder.

    Returns:
        The network.

    Raises:
        ValueError: There is no such network, or it is not one of this package's.
    """
    origin = os.fspath(name_or_path)
    folder = published_folder(name_or_path)
    if folder is None:
        run = load_run(name_or_path)
        model, names = run.model, run.class_names
        reader = image_reader(run) if run.data_config else None
    else:  # also one without a classifier
        known = read_metadata(folder)
        model = reading.build(folder, known, include_top=False)
        names, reader = known.class_names, ImageReader.from_dict(known.image)
    parameters, arguments = arguments_of(model)
    if not arguments.get("include_preprocessing"):
        found = arguments.get("preprocessing")
        arguments["preprocessing"] = _specification(origin, found, reader)
    return Source(origin, model, parameters, arguments, tuple(names) if names else None)


def _specification(
    origin: str, own: PreprocessingSpec | None, reader: ImageReader | None
) -> PreprocessingSpec | None:
    """What a network that does not normalise by itself expects of its images.

    Args:
        origin: Of the network, for the message.
        own: What the network says.
        reader: What was done with its images, where that is recorded.
    """
    if reader is not None and reader.normalized:
        return reader.specification
    if reader is not None:  # pixels of 0 to 255, which this leaves as they are
        side, channels = reader.height, reader.channels
        return PreprocessingSpec(
            side, side, mean=(0.0,) * channels, std=(1 / 255,) * channels
        )
    if own is None:
        warnings.warn(
            f"{origin} does not say how its images are normalised; ImageNet's mean and "
            "standard deviation are assumed.",
            stacklevel=3,
        )
    return own
