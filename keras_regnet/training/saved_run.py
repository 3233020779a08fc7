"""Reading a trained network back, from a run directory or a `.keras` file."""

import contextlib
import dataclasses
import json
import os
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_regnet.data import Data, DataConfig, ImageReader, load
from keras_regnet.data.description import has_own_validation
from keras_regnet.data.loading import locate
from keras_regnet.files import is_remote, local_path
from keras_regnet.models import output_activation
from keras_regnet.preprocessing import PreprocessingSpec
from keras_regnet.training.evaluation import (
    gives_probabilities,
    probabilities_and_losses,
)


@dataclasses.dataclass(frozen=True)
class SavedRun:
    """A trained network with what is known about it.

    Attributes:
        model: The network, as saved.
        path: The run directory, or the folder of the `.keras` file.
        data_config: What it was trained on; None for a bare `.keras` file.
        class_names: A name per class; None where they are not known.
        centre_cropped: Whether evaluation took the middle of its images, or all of
            them, resized; None where that is not known.
        reader: What is done with images before it, where that is recorded with it.
        hold_out: By what rule records were held out of its training; None where they
            were not, or by the rule of an older version.
    """

    model: keras.Model
    path: Path
    data_config: DataConfig | None
    class_names: tuple[str, ...] | None
    centre_cropped: bool | None = None
    reader: ImageReader | None = None
    hold_out: str | None = None

    @property
    def image_shape(self) -> tuple[int | None, int | None, int]:
        """(height, width, channels) of the model's input."""
        return tuple(self.model.input_shape[1:])


def load_run(path: str | os.PathLike[str]) -> SavedRun:
    """Loads a trained network.

    Args:
        path: A run directory (its `model.keras` and `config.json` are read), or a
            `.keras` file; one that lies in a run directory is read with it.

    Returns:
        The network.

    Raises:
        ValueError: There is nothing to load, or it is not a classifier of images.
    """
    path = local_path(path, "path")
    file = path / "model.keras" if path.is_dir() else path
    if not file.is_file():
        hint = (
            "the run is not complete; finish it with --resume"
            if (path / "config.json").is_file()
            else "no such file"
        )
        raise ValueError(
            "A model must be a run directory with a model.keras, or a .keras file. "
            f"Received: {path} ({hint})"
        )
    try:
        model = keras.saving.load_model(file, compile=False)
    except ValueError as error:
        raise ValueError(
            f"{file} must be a file that model.save() wrote. Received: {error}"
        ) from error
    shape = model.output_shape
    if not isinstance(shape, tuple) or len(shape) != 2 or len(model.input_shape) != 4:
        raise ValueError(
            f"{file} must map images to [batch, classes]. "
            f"Received: {model.input_shape} to {shape}"
        )
    data_config = class_names = centre_cropped = None
    configuration = _configuration(file.parent, required=path.is_dir())
    centre_cropped = configuration.get("centre_cropped")
    if "data" in configuration:
        data_config = DataConfig.from_dict(configuration["data"])
    if len(configuration.get("class_names", ())) == shape[-1]:
        class_names = tuple(configuration["class_names"])
    return SavedRun(
        model,
        file.parent,
        data_config,
        class_names,
        centre_cropped,
        hold_out=configuration.get("hold_out"),
    )


def _configuration(folder: Path, required: bool) -> dict[str, Any]:
    """What a run's `config.json` says; empty where there is none.

    Beside a `.keras` file there may be one of another program, which says nothing here.

    Args:
        folder: Of the model.
        required: Whether the folder was named as a run directory, in which a
            `config.json` must be a run's.
    """
    path = folder / "config.json"
    found: Any = None
    if path.is_file():
        with contextlib.suppress(ValueError):  # no JSON, or no text at all
            found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and isinstance(found.get("configuration"), dict):
            return found["configuration"]
        if required:
            raise ValueError(
                "A run directory's config.json has the run's `configuration`; name the "
                ".keras file itself where it is another program's. Received: "
                f"{path}, with {type(found).__name__ if found is None else found!r:.80}"
            )
    return {}


def load_data(
    run: SavedRun,
    data_dir: str | None = None,
    *,
    dataset: str | None = None,
    batch_size: int | None = None,
) -> Data:
    """Loads a data set that a network is to be judged on.

    Args:
        run: The network.
        data_dir: Where the data are now, if they have moved.
        dataset: Another one than the network was trained on. Its validation images are
            then read as `image_reader` reads files for this network. Where it has no
            part of its own for that, the share is held out that was held out in
            training, since it may be the same data set at another place.
        batch_size: Images at a time.

    Returns:
        The data set.

    Raises:
        ValueError: It is not known, or does not fit the network.
    """
    config, reader = run.data_config, None
    if dataset is not None:
        other = DataConfig(name=dataset, data_dir=data_dir)
        if config is not None and _same(config, other):
            dataset = None
        else:
            reader = image_reader(run)
            fields: dict[str, Any] = {"image_size": reader.height}
            for name in ("validation_fraction", "split_seed") if config else ():
                fields[name] = getattr(config, name)
            config = dataclasses.replace(other, **fields)
    if config is None:
        raise ValueError(
            "Only a network in its run directory knows its data set; name another "
            f"one. Received: {run.path}, without a data set"
        )
    changes = {"data_dir": data_dir, "batch_size": batch_size}
    changes = {key: value for key, value in changes.items() if value is not None}
    data = load(dataclasses.replace(config, **changes), training=False)
    if dataset is None and data.hold_out != run.hold_out:
        warnings.warn(
            "The network was trained with other images held out "
            f"({run.hold_out or 'the last records'}) than it is judged by now "
            f"({data.hold_out}): it has seen most of these. The result is too good.",
            stacklevel=2,
        )
    shared = dataset not in (None, "digits") and data.train_size > 0
    if shared and not has_own_validation(data.config):
        warnings.warn(
            f"{dataset} has no part to evaluate on (as val/): the network is judged on "
            f"{data.validation_size} of its images, the share that training holds out "
            f"(split_seed={data.config.split_seed}).",
            stacklevel=2,
        )
    data = dataclasses.replace(data, reader=reader)
    check_fits(run, data)
    return data


def _same(config: DataConfig, other: DataConfig) -> bool:
    """Whether two configurations name one data set, in other words perhaps."""
    (kind, place), (its_kind, its_place) = locate(config), locate(other)
    if place is None or its_place is None:
        return config.name == other.name
    if not is_remote(place) and not is_remote(its_place):
        place, its_place = os.path.realpath(place), os.path.realpath(its_place)
    return (kind, place) == (its_kind, its_place)


def image_reader(run: SavedRun) -> ImageReader:
    """How the network sees an image: what every program goes by.

    As it was recorded with the network, or as in the evaluation of the run's data set;
    without both as the model's own specification says, which it has from pretrained
    weights.
    """
    if run.reader is not None:
        return run.reader
    config = run.data_config
    if config is None:
        return ImageReader.for_model(run.model, centre_cropped=run.centre_cropped)
    reader = ImageReader.for_model(
        run.model,
        centre_cropped=run.centre_cropped,
        crop_fraction=config.crop_fraction,
        size=config.evaluation_size or config.image_size,
    )
    specification = reader.specification
    if config.normalize:  # by the pipeline, whatever the weights were made for
        side = reader.height
        specification = PreprocessingSpec(side, side, mean=config.mean, std=config.std)
    return dataclasses.replace(
        reader, specification=specification, normalized=config.normalize
    )


def check_fits(run: SavedRun, data: Data) -> None:
    """Checks that a network can be judged on a data set.

    Raises:
        ValueError: The image shape or the number of classes is another.
    """
    shapes = zip(run.image_shape, data.evaluation_shape, strict=True)
    classes = run.model.output_shape[-1]
    if classes != data.num_classes or any(m not in (None, d) for m, d in shapes):
        raise ValueError(
            f"The network takes images of {run.image_shape} and knows {classes} "
            f"classes. Received: the data set {data.config.name} with images of "
            f"{data.evaluation_shape} and {data.num_classes} classes"
        )


def probabilities(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """The model's outputs as probabilities, `[batch, classes]` float64.

    The end of the model's graph says what they are, never their values: logits are put
    through a softmax; what a softmax or sigmoids gave stays.

    Raises:
        ValueError: The model ends in something else: see `gives_probabilities`.
    """
    activation = output_activation(model)
    if not gives_probabilities(activation):
        raise ValueError(
            "The model must end in logits, a softmax or sigmoids to give "
            f"probabilities. Received: {model.name!r}, that ends in {activation}"
        )
    outputs = np.asarray(model.predict_on_batch(images))
    labels = np.zeros(len(outputs), int)
    return probabilities_and_losses(outputs, labels, activation)[0]
