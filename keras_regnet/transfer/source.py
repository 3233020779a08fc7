"""The pretrained network that fine-tuning begins with."""

import dataclasses
import hashlib
import os
import warnings
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_regnet.architecture import AnyNetParameters
from keras_regnet.data import DataConfig
from keras_regnet.models import arguments_of
from keras_regnet.preprocessing import PreprocessingSpec
from keras_regnet.publishing import (
    find_published,
    is_published,
    load_published,
    read_metadata,
)
from keras_regnet.transfer.opening import open_run

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
    origin, path = os.fspath(name_or_path), Path(name_or_path)
    is_run = path.suffix == ".keras" or (path / "config.json").is_file()
    if is_run or not is_published(name_or_path):
        run = open_run(name_or_path)
        model, names, data_config = run.model, run.class_names, run.data_config
    else:  # also one without a classifier
        folder = find_published(name_or_path)
        model, names = load_published(folder), read_metadata(folder).class_names
        data_config = None
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
