"""How many random networks are needed."""

from collections.abc import Sequence

import numpy as np

from keras_regnet.design_space.figures.look import (
    dress,
    legend_below,
    line_style,
    panels,
    percent,
    plain_numbers,
    shortened,
    upper_end,
)
from keras_regnet.design_space.figures.picture import Picture
from keras_regnet.design_space.results import PopulationResults


def draw_random_search(results: Sequence[PopulationResults]) -> Picture:
    """The expected error of the best of m random networks, over m.

    Args:
        results: Of at least one space.
    """
    figure, (axes,) = panels(1, 1, (7.4, 4.3))
    words, drawn, most = [], [], 1
    for place, each in enumerate(results):
        expected = percent(each.distribution.expected_best())
        draws = np.arange(1, len(expected) + 1)
        axes.plot(
            draws,
            expected,
            linewidth=1.6,
            label=shortened(each.name, 70),
            **line_style(place),
        )
        color = line_style(place)["color"]
        axes.plot(draws[-1:], expected[-1:], "o", markersize=3.5, color=color)
        drawn.append(expected)
        most = max(most, len(expected))
        middle = min(len(expected), 10)
        words.append(
            f"{each.name}: of 1 {expected[0]:.2f} %, of {middle} "
            f"{expected[middle - 1]:.2f} %, of {len(expected)} {expected[-1]:.2f} %"
        )
    dress(axes, "", "random networks m", "expected error of the best (%)")
    axes.set_xscale("log", base=2)
    plain_numbers(axes.xaxis)
    axes.minorticks_off()
    axes.set_xlim(0.95, most * 1.06)
    errors = np.concatenate(drawn)
    low, high = errors.min(), upper_end(errors)
    margin = 0.05 * (high - low) or 0.5
    axes.set_ylim(max(0.0, low - margin), high + margin)
    legend_below(figure)
    return Picture(
        "random_search",
        "Random search: the expected best of m networks",
        "Expected error of the best of m random networks. " + "; ".join(words),
        figure,
    )
