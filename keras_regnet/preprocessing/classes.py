"""What the outputs of a classifier mean."""

import hashlib
import json
import urllib.request
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_regnet.files import keras_home, replacing

# The file, its checksum and its place in the cache are those of keras.applications.
_URL = (
    "https://storage.googleapis.com/download.tensorflow.org/data/"
    "imagenet_class_index.json"
)
_MD5 = "c2c37ea517e94d9795004a39431a14cb"
_SECONDS = 30


def decode_predictions(
    predictions: Any, top: int = 5, class_names: Sequence[str] | None = None
) -> list[list[tuple[str, str, float]]]:
    """The most probable classes of each row of probabilities.

    ImageNet's names come from `imagenet_class_index.json` in Keras' cache folder
    (`KERAS_HOME`, by default `~/.keras`), where keras.applications keeps it, too. Only
    if it is not there is it downloaded, checked against its checksum, and kept.

    Args:
        predictions: Array or tensor of shape `(batch, classes)`.
        top: How many classes of each row; all of them, if there are fewer.
        class_names: A name per class, for other classes than ImageNet's 1000.

    Returns:
        For each row a list of `(WordNet id, name, probability)`, the most probable
        first. With `class_names` the number of the class stands for the id.

    Raises:
        ValueError: The shape does not fit the names, or `top` is not positive.
        OSError: The class index is neither in the cache nor to be had.
    """
    predictions = ops.convert_to_numpy(predictions)
    if not isinstance(top, int) or top < 1:
        raise ValueError(f"`top` must be a positive integer. Received: top={top!r}")
    classes = 1000 if class_names is None else len(class_names)
    if predictions.ndim != 2 or predictions.shape[1] != classes:
        whose = "ImageNet" if class_names is None else "`class_names`"
        raise ValueError(
            f"`predictions` must be of shape (batch, {classes}), the classes of "
            f"{whose}; `class_names` takes the names of other classes. Received: "
            f"predictions of shape {predictions.shape}"
        )
    if class_names is None:
        entries = _class_index()
    else:
        entries = [(str(number), name) for number, name in enumerate(class_names)]
    order = np.argsort(-predictions, axis=1, kind="stable")[:, :top]
    return [
        [(*entries[number], float(row[number])) for number in numbers]
        for row, numbers in zip(predictions, order, strict=True)
    ]


def _class_index() -> list[tuple[str, str]]:
    """ImageNet's classes: (WordNet id, name) of each."""
    path = keras_home() / "models" / "imagenet_class_index.json"
    content = path.read_bytes() if path.is_file() else b""
    if _digest(content) != _MD5:
        content = _download(path)
    stored = json.loads(content)
    return [tuple(stored[str(number)]) for number in range(len(stored))]


def _download(path: Any) -> bytes:
    try:
        with urllib.request.urlopen(_URL, timeout=_SECONDS) as answer:
            content = answer.read()
        if _digest(content) != _MD5:
            raise OSError(f"it has the MD5 {_digest(content)}, not {_MD5}")
    except OSError as error:
        raise OSError(
            f"The names of ImageNet's classes are not in the cache, and {_URL} could "
            f"not be read: {error}. Put that file there by hand, or give "
            f"`class_names`. Received: {path}"
        ) from error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    except OSError:  # A cache that cannot be written to is no reason to fail.
        return content
    return content


def _digest(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
