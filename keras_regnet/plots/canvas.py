"""Figures without pyplot: no global state, no window."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from keras_regnet import files, optional

BLUE, ORANGE, GREY = "#1f5fa8", "#d9662b", "#8a8a8a"


def new_figure(
    width: float, height: float, columns: int = 1, rows: int = 1
) -> tuple[Any, Any]:
    """A figure on the Agg canvas, and its axes."""
    figure_module = optional.require("matplotlib.figure", "plots")
    agg = optional.require("matplotlib.backends.backend_agg", "plots")
    figure = figure_module.Figure(figsize=(width, height), layout="constrained")
    agg.FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns)


def save(figure: Any, axes: Any, path: str | os.PathLike[str], title: Any) -> None:
    """Writes a figure, whole or not at all; as JPEG or SVG if the path is called so.

    The same figure gives the same SVG: it has no date, and its names are not random.
    """
    for each in np.atleast_1d(axes).ravel():
        each.spines[["top", "right"]].set_visible(False)
    if title:
        figure.suptitle(title, fontsize=12)
    suffix = Path(path).suffix.lower()
    kind = {".jpg": "jpeg", ".jpeg": "jpeg", ".svg": "svg"}.get(suffix, "png")
    metadata = {"Date": None, "Creator": None} if kind == "svg" else None
    fixed = {"svg.hashsalt": "keras_regnet", "svg.fonttype": "path"}
    matplotlib = optional.require("matplotlib", "plots")
    with matplotlib.rc_context(fixed), files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=130, format=kind, metadata=metadata)
