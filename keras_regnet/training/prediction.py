"""What a trained network sees in image files."""

import dataclasses
import json
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_regnet.data.layouts import EXTENSIONS
from keras_regnet.data.remote import is_file, is_folder, read_bytes, why_missing
from keras_regnet.files import is_remote, keras_home
from keras_regnet.models import output_activation
from keras_regnet.preprocessing import decode_predictions
from keras_regnet.training.evaluation import gives_probabilities
from keras_regnet.training.saved_run import SavedRun, image_reader, probabilities

_BATCH = 32


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The answer for one image.

    Attributes:
        name: The file, or another name of the image.
        top: (class name, probability), the most probable first.
        label: The true class, where it is known.
        probable: Whether they are probabilities. Otherwise they are mere scores.
    """

    name: str
    top: list[tuple[str, float]]
    label: str | None = None
    probable: bool = True

    def to_dict(self) -> dict[str, Any]:
        """The prediction as JSON types."""
        what = "probability" if self.probable else "score"
        top = [{"class": name, what: share} for name, share in self.top]
        label = {} if self.label is None else {"label": self.label}
        return {"image": self.name, **label, "top": top}


def find_images(paths: Iterable[str | os.PathLike[str]]) -> list[Path | str]:
    """The given files, and the image files in and below the given folders, sorted.

    Args:
        paths: On this disk, or wherever else TensorFlow can read (`gs://`).

    Returns:
        The files; those elsewhere as they are called there.

    Raises:
        ValueError: A path does not exist, or a folder holds no image.
    """
    found: list[Path | str] = []
    for given in paths:
        path = os.fspath(given) if is_remote(given) else Path(given)
        if is_folder(str(path)):
            inside = sorted(_images_below(path))
            if not inside:
                raise ValueError(
                    f"A folder must hold images ({', '.join(EXTENSIONS)}). "
                    f"Received: {path}"
                )
            found += inside
        elif is_file(str(path)):
            found.append(path)
        else:
            raise ValueError(
                f"No such file or folder{why_missing(str(path))}. Received: {path}"
            )
    return found


def _images_below(folder: Path | str) -> Iterator[Path | str]:
    if isinstance(folder, Path):
        for file in folder.rglob("*"):
            if file.suffix.lower() in EXTENSIONS and file.is_file():
                yield file
        return
    for inner, _, names in tf.io.gfile.walk(folder):
        for name in names:
            if name.lower().endswith(EXTENSIONS):
                yield os.path.join(inner, name)


def predict_files(
    run: SavedRun, paths: Iterable[Path | str], top: int
) -> list[Prediction]:
    """Predicts image files; one that cannot be read is left out with a warning.

    Images are decoded to the model's channels and brought to its size as in the
    evaluation of its data set.

    Args:
        run: The network.
        paths: Image files.
        top: How many classes of each.

    Returns:
        A prediction per readable file.
    """
    predictions, batch = [], []

    def flush() -> None:
        images = np.stack([image for _, image in batch])
        rows, probable = _outputs(run.model, images)
        for (path, _), row in zip(batch, rows, strict=True):
            strongest = _strongest(run, row, top)
            predictions.append(Prediction(str(path), strongest, None, probable))
        batch.clear()

    for path in paths:
        try:
            batch.append((path, read_image(run, path)))
        except (OSError, tf.errors.OpError) as error:
            # Without the names that TensorFlow puts around its messages.
            reason = re.sub(r"{{.*?}} *| *\[Op:.*", "", str(error).splitlines()[0])
            warnings.warn(f"Cannot read the image {path}: {reason}", stacklevel=2)
        if len(batch) == _BATCH:
            flush()
    if batch:
        flush()
    return predictions


def predict_examples(
    run: SavedRun, dataset: tf.data.Dataset, count: int, top: int
) -> list[Prediction]:
    """Predicts the first `count` examples of batches of images and labels."""
    predictions = []
    names = class_names(run)
    for images, labels in dataset.unbatch().take(count).batch(_BATCH):
        rows, probable = _outputs(run.model, images.numpy())
        for label, row in zip(labels.numpy(), rows, strict=True):
            name = f"example {len(predictions) + 1}"
            strongest = _strongest(run, row, top)
            predictions.append(Prediction(name, strongest, names[label], probable))
    return predictions


def read_image(run: SavedRun, path: Path | str) -> np.ndarray:
    """An image file as the network wants it, float32 `[height, width, channels]`.

    See `image_reader`.

    Raises:
        OSError: The file cannot be read.
        tf.errors.OpError: It is not an image.
    """
    with tf.device("/CPU:0"):
        return image_reader(run)(tf.constant(read_bytes(str(path)))).numpy()


def class_names(run: SavedRun) -> tuple[str, ...]:
    """The names of the network's classes; numbers where none are known.

    A network of 1000 classes gets ImageNet's, if Keras has them in its cache.
    """
    if run.class_names:
        return run.class_names
    classes = run.model.output_shape[-1]
    index = keras_home() / "models" / "imagenet_class_index.json"
    if classes == 1000 and index.is_file():
        stored = json.loads(index.read_text())
        return tuple(stored[str(number)][1] for number in range(classes))
    return tuple(f"class {number}" for number in range(classes))


def text_table(predictions: Iterable[Prediction]) -> Iterator[str]:
    """The predictions as lines to print."""
    for prediction in predictions:
        label = "" if prediction.label is None else f" (true class: {prediction.label})"
        yield f"{prediction.name}{label}"
        width = max(len(name) for name, _ in prediction.top)
        for name, share in prediction.top:
            number = f"{100 * share:6.2f} %" if prediction.probable else f"{share:.4g}"
            yield f"  {name:{width}}  {number}"


def _outputs(model: keras.Model, images: np.ndarray) -> tuple[np.ndarray, bool]:
    """Probabilities where the model's graph gives them, else scores; and which."""
    if gives_probabilities(output_activation(model)):
        return probabilities(model, images), True
    return np.asarray(model.predict_on_batch(images), np.float64), False


def _strongest(run: SavedRun, shares: np.ndarray, top: int) -> list[tuple[str, float]]:
    (strongest,) = decode_predictions(shares[None], top, class_names(run))
    return [(name, share) for _, name, share in strongest]
