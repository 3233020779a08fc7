"""Which classes are taken for which."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence

import numpy as np

from keras_regnet.training.evaluation import Evaluation
from keras_regnet.training.report.html import (
    details,
    element,
    scrolling,
    section,
    table,
)

# From more classes on a matrix cannot be read, and its largest numbers are listed.
_MOST_IN_A_MATRIX = 25
_PAIRS = 30
_CLASSES_SHOWN = 25


def classes_section(evaluation: Evaluation, names: Sequence[str]) -> ET.Element:
    """The confusion matrix, or the most confused pairs, and a table of the classes."""
    if len(names) <= _MOST_IN_A_MATRIX:
        confusion = _matrix(evaluation.confusion, names)
    else:
        confusion = _pairs(evaluation.confusion, names)
    parts = [confusion, element("div", _per_class(evaluation, names))]
    return section("classes", "Classes", element("div", parts, class_="grid classes"))


def _matrix(counts: np.ndarray, names: Sequence[str]) -> ET.Element:
    """A heat map that is a table: the shade is the share of the row."""
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    rows = []
    for label, name in enumerate(names):
        cells = [element("th", name, scope="row")]
        for answer, count in enumerate(counts[label]):
            share = shares[label, answer]
            # The root: an error of a hundredth is to be seen beside a right half.
            shade = float(share) ** 0.5
            kinds = ["right"] if answer == label else []
            kinds += ["none"] if not count else ["strong"] if shade > 0.6 else []
            cells.append(
                element(
                    "td",
                    int(count),
                    class_=" ".join(kinds) or None,
                    style=f"--shade: {shade:.3f}" if count else None,
                )
            )
        rows.append(element("tr", cells))
    caption = (
        "Confusion matrix: rows are the true classes, columns the answers; the "
        "stronger the colour, the larger the share of the row"
    )
    head = [element("td", "true \\ answer")]
    head += [element("th", element("span", name), scope="col") for name in names]
    flat = max(map(len, names)) <= 3
    return scrolling(
        "Confusion matrix",
        element(
            "table",
            element("caption", caption),
            element("thead", element("tr", head)),
            element("tbody", rows),
            class_="matrix" if flat else "matrix turned",
        ),
    )


def _pairs(counts: np.ndarray, names: Sequence[str]) -> ET.Element:
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    images = counts.sum(1)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_PAIRS]
    rows = []
    for label, answer in zip(*np.unravel_index(order, wrong.shape), strict=True):
        count = int(wrong[label, answer])
        if count:
            share = f"{100 * count / images[label]:.1f}"
            rows.append((names[label], names[answer], f"{count:,}", share))
    if not rows:
        return element("p", "No class was taken for another.")
    return table(
        f"The {len(rows)} most confused pairs of the {len(names):,} classes",
        ("true class", "taken for", "images", "% of the true class"),
        rows,
        numbers=(2, 3),
    )


def _per_class(evaluation: Evaluation, names: Sequence[str]) -> list[ET.Element]:
    """Recall and precision; of many classes the worst, and all of them on demand."""
    rows = list(zip(names, evaluation.per_class(), strict=True))
    if len(rows) <= _CLASSES_SHOWN:
        return [_class_table("Recall and precision of each class", rows)]
    judged = [row for row in rows if row[1]["recall"] is not None]
    worst = sorted(judged, key=lambda row: row[1]["recall"])[:_CLASSES_SHOWN]
    return [
        _class_table(f"The {len(worst)} classes of least recall", worst),
        details(
            f"All {len(rows):,} classes",
            _class_table("Recall and precision of each class", rows),
        ),
    ]


def _class_table(caption: str, rows: Sequence[tuple[str, dict]]) -> ET.Element:
    return table(
        caption,
        ("class", "images", "recall %", "precision %"),
        [
            (name, f"{row['count']:,}", _meter(row["recall"]), _meter(row["precision"]))
            for name, row in rows
        ],
        numbers=(1, 2, 3),
    )


def _meter(share: float | None) -> ET.Element | str:
    """A number with a bar below it."""
    if share is None:
        return "–"
    width = f"--share: {share:.4f}"
    return element("span", f"{100 * share:.2f}", class_="meter", style=width)
