"""Reading a trained network back, from a run directory or a `.keras` file."""

import dataclasses
import json
import os
from pathlib import Path

import keras
import numpy as np

from keras_regnet.data import Data, DataConfig, ImageReader, load
from keras_regnet.training.evaluation import are_probabilities


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
    """

    model: keras.Model
    path: Path
    data_config: DataConfig | None
    class_names: tuple[str, ...] | None
    centre_cropped: bool | None = None
    reader: ImageReader | None = None

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
    path = Path(path)
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
    described = file.parent / "config.json"
    if described.is_file():
        configuration = json.loads(described.read_text())["configuration"]
        centre_cropped = configuration.get("centre_cropped")
        if "data" in configuration:
            data_config = DataConfig.from_dict(configuration["data"])
        if len(configuration.get("class_names", ())) == shape[-1]:
            class_names = tuple(configuration["class_names"])
    return SavedRun(model, file.parent, data_config, class_names, centre_cropped)


def load_data(run: SavedRun, data_dir: str | None = None) -> Data:
    """Loads the data set that a network was trained on.

    Args:
        run: The network.
        data_dir: Where the data are now, if they have moved.

    Returns:
        The data set.

    Raises:
        ValueError: It is not known, or does not fit the network.
    """
    if run.data_config is None:
        raise ValueError(
            "Only a network in its run directory knows its data set. "
            f"Received: {run.path}"
        )
    config = run.data_config
    if data_dir is not None:
        config = dataclasses.replace(config, data_dir=data_dir)
    data = load(config)
    check_fits(run, data)
    return data


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

    Logits are put through a softmax; what already is a distribution stays.
    """
    outputs = np.asarray(model.predict_on_batch(images), np.float64)
    if are_probabilities(outputs):
        return outputs
    outputs = np.exp(outputs - outputs.max(-1, keepdims=True))
    return outputs / outputs.sum(-1, keepdims=True)
