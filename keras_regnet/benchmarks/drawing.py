"""What the pictures of the benchmarks share."""

import os
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from keras_regnet import files, optional

GRID = "#e6e6e6"
_LETTERS = 18  # of a caption on an inch
_LINES = (
    "#1f5fa8",
    "#d9662b",
    "#2e8540",
    "#8a4fa3",
    "#b8860b",
    "#4a4a4a",
    "#c2185b",
    "#00838f",
    "#8d6e63",
    "#9e9d24",
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")


def require() -> None:
    """Raises ImportError, with what to install, where matplotlib is missing."""
    optional.require("matplotlib.figure", "plots")


def figure(
    width: float, height: float, lines: int = 1, columns: int = 1, **grid: Any
) -> tuple[Any, np.ndarray]:
    """A figure on the Agg canvas, and its axes, always of shape (lines, columns)."""
    made = optional.require("matplotlib.figure", "plots").Figure(
        figsize=(width, height), layout="constrained"
    )
    agg = optional.require("matplotlib.backends.backend_agg", "plots")
    agg.FigureCanvasAgg(made)
    return made, made.subplots(lines, columns, squeeze=False, gridspec_kw=grid)


def color(index: int) -> str:
    """The colour of a line."""
    return _LINES[index % len(_LINES)]


def line(
    axes: Any, points: Sequence[tuple[float, float]], name: str, index: int, ours: bool
) -> None:
    """A line with markers; ours is solid, a peer's is dashed."""
    if points:
        axes.plot(
            *zip(*points, strict=True),
            color=color(index),
            linestyle="-" if ours else "--",
            linewidth=2 if ours else 1.3,
            marker=_MARKERS[index % len(_MARKERS)],
            markersize=5,
            label=name,
        )


def legend(made: Any, axes: Iterable[Any]) -> None:
    """One legend for several axes, to their right."""
    entries: dict[str, Any] = {}
    for each in axes:
        for handle, label in zip(*each.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    made.legend(
        entries.values(),
        entries,
        loc="outside right upper",
        frameon=False,
        fontsize=9,
    )


def plain_ticks(axis: Any, low: float, high: float) -> None:
    """Ticks at 1, 2 and 5 times the powers of ten, written as plain numbers.

    At the powers alone where there are many.
    """
    ticks = [
        factor * 10.0**power
        for power in range(-6, 7)
        for factor in ((1, 2, 5) if high < 1000 * low else (1,))
        if low <= factor * 10.0**power <= high
    ]
    axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_tick_params(which="minor", length=0)
    axis.set_minor_formatter(lambda value, position: "")


def save(
    made: Any, axes: Iterable[Any], path: str | os.PathLike[str], caption: str = ""
) -> None:
    """Takes the frames off, puts the caption above and writes a PNG."""
    if caption:
        width = round(_LETTERS * made.get_figwidth())
        lines = "\n".join(textwrap.wrap(caption, width))
        made.suptitle(lines, x=0.01, ha="left", fontsize=7, color="#6a6a6a")
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
    with files.replacing(path) as temporary:
        made.savefig(temporary, dpi=130, format="png")
