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
from keras_regnet.data import DataConfig
from keras_regnet.models import arguments_of
from keras_regnet.preprocessing import PreprocessingSpec
from keras_regnet.publishing import read_metadata, reading
from keras_regnet.training.saved_run import load_run
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
        model, names, data_config = run.model, run.class_names, run.data_config
    else:  # also one without a classifier
        known = read_metadata(folder)
        model = reading.build(folder, known, include_top=False)
        names, data_config = known.class_names, None
    parameters, arguments = arguments_of(model)
    if "preprocessing" not in arguments:
        arguments["preprocessing"] = _specification(origin, model, data_config)
    return Source(origin, model, parameters, arguments, tuple(names) if names else None)


def _specification(
    origin: str, model: keras.Model, config: DataConfig | None
) -> PreprocessingSpec | None:
    """What a network without a normalisation of its own expects of its images."""
    if config is not None and config.normalize:
        side = model.input_shape[1] or 224
        return PreprocessingSpec(side, side, mean=config.mean, std=config.std)
    warnings.warn(
        f"{origin} does not say how its images are normalised; ImageNet's mean and "
        "standard deviation are assumed.",
        stacklevel=3,
    )
    return None
