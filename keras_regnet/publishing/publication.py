"""Publishing a network: everything written and checked, then one rename."""

import datetime
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_regnet import provenance
from keras_regnet.data import ImageReader
from keras_regnet.files import local_path
from keras_regnet.models import AnyNet, arguments_of
from keras_regnet.preprocessing.normalization import normalize
from keras_regnet.publishing import agreement, card, layout, speed
from keras_regnet.publishing.fusion import fuse
from keras_regnet.publishing.group_blocks import WIDEST_FOR_ONEDNN, block_groups
from keras_regnet.publishing.metadata import (
    MOST_CONSTANTS,
    TASKS,
    Metadata,
    cost_of,
)
from keras_regnet.publishing.reading import MODEL_FILE
from keras_regnet.publishing.saved_model import write_saved_model

TOLERANCE = 1e-4
"""Of the SavedModel's outputs relative to the largest of the Keras model's."""

_SAMPLE = 2


def publish(
    model: keras.Model,
    directory: str | os.PathLike[str],
    *,
    name: str | None = None,
    version: int | None = None,
    class_names: Sequence[str] | None = None,
    reader: ImageReader | None = None,
    metrics: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    licence: str = "MIT",
    description: str = "",
    measure_speed: bool = True,
) -> Path:
    """Publishes a network for reuse, as `<directory>/<name>/<version>/`.

    The folder has the SavedModel (see `write_saved_model` for its endpoints),
    `model.keras`, `metadata.json`, `model_card.md` and `SHA256SUMS`. It appears as a
    whole, once the SavedModel has been read back and its outputs agree with the Keras
    model's. The weights are published in float32.

    Args:
        model: One of this package's networks, with a classifier or with pooled
            features.
        directory: Of all published models.
        name: By default the model's.
        version: By default the next one.
        class_names: A name per class.
        reader: What is done with images before it. By default what the model says.
        metrics: What it reached: JSON types, for example `{"top1": 0.95}`.
        training: How: JSON types, for example `{"data_set": ..., "command": ...}`.
        licence: Of the weights, as SPDX writes it.
        description: A sentence or two for the card.
        measure_speed: Whether the card says how long the endpoints take here.

    Returns:
        The version's folder.

    Raises:
        ValueError: An argument is impossible, or the model is another. Nothing has
            been written then.
        DisagreementError: The SavedModel computes something else. (A ValueError.)
    """
    parameters, arguments = arguments_of(model)
    task = _task(arguments, model)
    name = name or model.name
    layout.check_name(name)
    reader = reader or ImageReader.for_model(model)
    _check_reader(reader, model)
    arguments |= {"dtype": "float32", "synchronized_batch_norm": False}
    own = AnyNet(parameters, **arguments)
    for target, source in zip(own.weights, model.weights, strict=True):
        target.assign(source)
    _check_finite(own)
    shape = (reader.height, reader.width, reader.channels)
    sample = np.random.RandomState(0).randint(0, 256, (_SAMPLE, *shape))
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    folder = local_path(directory, "directory") / name
    cost = cost_of(parameters, arguments, shape)
    facts = {
        "name": name,
        "task": task,
        "network": parameters,
        "arguments": _as_json(arguments),
        "image": reader.to_dict(),
        "class_names": tuple(class_names) if class_names else None,
        "parameters": cost.parameters,
        "multiply_adds": cost.multiply_adds,
        "metrics": dict(metrics or {}),
        "training": dict(training or {}),
        "versions": provenance.versions(),
        "licence": licence,
        "description": description,
        "created": today,
    }
    Metadata(version=1, sample={}, speed={}, **facts)  # complains before work starts
    with layout.new_version(folder, version) as (temporary, number):
        own.save(temporary / MODEL_FILE)
        expected = _expected(own, reader, sample)
        fast = None
        if cost.parameters <= MOST_CONSTANTS:
            fast = block_groups(fuse(own), widest=WIDEST_FOR_ONEDNN)
        write_saved_model(own, fast, reader, temporary)
        loaded = tf.saved_model.load(str(temporary))
        _check(loaded, reader, sample, expected)
        names = ("serve", "fast_serve")
        times = {}
        if measure_speed:
            functions = {each: loaded.signatures[each] for each in names}
            times = speed.milliseconds_per_image(functions, shape)
        known = Metadata(
            version=number,
            sample={
                "seed": 0,
                "shape": list(sample.shape),
                "outputs": [
                    [float(f"{x:.8g}") for x in row] for row in expected["answer"]
                ],
            },
            speed=times,
            **facts,
        )
        known.write(temporary)
        text = card.model_card(known)
        (temporary / card.FILE).write_text(text, encoding="utf-8")
    return folder / str(number)


def sample_images(known: Metadata) -> np.ndarray:
    """The fixed pixels of 0 to 255 whose answers the metadata have."""
    random = np.random.RandomState(known.sample["seed"])
    return random.randint(0, 256, known.sample["shape"]).astype(np.float32)


def _task(arguments: Mapping[str, Any], model: keras.Model) -> str:
    if arguments.get("include_top", True):
        return TASKS[0]
    if not arguments.get("pooling"):
        raise ValueError(
            "A published network ends in a classifier or in pooled features "
            "(pooling='avg'). Received: a model named "
            f"{model.name!r} with outputs of shape {model.output_shape}"
        )
    return TASKS[1]


def _check_reader(reader: ImageReader, model: keras.Model) -> None:
    shape = (reader.height, reader.width, reader.channels)
    if any(
        wanted not in (None, found)
        for wanted, found in zip(model.input_shape[1:], shape, strict=True)
    ):
        raise ValueError(
            f"`reader` must give images of {model.input_shape[1:]}. Received: one of "
            f"{shape}"
        )


def _check_finite(model: keras.Model) -> None:
    for variable in model.weights:
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
            raise ValueError(
                "A network with weights that are not finite is not published. "
                f"Received: {variable.path} with infinite or undefined numbers"
            )


def _as_json(arguments: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(arguments) | {"input_shape": list(arguments["input_shape"])}
    if "preprocessing" in values:
        values["preprocessing"] = values["preprocessing"].to_dict()
    return values


def _expected(
    model: keras.Model, reader: ImageReader, sample: np.ndarray
) -> dict[str, np.ndarray]:
    """What the Keras model gives on pixels: its output, and logits or features."""
    names = {layer.name for layer in model.layers}
    ends = {"output": model.output, "answer": model.output}
    if "head_fc" in names:
        ends["answer"] = model.get_layer("head_fc").output
    images = _network_input(reader, sample)
    outputs = keras.Model(model.input, ends)(images, training=False)
    return {name: np.asarray(value) for name, value in outputs.items()}


def _network_input(reader: ImageReader, pixels: np.ndarray) -> np.ndarray:
    pixels = pixels.astype(np.float32)
    if reader.normalized:
        return np.asarray(normalize(pixels, reader.specification))
    return pixels


def _check(
    loaded: Any,
    reader: ImageReader,
    sample: np.ndarray,
    expected: Mapping[str, np.ndarray],
) -> None:
    """Compares everything in the SavedModel that infers with the Keras model."""
    images = tf.constant(_network_input(reader, sample))
    pixels = tf.constant(sample, tf.uint8)
    (answer,) = {"logits", "features"} & set(
        loaded.signatures["serve"].structured_outputs
    )
    found = {
        "serve": (loaded.serve(images), "output"),
        "native_serve": (loaded.native_serve(images), "output"),
        "the call": (loaded(tf.constant(sample / 255, tf.float32)), "answer"),
    }
    for name in ("serve", "fast_serve"):
        signature = loaded.signatures[name]
        found[f"signature {name}"] = (signature(images=images)[answer], "answer")
    for name in ("serve_pixels", "fast_serve_pixels"):
        if reader.kind == "whole":  # which leaves images of its own size as they are
            outputs = loaded.signatures[name](images=pixels)[answer]
            found[f"signature {name}"] = (outputs, "answer")
    for name, (outputs, which) in found.items():
        agreement.check(
            agreement.compare(np.asarray(outputs), expected[which]),
            TOLERANCE,
            f"the SavedModel's outputs ({name})",
        )
