"""One network in several formats, each compared and timed beside the Keras model."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_regnet.data import ImageReader
from keras_regnet.files import local_path
from keras_regnet.preprocessing.normalization import normalize
from keras_regnet.publishing import layout, litert_export, onnx_export, speed
from keras_regnet.publishing.agreement import Agreement, compare
from keras_regnet.publishing.copying import in_float32
from keras_regnet.publishing.endings import output_names, with_ending
from keras_regnet.publishing.preparation import check_size
from keras_regnet.publishing.publication import publish
from keras_regnet.text_table import text_table

PRECISIONS = {
    "litert": "float32",
    "litert_float16": "float16",
    "litert_int8": "int8",
}
FORMATS = ("saved_model", "onnx", *PRECISIONS)

_IMAGES = 64
KERAS = "Keras"

Runner = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Row:
    """What became of one format.

    Attributes:
        format: One of `FORMATS`, or which endpoint of the SavedModel.
        path: The file or folder.
        bytes: Its size.
        agreement: With the Keras model.
        milliseconds: Per image, by batch size; empty where it was not measured.
    """

    format: str
    path: Path
    bytes: int
    agreement: Agreement
    milliseconds: Mapping[int, float]


def export_formats(
    model: keras.Model,
    formats: Sequence[str],
    output_dir: str | os.PathLike[str],
    *,
    name: str | None = None,
    reader: ImageReader | None = None,
    class_names: Sequence[str] | None = None,
    activation: str | None = None,
    onnx_layout: str = "NHWC",
    calibration: Any = None,
    evaluation: Any = None,
    measure_speed: bool = True,
    publication: Mapping[str, Any] | None = None,
) -> tuple[list[Row], dict[int, float]]:
    """Writes a network in several formats.

    The SavedModel goes to `<output_dir>/<name>/<version>/` (see `publish`), the others
    to `<output_dir>/<name>.onnx`, `<name>.tflite` and so on.

    Args:
        model: One of this package's networks.
        formats: Some of `FORMATS`.
        output_dir: The folder; made if absent.
        name: Of the files; by default the model's.
        reader: What is done with images before it. By default what the model says.
        class_names: A name per class.
        activation: `"logits"` or `"softmax"` for ONNX and LiteRT; None as the model is.
        onnx_layout: `"NHWC"` or `"NCHW"`.
        calibration: For `litert_int8`: images as the model takes them.
        evaluation: Images outside the calibration set, on which all are compared, and
            8 bits have to agree; by default random ones, on which those need not.
        measure_speed: Whether all are timed, beside the Keras model.
        publication: Further arguments of `publish`.

    Returns:
        A row per format (two for the SavedModel), and Keras' own milliseconds per image
        by batch size (`predict_on_batch`; empty where nothing was measured).

    Raises:
        ValueError: A format or an argument is impossible.
        DisagreementError: A format's outputs differ too much. (A ValueError.)
        ImportError: The extra `export` is not installed.
    """
    check_formats(formats)
    if "litert_int8" in formats and calibration is None:
        raise ValueError(
            "litert_int8 needs calibration images: a data set. Received: none"
        )
    if set(formats) != {"saved_model"}:
        check_size(model)
    name = name or model.name
    layout.check_name(name)
    reader = reader or ImageReader.for_model(model)
    shape = (reader.height, reader.width, reader.channels)
    folder = local_path(output_dir, "output_dir")
    folder.mkdir(parents=True, exist_ok=True)
    reference = with_ending(in_float32(model), activation)
    names = output_names(reference)
    given = evaluation
    if evaluation is None:
        random = np.random.RandomState(1)
        evaluation = random.randint(0, 256, (_IMAGES, *shape)).astype(np.float32)
        if reader.normalized:
            evaluation = np.asarray(normalize(evaluation, reader.specification))
    runners: dict[str, tuple[Path, Runner]] = {}
    for each in formats:
        if each == "saved_model":
            arguments = {"class_names": class_names, "reader": reader}
            arguments |= publication or {}
            arguments["measure_speed"] = measure_speed
            path = publish(model, folder, name=name, **arguments)
            for label, run in _endpoints(path, names):
                runners[label] = path, run
        elif each == "onnx":
            path = folder / f"{name}.onnx"
            onnx_export.export_onnx(
                model,
                path,
                layout=onnx_layout,
                activation=activation,
                metadata=_notes(class_names, reader),
                verbose=False,
            )
            runners[each] = path, onnx_export.runner(path, names, onnx_layout)
        else:
            suffix = each.removeprefix("litert")
            path = folder / f"{name}{suffix}.tflite"
            precision = PRECISIONS[each]
            litert_export.export_litert(
                model,
                path,
                precision=precision,
                activation=activation,
                calibration=calibration if precision == "int8" else None,
                evaluation=given if precision == "int8" else None,
                verbose=False,
            )
            runners[each] = path, litert_export.runner(path, names, os.cpu_count())
    times: dict[str, dict[str, float]] = {}
    if measure_speed:
        functions = {KERAS: reference.predict_on_batch}
        for label, (_, run) in runners.items():
            functions[label] = lambda images, run=run: run(images.numpy())
        times = speed.milliseconds_per_image(functions, shape)["batches"]

    def taken(label: str) -> dict[int, float]:
        return {int(size): found[label] for size, found in times.items()}

    rows = [
        Row(label, path, _size(path), _agree(run, reference, evaluation), taken(label))
        for label, (path, run) in runners.items()
    ]
    return rows, taken(KERAS)


def check_formats(formats: Sequence[str]) -> None:
    """Checks the names of formats.

    Raises:
        ValueError: There is none, or one is unknown.
    """
    unknown = [each for each in formats if each not in FORMATS]
    if unknown or not formats:
        raise ValueError(
            f"Formats are some of {', '.join(FORMATS)}. Received: {unknown or 'none'}"
        )


def exports_table(rows: Sequence[Row], keras_times: Mapping[int, float]) -> str:
    """The rows as a table to print."""
    header = ["format", "file", "MB", "largest difference", "top-1 agreement"]
    header += [f"ms/image, batch {size}" for size in keras_times]
    cells = []
    for row in rows:
        agrees = row.agreement
        top1 = "-" if agrees.top1 is None else f"{100 * agrees.top1:.2f} %"
        cells.append(
            [
                row.format,
                str(row.path),
                f"{row.bytes / 1e6:.2f}",
                f"{agrees.relative_difference:.1e}",
                f"{top1} of {agrees.images}",
                *(f"{time:.3g}" for time in row.milliseconds.values()),
            ]
        )
    if keras_times:
        own = [f"{time:.3g}" for time in keras_times.values()]
        cells.append([KERAS, "", "", "", "", *own])
    return text_table(header, cells)


def _endpoints(path: Path, names: Any) -> Iterator[tuple[str, Runner]]:
    """The two forms of a SavedModel as functions of images."""
    loaded = tf.saved_model.load(str(path))
    for label, signature in (("", "serve"), (" (fast)", "fast_serve")):
        function = loaded.signatures[signature]

        # The loaded object must live as long as its functions.
        def run(
            images: np.ndarray, function: Any = function, _: Any = loaded
        ) -> np.ndarray:
            return function(images=tf.constant(images))[names].numpy()

        yield f"saved_model{label}", run


def _agree(run: Runner, reference: keras.Model, images: Any) -> Agreement:
    images = np.asarray(images, np.float32)
    pieces = [images[begin : begin + 32] for begin in range(0, len(images), 32)]
    return compare(
        np.concatenate([run(piece) for piece in pieces]),
        np.concatenate([reference.predict_on_batch(piece) for piece in pieces]),
    )


def _notes(class_names: Sequence[str] | None, reader: ImageReader) -> dict[str, Any]:
    notes: dict[str, Any] = {"image": reader.to_dict()}
    if class_names:
        notes["class_names"] = list(class_names)
    return notes


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
