"""The error after every epoch of all networks, by their rank at the end."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_regnet.design_space.figures.look import (
    BAD,
    GOOD,
    INK,
    columns_of,
    dress,
    legend,
    panels,
    percent,
    plain_numbers,
    ramp,
    share,
)
from keras_regnet.design_space.figures.picture import Picture
from keras_regnet.design_space.results import PopulationResults

_LARGE_RATIO = 4  # from which on errors are drawn over a logarithmic scale


def draw_training_curves(results: Sequence[PopulationResults]) -> Picture:
    """Thin lines from the best (blue) to the worst (orange), a panel per space.

    The best, the median and the worst network are drawn strongly.

    Args:
        results: Of at least one space.
    """
    columns = columns_of(len(results))
    figure, cells = panels(len(results), columns, (3.1, 2.7))
    share(cells, columns, x=True)
    colours = ramp()
    lowest, highest, epochs = np.inf, 0.0, 1
    words = []
    for place, (axes, each) in enumerate(zip(cells, results, strict=True)):
        curves, order = percent(each.curves()), each.order()
        x = np.arange(1, curves.shape[1] + 1)
        for rank, row in reversed(list(enumerate(order))):
            colour = colours(rank / max(1, len(order) - 1))
            axes.plot(x, curves[row], color=colour, linewidth=0.6, alpha=0.55)
        for name, row, style in (
            ("worst", order[-1], {"color": BAD, "linestyle": (0, (1.4, 1.2))}),
            ("median", order[(len(order) - 1) // 2], {"color": INK, "linestyle": "--"}),
            ("best", order[0], {"color": GOOD, "linestyle": "-"}),
        ):
            marker = "o" if len(x) == 1 else None
            text = f"{name} {curves[row, -1]:.2f} %"
            axes.plot(x, curves[row], linewidth=2, label=text, marker=marker, **style)
        lowest, highest = min(lowest, curves.min()), max(highest, curves.max())
        epochs = max(epochs, len(x))
        dress(axes, each.name, "epoch", "error (%)" if place % columns == 0 else "")
        legend(axes, loc="upper right")
        words.append(f"{each.name}: " + ", ".join(_texts(axes)))
    cells[0].set_xlim(0.8, epochs + 0.2)
    cells[0].xaxis.get_major_locator().set_params(integer=True)
    if lowest > 0 and highest > _LARGE_RATIO * lowest:
        _logarithmic(cells, lowest, highest)
    else:
        room = highest - lowest or 1.0
        cells[0].set_ylim(max(0.0, lowest - 0.05 * room), highest + 0.4 * room)
    return Picture(
        "training_curves",
        "Error after every epoch, from best (blue) to worst (orange)",
        "Error over the epochs of all networks; at the end " + "; ".join(words),
        figure,
    )


def _texts(axes: Any) -> list[str]:
    texts = [line.get_label() for line in axes.lines]
    return [text for text in texts if not text.startswith("_")]


def _logarithmic(cells: Sequence[Any], low: float, high: float) -> None:
    """A logarithmic scale of percent, with room for the legend above."""
    ticks = [t * 10.0**k for k in range(-3, 3) for t in (1, 2, 5)]
    ticks = [t for t in ticks if low / 1.15 <= t <= high * 1.15]
    cells[0].set_yscale("log")
    cells[0].set_ylim(low / 1.15, high * (high / low) ** 0.4)
    cells[0].set_yticks(ticks)
    for axes in cells:
        plain_numbers(axes.yaxis)
        axes.minorticks_off()
