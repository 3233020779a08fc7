"""Error against each property of the networks of a space."""

from typing import Any

from keras_regnet.design_space.best_range import best_range
from keras_regnet.design_space.correlation import correlations
from keras_regnet.design_space.figures.labels import in_unit, is_doubling, telling
from keras_regnet.design_space.figures.look import (
    BAD,
    GOOD,
    beyond,
    doubling,
    dress,
    error_limits,
    few_ticks,
    outside,
    panels,
    percent,
    share,
)
from keras_regnet.design_space.figures.picture import Picture, file_name
from keras_regnet.design_space.results import PopulationResults

_COLUMNS = 4


def draw_properties(results: PopulationResults) -> Picture:
    """A scatter of error against each property that differs between the networks.

    The shaded band holds the property of the best network with 95 % (`best_range`),
    the line is its median; Spearman's correlation is above each.

    Args:
        results: Of one space, at least two networks.
    """
    table = telling(results.table)
    found = correlations(table, results.errors, repeats=1)
    figure, cells = panels(len(table), _COLUMNS, (2.35, 1.95))
    share(cells, _COLUMNS)
    limits = error_limits([results])
    words, hidden = [], 0
    for place, (axes, name) in enumerate(zip(cells, table, strict=True)):
        left = place % _COLUMNS == 0
        rho = found[name].spearman
        low, median, high = scatter(axes, results, name, limits)
        _, text = in_unit(name, table[name])
        dress(axes, f"Spearman {rho:+.2f}", text, "error (%)" if left else "")
        words.append(f"{text} {rho:+.2f}, best {median:.3g} ({low:.3g} to {high:.3g})")
        hidden = int((percent(results.errors) > limits[1]).sum())
    title = f"{results.name}: error against each property"
    if hidden:
        title += f" ({outside(hidden, limits[1])})"
    return Picture(
        file_name("properties", results.name),
        title,
        f"Scatters of error against properties of {results.name}, with Spearman's "
        "correlation, and the median and 95 % range of the best: " + "; ".join(words),
        figure,
    )


def scatter(
    axes: Any, results: PopulationResults, name: str, limits: tuple[float, float]
) -> tuple[float, float, float]:
    """A scatter of error against one property with the band of the best.

    Returns:
        Low end, median and high end of the band, in the unit of the axis.
    """
    values, _ = in_unit(name, results.table[name])
    errors = percent(results.errors)
    best = best_range(values, errors)
    axes.axvspan(best.low, best.high, color=BAD, alpha=0.16, linewidth=0)
    axes.axvline(best.median, color=BAD, linewidth=1.3)
    axes.plot(
        values,
        errors,
        linestyle="none",
        marker="o",
        markersize=3.6,
        markeredgewidth=0,
        color=GOOD,
        alpha=0.75,
    )
    beyond(axes, values, errors, limits[1])
    if is_doubling(name) and values.min() > 0:
        doubling(axes.xaxis, values)
    else:
        few_ticks(axes.xaxis, values)
    axes.set_ylim(limits)
    return best.low, best.median, best.high
