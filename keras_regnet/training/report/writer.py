"""Writes `report.html`: the headline, and the sections in their order."""

import importlib.util
import os
import statistics
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_regnet import files
from keras_regnet.architecture import complexity
from keras_regnet.training.evaluation import Evaluation
from keras_regnet.training.report.classes import classes_section
from keras_regnet.training.report.curves import curves_section, time_section
from keras_regnet.training.report.html import document, element
from keras_regnet.training.report.pictures import mistakes_section
from keras_regnet.training.report.record import Record, Row, is_finite, read_record
from keras_regnet.training.report.settings import (
    configuration_section,
    environment_section,
)
from keras_regnet.training.report.wording import duration, percent, short
from keras_regnet.training.run_directory import naming
from keras_regnet.version import __version__

# From this share of waiting on the input pipeline is what to look at.
_STARVED = 0.2


def write_report(
    run_dir: str | os.PathLike[str],
    evaluation: Evaluation | None = None,
    *,
    class_names: Sequence[str] | None = None,
    recipe: Mapping[str, Any] | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Path:
    """Writes the report of a run: one HTML file without scripts or other files.

    Reads `config.json`, and where they are there `log.csv`, `metrics.jsonl` and
    `result.json`; what they do not say is left out of the report. Without matplotlib
    there are no curves, and the report says so.

    Args:
        run_dir: The run directory.
        evaluation: Of the saved network, for the classes; with `worst`, for the
            contact sheet of mistakes.
        class_names: One for each class; by default those of `config.json`, or
            numbers.
        recipe: The configuration that the run's recipe stands for, nested as
            `configuration` in `config.json`: differences are listed.
        path: The file to write; by default `report.html` in `run_dir`.

    Returns:
        The file.

    Raises:
        ValueError: `run_dir` holds no run, or a file of it cannot be read.
        OSError: The report cannot be written.
    """
    record = read_record(run_dir)
    path = Path(path) if path is not None else record.path / "report.html"
    drawing = importlib.util.find_spec("matplotlib") is not None
    sections = [curves_section(record, drawing), time_section(record)]
    if evaluation is not None:
        names = _names(class_names or record.class_names, len(evaluation.confusion))
        sections.append(classes_section(evaluation, names))
        sections.append(mistakes_section(evaluation.worst, names))
    sections.append(configuration_section(record, recipe))
    sections.append(environment_section(record))
    sections = [each for each in sections if each is not None]
    header = [
        element("p", "Training report", class_="kind"),
        element("h1", record.title),
        element("p", _subtitle(record), class_="subtitle"),
        _contents(sections),
    ]
    text = document(
        f"{record.title}: training report",
        header,
        [element("p", note, class_="note") for note in _notes(record, drawing)],
        element("dl", _headline(record, evaluation), class_="headline"),
        sections,
        element("footer", f"keras_regnet {__version__}"),
    )
    with naming(path):
        files.write_text(path, text)
    return path


def _names(names: Sequence[str], classes: int) -> tuple[str, ...]:
    if len(names) == classes:
        return tuple(map(str, names))
    return tuple(f"class {number}" for number in range(classes))


def _subtitle(record: Record) -> str:
    done, planned = len(record.epochs), record.planned_epochs
    epochs = f"{done} of {planned} epochs" if planned else f"{done} epochs"
    seconds = record.result.get("seconds") or sum(record.time_shares().values())
    return f"{epochs} in {duration(seconds)}. {record.path.resolve()}"


def _contents(sections: Sequence[ET.Element]) -> ET.Element:
    links = (
        element("a", each.find("h2").text, href=f"#{each.get('id')}")
        for each in sections
    )
    return element("nav", links, aria_label="Contents")


def _notes(record: Record, drawing: bool) -> Iterator[str]:
    """What the reader must know first."""
    planned, done = record.planned_epochs, len(record.epochs)
    if planned and done < planned:
        stopped = "was stopped early" if record.result else "is not over"
        yield f"This run {stopped}: {done} of {planned} epochs."
    if unreadable := record.final.get("unreadable_images"):
        yield f"{unreadable:,} training images could not be read and were left out."
    if skipped := round(record.total("skipped_steps")):
        yield f"{skipped:,} steps were skipped because their loss was not finite."
    wait = record.data_wait
    if wait is not None and wait >= _STARVED:
        yield (
            f"The devices waited for data {percent(wait, 0)} of the training time: a "
            "faster input pipeline makes this run faster."
        )
    if not drawing:
        yield (
            "The curves are missing, for matplotlib is not installed: "
            "pip install 'keras-regnet[train]'"
        )


def _headline(record: Record, evaluation: Evaluation | None) -> Iterator[ET.Element]:
    """The numbers that one looks for first, each with what explains it."""
    final = record.final
    if evaluation is not None:
        kind = " (averaged)" if record.averaged else ""
        right = round(evaluation.top1 * evaluation.count)
        yield _number(
            "Top-1 accuracy",
            percent(evaluation.top1),
            f"saved weights{kind}: {right:,} of {evaluation.count:,} images",
        )
        if len(evaluation.confusion) > 10:
            yield _number("Top-5 accuracy", percent(evaluation.top5), "the same images")
    if is_finite(final.get("validation_accuracy")):
        loss = final.get("validation_loss")
        yield _number(
            "Validation accuracy",
            percent(final["validation_accuracy"]),
            f"last epoch, loss {loss:.4f}" if is_finite(loss) else "last epoch",
        )
        if is_finite(final.get("ema_validation_accuracy")):
            gain = final["ema_validation_accuracy"] - final["validation_accuracy"]
            yield _number(
                "Averaged weights",
                percent(final["ema_validation_accuracy"]),
                f"last epoch, {100 * gain:+.2f} points beside the raw weights",
            )
        best = max(record.epochs, key=_judged)
        kind = "averaged weights" if record.averaged else "validation accuracy"
        yield _number("Best epoch", best["epoch"], f"{kind}: {percent(_judged(best))}")
    elif is_finite(final.get("train_accuracy")):
        yield _number(
            "Training accuracy", percent(final["train_accuracy"]), "last epoch"
        )
    speeds = [row.get("images_per_second") for row in record.epochs]
    speeds = [speed for speed in speeds if is_finite(speed)]
    if speeds:
        wait = record.data_wait
        yield _number(
            "Throughput",
            f"{statistics.median(speeds):,.0f}",
            "images/s, median"
            + ("" if wait is None else f"; {percent(wait, 0)} waiting for data"),
        )
    yield from _network(record)


def _judged(row: Row) -> float:
    """The accuracy by which epochs are compared: of averages where there are any."""
    for key in ("ema_validation_accuracy", "validation_accuracy"):
        if is_finite(row.get(key)):
            return row[key]
    return -1.0


def _network(record: Record) -> Iterator[ET.Element]:
    parameters = record.configuration.get("parameters")
    if not is_finite(parameters):
        return
    shape = record.configuration.get("image_shape") or ()
    cost = ""
    if record.architecture and len(shape) == 3 and record.class_names:
        height, width, channels = shape
        counted = complexity(
            record.architecture,
            input_size=(height, width),
            input_channels=channels,
            classes=len(record.class_names),
        )
        size = "\N{MULTIPLICATION SIGN}".join(map(str, shape))
        cost = f"{short(counted.multiply_adds)} multiply-adds at {size}"
    yield _number("Parameters", short(parameters), cost)


def _number(name: str, value: Any, explanation: str) -> ET.Element:
    return element(
        "div",
        element("dt", name),
        element("dd", value, class_="value"),
        element("dd", explanation) if explanation else None,
    )
