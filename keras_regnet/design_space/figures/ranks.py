"""Two properties of the networks of a space, coloured by the rank of their errors."""

import numpy as np

from keras_regnet.design_space.figures.labels import in_unit, is_doubling, telling
from keras_regnet.design_space.figures.look import (
    FAINT,
    INK,
    SMALL,
    doubling,
    dress,
    few_ticks,
    panels,
    ramp,
)
from keras_regnet.design_space.figures.picture import Picture, file_name
from keras_regnet.design_space.results import PopulationResults

_PAIRS = (
    ("depth", "mean_width"),
    ("width_ratio", "e_fit"),
    ("wa", "wm"),
    ("g", "depth"),
    ("activations", "parameters"),
)


def draw_ranks(
    results: PopulationResults, pairs: tuple[tuple[str, str], ...] = _PAIRS
) -> Picture | None:
    """Scatters of two properties each; the best networks are blue and large.

    Args:
        results: Of one space, at least two networks.
        pairs: Names of properties; those that are the same in all networks are left
            out. The first three are drawn.

    Returns:
        None where no pair is left.
    """
    table = telling(results.table)
    pairs = tuple(pair for pair in pairs if set(pair) <= set(table))[:3]
    if not pairs:
        return None
    order = results.order()[::-1]  # the best on top
    ranks = np.empty(len(order))
    ranks[order] = np.linspace(1, 0, len(order))
    figure, cells = panels(len(pairs), 3, (3.0, 2.6))
    words = []
    for axes, names in zip(cells, pairs, strict=True):
        columns, texts = zip(*(in_unit(n, table[n]) for n in names), strict=True)
        points = axes.scatter(
            *(column[order] for column in columns),
            c=ranks[order],
            s=34 - 24 * ranks[order],
            cmap=ramp(),
            vmin=0,
            vmax=1,
            linewidths=0,
            alpha=0.85,
        )
        dress(axes, "", *texts)
        for name, column, axis in zip(
            names, columns, (axes.xaxis, axes.yaxis), strict=True
        ):
            if is_doubling(name) and column.min() > 0:
                doubling(axis, column)
            else:
                few_ticks(axis, column)
        best = results.order()[0]
        words.append(
            f"{texts[0]} and {texts[1]}, best at {columns[0][best]:.3g} and "
            f"{columns[1][best]:.3g}"
        )
    bar = figure.colorbar(points, ax=cells, shrink=0.85, aspect=25, pad=0.02)
    bar.set_ticks([0, 0.5, 1], labels=["best", "median", "worst"])
    bar.ax.tick_params(labelsize=SMALL, labelcolor=INK, color=FAINT, length=2.5)
    bar.outline.set_visible(False)
    return Picture(
        file_name("ranks", results.name),
        f"{results.name}: rank of the error over two properties",
        f"Scatters of the networks of {results.name}, coloured by rank: "
        + "; ".join(words),
        figure,
    )
