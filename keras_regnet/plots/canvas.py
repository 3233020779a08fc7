"""Figures without pyplot: no global state, no window."""

import os
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
    """Writes a figure, whole or not at all; as JPEG if the path is called so."""
    for each in np.atleast_1d(axes).ravel():
        each.spines[["top", "right"]].set_visible(False)
    if title:
        figure.suptitle(title, fontsize=12)
    photographs = os.fspath(path).lower().endswith((".jpg", ".jpeg"))
    with files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=130, format="jpeg" if photographs else "png")
