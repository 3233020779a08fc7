"""The widths of the best and the worst networks of a space."""

from typing import Any

import numpy as np

from keras_regnet.architecture import fit_quantized_linear
from keras_regnet.design_space.figures.look import (
    BAD,
    GOOD,
    INK,
    doubling,
    dress,
    panels,
    share,
)
from keras_regnet.design_space.figures.picture import Picture, file_name
from keras_regnet.design_space.results import PopulationResults


def draw_networks(results: PopulationResults, count: int = 4) -> Picture:
    """The width of every block of the best networks, and below of the worst.

    Dashed: the quantized linear rule that comes nearest; its distance is e_fit.

    Args:
        results: Of one space, at least two networks.
        count: How many of each; fewer where there are too few.
    """
    count = max(1, min(count, len(results) // 2))
    order = results.order()
    shown = [*range(count), *range(len(order) - count, len(order))]
    figure, cells = panels(2 * count, count, (max(2.3, 4.6 / count), 2.0))
    share(cells, count, x=True)
    words, everything, longest = [], [], 1
    for place, (axes, rank) in enumerate(zip(cells, shown, strict=True)):
        row = order[rank]
        subject = results.space.family.subject(results.networks[row])
        widths = np.repeat(subject.widths, subject.depths).tolist()
        fit = fit_quantized_linear(widths)
        _steps(axes, fit.widths, color=INK, linestyle=(0, (3, 1.5)), linewidth=1.1)
        _steps(axes, widths, color=GOOD if place < count else BAD, linewidth=2)
        everything += [*widths, *fit.widths]
        longest = max(longest, len(widths))
        text = f"{_ordinal(rank + 1)}: {100 * results.errors[row]:.2f} %"
        title = f"{text}, e_fit {fit.error:.2f}"
        left, below = place % count == 0, place >= count
        dress(axes, title, "block" if below else "", "width" if left else "")
        axes.tick_params(labelbottom=below)
        words.append(f"{text}, widths {'-'.join(map(str, subject.widths))}")
    doubling(cells[0].yaxis, everything)
    for axes in cells[1:]:
        axes.minorticks_off()
    cells[0].set_ylim(min(everything) / 1.3, max(everything) * 1.3)
    cells[0].set_xlim(-0.9, longest - 0.1)
    cells[0].xaxis.get_major_locator().set_params(integer=True, nbins=5)
    return Picture(
        file_name("networks", results.name),
        f"{results.name}: widths of the best and worst networks (dashed: nearest rule)",
        f"Width of every block of the {count} best and {count} worst networks of "
        f"{results.name}: " + "; ".join(words),
        figure,
    )


def _steps(axes: Any, widths: Any, **style: Any) -> None:
    axes.stairs(widths, np.arange(len(widths) + 1) - 0.5, baseline=None, **style)


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return str(number) + {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
