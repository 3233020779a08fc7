"""A trained network written for others, with all that is known about it."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keras_regnet.data import Data
from keras_regnet.files import local_path
from keras_regnet.publishing import exports, metadata
from keras_regnet.publishing.copying import in_float32
from keras_regnet.training.evaluation import evaluate_data
from keras_regnet.training.run_summary import training_facts
from keras_regnet.training.saved_run import SavedRun, image_reader, load_data
from keras_regnet.transfer.opening import open_run


def export_trained(
    name_or_path: str | os.PathLike[str],
    formats: Sequence[str],
    output_dir: str | os.PathLike[str],
    *,
    name: str | None = None,
    dataset: str | None = None,
    data_dir: str | None = None,
    evaluate: bool | None = None,
    calibration_images: int = 256,
    compared_images: int = 1024,
    activation: str | None = None,
    onnx_layout: str = "NHWC",
    licence: str | None = None,
    description: str = "",
    measure_speed: bool = True,
) -> Iterator[str]:
    """Writes a trained network in several formats.

    Args:
        name_or_path: See `open_run`.
        formats: Some of `exports.FORMATS`.
        output_dir: See `exports.export_formats`.
        name: Of the files; by default the model's.
        dataset: Whose validation images calibrate, compare and judge; by default the
            run's own data set.
        data_dir: Where TFDS keeps it.
        evaluate: Whether a SavedModel's card gets the accuracy on validation images.
            None: where the data set is known.
        calibration_images: For `litert_int8`.
        compared_images: On which all formats are compared, others than those.
        activation: See `exports.export_formats`.
        onnx_layout: Likewise.
        licence: Of the weights; by default what was published, or MIT.
        description: A sentence for the card; by default what was published.
        measure_speed: Whether everything is timed.

    Yields:
        The lines of the table that tells what came out.

    Raises:
        ValueError: An argument is impossible, or the model or the data do not fit.
        ImportError: The extra `export` is not installed.
    """
    exports.check_formats(formats)
    local_path(output_dir, "output_dir")  # before work starts
    run = open_run(name_or_path)
    data = _data(run, dataset, data_dir, evaluate is not False or _calibrated(formats))
    if data is None and (evaluate or _calibrated(formats)):
        raise ValueError(
            "This model does not know its data set, whose images are needed: name one. "
            f"Received: {os.fspath(name_or_path)!r}, dataset=None"
        )
    publication = _known(run)
    if licence:
        publication["licence"] = licence
    if description:
        publication["description"] = description
    calibration = compared = None
    if data is not None:
        if "saved_model" in formats and evaluate is not False:
            publication["metrics"] = _judged(run, data)
        wanted = calibration_images if _calibrated(formats) else 0
        calibration, compared = _two_parts(data, wanted, compared_images)
        if _calibrated(formats) and not len(calibration):
            raise ValueError(
                "8 bits need two validation images at least: one to calibrate, one to "
                f"compare on. Received: {data.validation_size}"
            )
    rows, keras_times = exports.export_formats(
        run.model,
        formats,
        output_dir,
        name=name,
        reader=image_reader(run),
        class_names=run.class_names,
        activation=activation,
        onnx_layout=onnx_layout,
        calibration=calibration,
        evaluation=compared,
        measure_speed=measure_speed,
        publication=publication,
    )
    yield from exports.exports_table(rows, keras_times).splitlines()


def _calibrated(formats: Sequence[str]) -> bool:
    return "litert_int8" in formats


def _data(
    run: SavedRun, dataset: str | None, data_dir: str | None, wanted: bool
) -> Data | None:
    """The data set, if one is named or known, and wanted."""
    if not wanted or (dataset is None and run.data_config is None):
        return None
    return load_data(run, data_dir, dataset=dataset, batch_size=32)


def _known(run: SavedRun) -> dict[str, Any]:
    """What is known about a network, for its publication."""
    if run.reader is not None:
        known = metadata.read(run.path)
        return {
            "metrics": known.metrics,
            "training": known.training,
            "licence": known.licence,
            "description": known.description,
        }
    if (run.path / "result.json").is_file():
        return {"training": training_facts(run.path)}
    return {}


def _judged(run: SavedRun, data: Data) -> dict[str, Any]:
    """The accuracy of what is published, which computes in float32."""
    found = evaluate_data(in_float32(run.model), data)
    return {
        "top1": round(found.top1, 6),
        "images": found.count,
        "judged_on": f"the validation part of {data.config.name}",
    }


def _two_parts(
    data: Data, calibration: int, compared: int
) -> tuple[np.ndarray, np.ndarray]:
    """Validation images from all over the data set, in two parts without a common one.

    They may be ordered by class, so that the first ones will not do.
    """
    share = data.validation_size // 2 if calibration else data.validation_size
    compared = min(compared, max(1, share))
    calibration = min(calibration, data.validation_size - compared)
    wanted = calibration + compared
    places = np.linspace(0, data.validation_size - 1, wanted).astype(int)
    chosen = set(places.tolist())
    images, place = [], 0
    for batch, _ in data.validation():
        for image in batch.numpy():
            if place in chosen:
                images.append(image)
            place += 1
    first = np.zeros(len(images), bool)
    first[np.linspace(0, len(images) - 1, calibration).astype(int)] = True
    stacked = np.stack(images)
    return stacked[first], stacked[~first]
