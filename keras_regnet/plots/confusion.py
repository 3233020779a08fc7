"""Which classes are taken for which."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_regnet.plots.canvas import new_figure, save


def plot_confusion_matrix(
    matrix: Any,
    class_names: Sequence[str],
    path: str | os.PathLike[str],
    title: str | None = None,
) -> None:
    """Draws which classes are taken for which.

    The shade is the share of the row, so that rare classes can be read as well as
    frequent ones; up to 25 classes the counts are printed too.

    Args:
        matrix: Counts of shape (classes, classes): rows are true classes, columns
            predicted ones.
        class_names: One name per class.
        path: The PNG to write.
        title: A heading, or None.

    Raises:
        ValueError: The matrix is not square, or there is not one name per class.
        ImportError: matplotlib is missing.
    """
    counts = np.asarray(matrix)
    classes = len(class_names)
    if not classes or counts.shape != (classes, classes):
        raise ValueError(
            "`matrix` must be square, with one row per class name. "
            f"Received: shape {counts.shape} and {classes} names"
        )
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(max(4.4, 0.52 * classes + 2), 12)
    figure, axes = new_figure(side + 0.6, side)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    step = max(1, -(-classes // 50))
    ticks = range(0, classes, step)
    labels = [str(class_names[tick]) for tick in ticks]
    size = 9 if classes <= 25 else 6
    flat = max(map(len, labels)) <= 2 and classes <= 25
    axes.set_xticks(
        ticks, labels, fontsize=size, rotation=0 if flat else 90, ha="center"
    )
    axes.set_yticks(ticks, labels, fontsize=size)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if classes <= 25:
        for row, column in np.argwhere(counts):
            axes.text(
                column,
                row,
                f"{counts[row, column]:g}",
                ha="center",
                va="center",
                fontsize=8,
                color="white" if shares[row, column] > 0.5 else "#222222",
                in_layout=False,  # it lies within the axes; to measure all takes long
            )
    if title:
        axes.set_title(title, fontsize=12)
    save(figure, (), path, None)
