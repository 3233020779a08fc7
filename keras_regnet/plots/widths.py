"""The width of every block of a network."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_regnet.architecture import AnyNetParameters, RegNetParameters
from keras_regnet.plots.canvas import BLUE, GREY, ORANGE, new_figure, save


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
    figure, axes = new_figure(7.2, 4.4)
    widths = [block.width for block in parameters.anynet().blocks()]
    drawn = list(widths)
    blocks = np.arange(len(widths))
    if isinstance(parameters, RegNetParameters):
        derivation = parameters.explain()
        drawn += [*derivation.continuous, *derivation.quantized]
        axes.plot(
            blocks,
            derivation.continuous,
            color=GREY,
            linewidth=1.2,
            marker=".",
            markersize=4,
            label=f"$u_j = {parameters.w0} + {parameters.wa:g}\\,j$ (eq. 2)",
        )
        _steps(axes, derivation.quantized, "$w_j$, quantized (eq. 4)", ORANGE, "--", 3)
        _steps(axes, widths, "final width, fits the groups", BLUE, "-", 2)
    else:
        _steps(axes, widths, "width", BLUE, "-", 2)
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
    save(figure, axes, path, title)


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
