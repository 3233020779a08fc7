"""Pictures, as functions that write a PNG.

matplotlib is imported when a function is called, and drawn on without pyplot: there is
no global state, no window, and nothing that a notebook's own figures could notice.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_regnet import files, optional
from keras_regnet.architecture import AnyNetParameters, RegNetParameters

_BLUE, _ORANGE, _GREEN, _GREY = "#1f5fa8", "#d9662b", "#2e8540", "#8a8a8a"


def plot_widths(
    parameters: RegNetParameters | AnyNetParameters,
    path: str | os.PathLike[str],
    title: str | None = None,
) -> None:
    """Draws the width of every block, as the paper's figures of widths do.

    For a RegNet: the line u_j (equation 2), its quantization w_j (equation 4) and the
    final widths, made compatible with the group width. For any other network: its
    widths.

    Args:
        parameters: The network.
        path: The PNG to write.
        title: A heading, or None.

    Raises:
        ImportError: matplotlib is missing.
    """
    figure, axes = _figure(7.2, 4.4)
    widths = [block.width for block in parameters.anynet().blocks()]
    drawn = list(widths)
    blocks = np.arange(len(widths))
    if isinstance(parameters, RegNetParameters):
        derivation = parameters.explain()
        drawn += [*derivation.continuous, *derivation.quantized]
        axes.plot(
            blocks,
            derivation.continuous,
            color=_GREY,
            linewidth=1.2,
            marker=".",
            markersize=4,
            label=f"$u_j = {parameters.w0} + {parameters.wa:g}\\,j$ (eq. 2)",
        )
        _steps(axes, derivation.quantized, "$w_j$, quantized (eq. 4)", _ORANGE, "--", 3)
        _steps(axes, widths, "final width, fits the groups", _BLUE, "-", 2)
    else:
        _steps(axes, widths, "width", _BLUE, "-", 2)
    _stage_labels(axes, parameters.anynet())
    axes.set_yscale("log", base=2)
    low, high = min(drawn), max(drawn)
    axes.set_ylim(low / 1.35, high * 1.5)
    axes.set_xlim(-0.75, len(widths) - 0.25)
    axes.set_yticks(_width_ticks(low, high))
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("block $j$")
    axes.set_ylabel("width (channels, log scale)")
    if isinstance(parameters, RegNetParameters):
        axes.legend(loc="lower right", frameon=False, fontsize=9)
    _save(figure, axes, path, title)


def plot_learning_curves(
    history: Sequence[Mapping[str, Any]],
    path: str | os.PathLike[str],
    title: str | None = None,
) -> None:
    """Draws loss, accuracy and learning rate over the epochs.

    Args:
        history: One mapping per epoch, with the keys `epoch`, `learning_rate`,
            `train_loss`, `train_accuracy` and, where there was a validation,
            `validation_loss` and `validation_accuracy`. A value that is absent, None or
            not finite leaves a gap.
        path: The PNG to write.
        title: A heading, or None.

    Raises:
        ValueError: `history` is empty.
        ImportError: matplotlib is missing.
    """
    if not history:
        raise ValueError(f"There must be an epoch to draw. Received: {history!r}")
    figure, (loss, accuracy, rate) = _figure(11.5, 3.6, columns=3)
    epochs = [row["epoch"] for row in history]
    for axes, kind in ((loss, "loss"), (accuracy, "accuracy")):
        for part, color in (("train", _GREY), ("validation", _BLUE)):
            values = _column(history, f"{part}_{kind}")
            if np.isfinite(values).any():
                _curve(axes, epochs, values, color, label=part)
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
    _curve(rate, epochs, _column(history, "learning_rate"), _ORANGE)
    rate.set_ylabel("learning rate")
    rate.set_ylim(bottom=0)
    for axes in (loss, accuracy, rate):
        axes.set_xlabel("epoch")
        axes.grid(color="#e6e6e6")
        axes.xaxis.get_major_locator().set_params(integer=True)
    _save(figure, (loss, accuracy, rate), path, title)


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
    figure, axes = _figure(7.2, 3.6)
    edges = np.repeat(np.arange(len(rates) + 1), 2)[1:-1]
    axes.plot(edges, np.ravel(rates), color=_ORANGE, linewidth=1.6)
    axes.set_xlabel("epochs done")
    axes.set_ylabel("learning rate")
    axes.set_xlim(0, len(rates))
    axes.set_ylim(bottom=0)
    axes.grid(color="#e6e6e6")
    axes.xaxis.get_major_locator().set_params(integer=True)
    _save(figure, axes, path, title)


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
    figure, axes = _figure(side + 0.6, side)
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
            )
    if title:
        axes.set_title(title, fontsize=12)
    _save(figure, (), path, None)


def plot_images(
    rows: Mapping[str, Sequence[np.ndarray]],
    path: str | os.PathLike[str],
    title: str | None = None,
) -> None:
    """Draws rows of small images, each with its name.

    Args:
        rows: Names, and images of shape (height, width, 3) or (height, width, 1),
            uint8; as many in each row.
        path: The PNG to write; or a JPEG, if it is called so.
        title: A heading, or None.

    Raises:
        ValueError: There is nothing to draw, or the rows are not equally long.
        ImportError: matplotlib is missing.
    """
    lengths = {name: len(images) for name, images in rows.items()}
    if len(set(lengths.values())) != 1 or not min(lengths.values()):
        raise ValueError(
            "`rows` must have images, as many in each row. "
            f"Received: {lengths or rows!r}"
        )
    columns = next(iter(lengths.values()))
    figure, axes = _figure(1.6 + 0.9 * columns, 0.92 * len(rows), columns, len(rows))
    for (name, images), row in zip(rows.items(), np.atleast_2d(axes), strict=True):
        for image, cell in zip(images, row, strict=True):
            cell.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255)
            cell.set_axis_off()
        row[0].text(
            -0.06,
            0.5,
            name,
            transform=row[0].transAxes,
            ha="right",
            va="center",
            fontsize=8,
        )
    _save(figure, axes, path, title)


def _figure(
    width: float, height: float, columns: int = 1, rows: int = 1
) -> tuple[Any, Any]:
    """A figure on the Agg canvas, and its axes."""
    figure_module = optional.require("matplotlib.figure", "plots")
    agg = optional.require("matplotlib.backends.backend_agg", "plots")
    figure = figure_module.Figure(figsize=(width, height), layout="constrained")
    agg.FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns)


def _save(figure: Any, axes: Any, path: str | os.PathLike[str], title: Any) -> None:
    for each in np.atleast_1d(axes).ravel():
        each.spines[["top", "right"]].set_visible(False)
    if title:
        figure.suptitle(title, fontsize=12)
    photographs = os.fspath(path).lower().endswith((".jpg", ".jpeg"))
    with files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=130, format="jpeg" if photographs else "png")


def _column(history: Sequence[Mapping[str, Any]], key: str) -> np.ndarray:
    values = [row.get(key) for row in history]
    return np.array([np.nan if v is None else float(v) for v in values])


def _curve(axes: Any, x: Any, y: np.ndarray, color: str, label: Any = None) -> None:
    y = np.where(np.isfinite(y), y, np.nan)
    marker = "o" if len(y) <= 30 else None
    axes.plot(
        x, y, color=color, linewidth=1.6, marker=marker, markersize=3, label=label
    )


def _steps(
    axes: Any, widths: Sequence[int], label: str, color: str, line: str, order: int
) -> None:
    """A horizontal line per block and the edges between them."""
    edges = np.arange(len(widths) + 1) - 0.5
    axes.stairs(
        widths,
        edges,
        baseline=None,
        color=color,
        linestyle=line,
        linewidth=2.4 if line == "-" else 1.4,
        label=label,
        zorder=order,
    )


def _stage_labels(axes: Any, network: AnyNetParameters) -> None:
    """Bands for the stages, with depth and width above them (up to eight stages)."""
    start = -0.5
    for number, stage in enumerate(network.stages, start=1):
        end = start + stage.depth
        if number % 2 == 0:
            axes.axvspan(start, end, color="#f3f3f3", linewidth=0, zorder=0)
        if len(network.stages) <= 8:
            axes.text(
                (start + end) / 2,
                0.985,
                f"s{number}\n{stage.depth}\u00d7{stage.width}",
                transform=axes.get_xaxis_transform(),
                ha="center",
                va="top",
                fontsize=8,
                color="#555555",
            )
        start = end


def _width_ticks(low: float, high: float) -> list[float]:
    """Powers of two, and the halves between them where there are few."""
    powers = [2.0**k for k in range(22) if low / 1.35 <= 2.0**k <= high * 1.5]
    if len(powers) >= 4:
        return powers
    return sorted(powers + [1.5 * p for p in powers if 1.5 * p <= high * 1.5])
