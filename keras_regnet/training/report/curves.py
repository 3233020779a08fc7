"""How the run went: loss, accuracy and learning rate, and where the time went."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Any

from keras_regnet.training.report.charts import Curve, chart, legend
from keras_regnet.training.report.html import details, element, figure, section, table
from keras_regnet.training.report.record import Record, Row, is_finite
from keras_regnet.training.report.wording import duration, percent

# A column of the epochs, the role it is drawn in, and its name.
_PARTS = (
    ("train", "train", "training"),
    ("validation", "validation", "validation"),
    ("ema_validation", "averaged", "averaged weights"),
)
_COLUMNS = {
    "epoch": "epoch",
    "learning_rate": "learning rate",
    "train_loss": "training loss",
    "train_accuracy": "training accuracy %",
    "validation_loss": "validation loss",
    "validation_accuracy": "validation accuracy %",
    "ema_validation_loss": "averaged weights: loss",
    "ema_validation_accuracy": "averaged weights: accuracy %",
    "seconds": "time",
    "images_per_second": "images/s",
    "data_wait": "waiting %",
}
_SMALL = (3.5, 2.5)


def curves_section(record: Record, pictures: bool) -> ET.Element | None:
    """Loss, accuracy and learning rate; None where there is no epoch yet.

    Args:
        record: The run.
        pictures: Whether curves are drawn; otherwise there is the table alone.
    """
    if not record.epochs:
        return None
    drawn = []
    if pictures:
        drawn = [
            _pair(record, "loss", "Loss", "loss"),
            _pair(record, "accuracy", "Accuracy", "percent"),
            _single(record, "learning_rate", "Learning rate", "learning rate"),
            _single(record, "images_per_second", "Throughput", "images/s"),
            _single(
                record, "data_wait", "Waiting for data", "% of the time", percent=True
            ),
        ]
    large, small = drawn[:2], drawn[2:]
    return section(
        "curves",
        "Curves",
        element("div", large, class_="grid halves") if any(large) else None,
        element("div", small, class_="grid thirds") if any(small) else None,
        details(f"All {len(record.epochs)} epochs as a table", _epoch_table(record)),
    )


def time_section(record: Record) -> ET.Element | None:
    """Where the time went, as a bar and a table."""
    shares = record.time_shares()
    total = sum(shares.values())
    if not total:
        return None
    words = ", ".join(f"{n} {percent(s / total, 1)}" for n, s in shares.items())
    bar = element(
        "svg",
        class_="bar",
        viewBox="0 0 1000 36",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"Shares of {duration(total)}: {words}",
    )
    left = 0.0
    rows = []
    for name, seconds in shares.items():
        kind = f"time-{name.split()[0]}"
        width = 1000 * seconds / total
        bar.append(
            element(
                "rect", class_=kind, x=f"{left:.2f}", width=f"{width:.2f}", height=36
            )
        )
        left += width
        key = element("span", class_=f"key {kind}")
        rows.append(([key, name], duration(seconds), f"{100 * seconds / total:.1f}"))
    caption = f"{duration(total)} in all"
    if "other" not in shares:
        caption += "; what the run did besides was not recorded"
    parts = table("Where the time went", ("part", "time", "%"), rows, numbers=(1, 2))
    return section("time", "Time", figure([bar, parts], caption))


def _pair(record: Record, kind: str, title: str, scale: str) -> ET.Element | None:
    """The training and validation curves of one kind."""
    factor = 100 if scale == "percent" else 1
    curves = [_steps(record, kind, factor)]
    words = []
    for part, role, label in _PARTS:
        curve = _epochs(record, f"{part}_{kind}", role, label, factor)
        if curve.drawable():
            curves.append(curve)
            words.append(f"{label} {_course(curve.values())}")
    return _figure(record, kind, title, curves, words, ylabel=kind, scale=scale)


def _single(
    record: Record, key: str, title: str, ylabel: str, *, percent: bool = False
) -> ET.Element | None:
    """One quantity, per step where it was logged, and per epoch."""
    factor = 100 if percent else 1
    curves = [
        _steps(record, key, factor),
        _epochs(record, key, "train", "per epoch", factor),
    ]
    if key == "learning_rate" and curves[0].drawable():
        curves.pop()  # the last rate of each epoch lies on the line of the steps
        curves = [Curve("per step", "train", curves[0].x, curves[0].y)]
    words = [_course(c.values()) for c in curves[-1:] if c.drawable()]
    return _figure(
        record, key, title, curves, words, ylabel=ylabel, scale="zero", size=_SMALL
    )


def _figure(
    record: Record,
    name: str,
    title: str,
    curves: Sequence[Curve],
    words: Sequence[str],
    **options: Any,
) -> ET.Element | None:
    curves = [curve for curve in curves if curve.drawable()]
    if not curves:
        return None
    epochs = len(record.epochs)
    alt = f"{title} over {epochs} epoch{'s' if epochs > 1 else ''}: {'; '.join(words)}"
    if name in ("loss", "accuracy"):
        options["ylabel"] += " %" if name == "accuracy" else ""
    heading = element("h3", title), legend(curves) if len(curves) > 1 else None
    return figure(chart(name, curves, alt, **options), heading)


def _epochs(record: Record, key: str, role: str, label: str, factor: float) -> Curve:
    rows = [row for row in record.epochs if key in row]  # not every epoch is judged
    return Curve(label, role, [r["epoch"] for r in rows], _column(rows, key, factor))


def _steps(record: Record, key: str, factor: float) -> Curve:
    length = record.steps_per_epoch
    rows = [row for row in record.steps if row.get("step") and length]
    places = [row["step"] / length for row in rows]
    return Curve("per step", "steps", places, _column(rows, key, factor))


def _column(rows: Sequence[Row], key: str, factor: float) -> list[float | None]:
    values = [row.get(key) for row in rows]
    return [value * factor if is_finite(value) else None for value in values]


def _course(values: Any) -> str:
    """From where to where a curve goes."""
    seen = values[values == values]  # without the gaps
    if not len(seen):
        return "unknown"
    return f"from {seen[0]:.4g} to {seen[-1]:.4g}"


def _epoch_table(record: Record) -> ET.Element:
    columns = [
        key
        for key in _COLUMNS
        if any(row.get(key) is not None for row in record.epochs)
    ]
    return table(
        "Each epoch",
        [_COLUMNS[key] for key in columns],
        [[_cell(key, row.get(key)) for key in columns] for row in record.epochs],
        numbers=range(len(columns)),
    )


def _cell(key: str, value: Any) -> str:
    if not isinstance(value, int | float):
        return "–"
    if key == "epoch":
        return str(value)
    if not is_finite(value):
        return str(value)
    if key.endswith("accuracy") or key == "data_wait":
        return f"{100 * value:.2f}"
    if key == "seconds":
        return duration(value)
    return f"{value:,.0f}" if key == "images_per_second" else f"{value:.4g}"
