"""Empirical distributions of the errors of several spaces."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_regnet.design_space.error_distribution import ErrorDistribution
from keras_regnet.design_space.figures.look import (
    columns_of,
    dress,
    error_limits,
    legend,
    legend_below,
    line_style,
    outside,
    panels,
    percent,
    share,
    shortened,
)
from keras_regnet.design_space.figures.picture import Picture
from keras_regnet.design_space.pairs import Pair
from keras_regnet.design_space.results import PopulationResults


def draw_edfs(results: Sequence[PopulationResults]) -> Picture:
    """The EDF of each space with its pointwise 95 % bootstrap band.

    Args:
        results: Of at least one space.
    """
    figure, (axes,) = panels(1, 1, (7.4, 4.9))
    limits = error_limits(results)
    words = []
    for place, each in enumerate(results):
        distribution = each.distribution
        text = f"{100 * distribution.best:.2f} % | {100 * distribution.mean:.2f} %"
        _curve(
            axes,
            distribution,
            place,
            f"{shortened(each.name, 50)} | {len(each)} | {text}",
            limits,
        )
        words.append(
            f"{each.name}: {len(each)} networks, best {100 * distribution.best:.2f} %, "
            f"mean {100 * distribution.mean:.2f} %"
        )
    errors = np.concatenate([percent(each.errors) for each in results])
    hidden = outside(int((errors > limits[1]).sum()), limits[1])
    xlabel = "error after the last epoch (%)" + (f"; {hidden}" if hidden else "")
    dress(axes, "", xlabel, "share of networks with at most this error")
    axes.set_xlim(limits)
    axes.set_ylim(-0.02, 1.02)
    legend_below(figure, "space | networks | best | mean error")
    return Picture(
        "edfs",
        "Distribution of the errors of each space",
        "Empirical distribution functions of the errors. " + "; ".join(words),
        figure,
    )


def draw_matched_edfs(
    results: Sequence[PopulationResults], cost: str = "flops"
) -> Picture:
    """The EDF of every space but the first beside that of the first, at equal cost.

    Networks are weighted so that both have the same distribution of the cost
    (`matched_weights`). The numbers in the legend are the effective sizes.

    Args:
        results: Of at least two spaces.
        cost: `"flops"`, `"parameters"` or `"activations"`.
    """
    if len(results) < 2:
        raise ValueError(
            "Spaces are matched with the first: there must be two. Received: "
            f"{[each.name for each in results]}"
        )
    first, *others = results
    columns = columns_of(len(others))
    figure, cells = panels(len(others), columns, (3.1, 3.1))
    share(cells, columns)
    limits = error_limits(results)
    words = []
    for place, (axes, other) in enumerate(zip(cells, others, strict=True), start=1):
        pair = Pair(first, other, cost)
        both, comparison = pair.matched(), pair.matched_comparison()
        if both is None:
            title = f"{other.name}: none at equal {cost}"
        else:
            for number, name, distribution, size in zip(
                (0, place),
                (first.name, other.name),
                both,
                comparison.sizes,
                strict=True,
            ):
                mean = f"{100 * distribution.mean:.2f} %"
                _curve(
                    axes,
                    distribution,
                    number,
                    f"{shortened(name)} | {size} | {mean}",
                    limits,
                )
            verdict = "differ" if comparison.significant else "not told apart"
            title = f"D = {comparison.distance:.2f}, {comparison.probability}: "
            title += verdict
            head = "space | networks | mean error"
            legend(axes, head, loc="upper center", bbox_to_anchor=(0.5, -0.2))
        words.append(f"{first.name} and {other.name}: {title}")
        left = (place - 1) % columns == 0
        dress(axes, title, "error (%)", "share of networks" if left else "")
        axes.set_xlim(limits)
        axes.set_ylim(-0.02, 1.02)
    return Picture(
        "edfs_matched",
        f"Errors at equal {cost}, against {first.name}",
        f"Distribution functions at equal {cost}. " + "; ".join(words),
        figure,
    )


def _curve(
    axes: Any,
    distribution: ErrorDistribution,
    place: int,
    text: str,
    limits: tuple[float, float],
) -> None:
    """An EDF as steps from 0 to 1 over the whole width, and its band."""
    band = distribution.band()
    style = line_style(place)
    errors = percent(band.errors)
    end = max(errors[-1], limits[1])
    x = np.concatenate([[min(errors[0], limits[0]), errors[0]], errors, [end]])
    y = np.concatenate([[0, 0], band.edf, [band.edf[-1]]])
    axes.plot(x, y, drawstyle="steps-post", linewidth=1.6, label=text, **style)
    axes.fill_between(
        np.append(errors, end),
        np.append(band.low, band.low[-1]),
        np.append(band.high, band.high[-1]),
        step="post",
        color=style["color"],
        alpha=0.13,
        linewidth=0,
    )
