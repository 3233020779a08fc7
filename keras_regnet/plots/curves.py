"""Loss, accuracy and learning rate over the epochs."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_regnet.plots.canvas import BLUE, GREY, ORANGE, new_figure, save


def plot_learning_curves(
    history: Sequence[Mapping[str, Any]],
    path: str | os.PathLike[str],
    title: str | None = None,
    phases: Sequence[tuple[str, int]] = (),
) -> None:
    """Draws loss, accuracy and learning rate over the epochs.

    Args:
        history: One mapping per epoch, with the keys `epoch`, `learning_rate`,
            `train_loss`, `train_accuracy` and, where there was a validation,
            `validation_loss` and `validation_accuracy`. A value that is None or not
            finite leaves a gap; where it is absent, the line goes on to the next.
        path: The PNG to write.
        title: A heading, or None.
        phases: Names and numbers of epochs of the parts of a run, of which each
            begins after the one before; the changes are marked.

    Raises:
        ValueError: `history` is empty.
        ImportError: matplotlib is missing.
    """
    if not history:
        raise ValueError(f"There must be an epoch to draw. Received: {history!r}")
    figure, (loss, accuracy, rate) = new_figure(11.5, 3.6, columns=3)
    epochs = [row["epoch"] for row in history]
    for axes, kind in ((loss, "loss"), (accuracy, "accuracy")):
        for part, color in (("train", GREY), ("validation", BLUE)):
            rows = [row for row in history if f"{part}_{kind}" in row]
            values = _column(rows, f"{part}_{kind}")
            if np.isfinite(values).any():
                places = [row["epoch"] for row in rows]
                _curve(axes, places, values, color, label=part)
        axes.set_ylabel(kind)
        if axes.lines:
            axes.legend(frameon=False, fontsize=9)
    validation = _column(history, "validation_accuracy")
    if np.isfinite(validation).any():
        best = int(np.nanargmax(np.where(np.isfinite(validation), validation, np.nan)))
        accuracy.set_title(
            f"best validation accuracy {validation[best]:.4f}, epoch {epochs[best]}",
            fontsize=9,
        )
    _curve(rate, epochs, _column(history, "learning_rate"), ORANGE)
    rate.set_ylabel("learning rate")
    rate.set_ylim(bottom=0)
    for axes in (loss, accuracy, rate):
        axes.set_xlabel("epoch")
        axes.grid(color="#e6e6e6")
        axes.xaxis.get_major_locator().set_params(integer=True)
    _mark_phases((loss, accuracy, rate), phases)
    save(figure, (loss, accuracy, rate), path, title)


def plot_learning_rate(
    rates: Sequence[tuple[float, float]],
    path: str | os.PathLike[str],
    title: str | None = None,
) -> None:
    """Draws the learning rate over the epochs of a run.

    Args:
        rates: The learning rates of the first and the last step of each epoch.
        path: The PNG to write.
        title: A heading, or None.

    Raises:
        ValueError: `rates` is empty.
        ImportError: matplotlib is missing.
    """
    if not rates:
        raise ValueError(f"There must be an epoch to draw. Received: {rates!r}")
    figure, axes = new_figure(7.2, 3.6)
    edges = np.repeat(np.arange(len(rates) + 1), 2)[1:-1]
    axes.plot(edges, np.ravel(rates), color=ORANGE, linewidth=1.6)
    axes.set_xlabel("epochs done")
    axes.set_ylabel("learning rate")
    axes.set_xlim(0, len(rates))
    axes.set_ylim(bottom=0)
    axes.grid(color="#e6e6e6")
    axes.xaxis.get_major_locator().set_params(integer=True)
    save(figure, axes, path, title)


def _column(history: Sequence[Mapping[str, Any]], key: str) -> np.ndarray:
    values = [row.get(key) for row in history]
    return np.array([np.nan if v is None else float(v) for v in values])


def _curve(axes: Any, x: Any, y: np.ndarray, color: str, label: Any = None) -> None:
    y = np.where(np.isfinite(y), y, np.nan)
    marker = "o" if len(y) <= 30 else None
    axes.plot(
        x, y, color=color, linewidth=1.6, marker=marker, markersize=3, label=label
    )


def _mark_phases(axes: Sequence[Any], phases: Sequence[tuple[str, int]]) -> None:
    """A line where a phase ends, and the names of both beside it."""
    begin = 0
    for name, epochs in phases:
        if not epochs:
            continue
        for each in axes:
            if begin:
                each.axvline(
                    begin + 0.5, color="#555555", linewidth=1, linestyle=(0, (4, 3))
                )
        # Above the learning rate, whose panel has no title.
        axes[-1].text(
            begin + 0.5 + epochs / 2,
            1.02,
            name,
            transform=axes[-1].get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=9,
            color="#555555",
        )
        begin += epochs
