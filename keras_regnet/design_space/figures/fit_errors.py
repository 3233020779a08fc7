"""Error against the distance from a quantized linear rule (section 3.3), per space."""

from collections.abc import Sequence

from keras_regnet.design_space.figures.look import (
    columns_of,
    dress,
    error_limits,
    panels,
    percent,
    share,
)
from keras_regnet.design_space.figures.picture import Picture
from keras_regnet.design_space.figures.properties import scatter
from keras_regnet.design_space.results import PopulationResults


def draw_fit_errors(results: Sequence[PopulationResults]) -> Picture:
    """e_fit against the error, a panel per space on the same axes.

    Args:
        results: Of at least one space.
    """
    columns = columns_of(len(results))
    figure, cells = panels(len(results), columns, (3.0, 2.5))
    share(cells, columns, x=True)
    limits = error_limits(results)
    words = []
    for place, (axes, each) in enumerate(zip(cells, results, strict=True)):
        fits = each.table["e_fit"]
        low, median, high = scatter(axes, each, "e_fit", limits)
        hidden = int((percent(each.errors) > limits[1]).sum())
        title = each.name + (f" ({hidden} above)" if hidden else "")
        dress(axes, title, "e_fit", "error (%)" if place % columns == 0 else "")
        words.append(
            f"{each.name}: e_fit from {fits.min():.3g} to {fits.max():.3g}, that of "
            f"the best {median:.3g} ({low:.3g} to {high:.3g})"
        )
    end = max(float(each.table["e_fit"].max()) for each in results) or 0.1
    cells[0].set_xlim(-0.03 * end, 1.05 * end)
    return Picture(
        "fit_errors",
        "Error against e_fit, the distance from a quantized linear rule",
        "Scatters of error against e_fit. " + "; ".join(words),
        figure,
    )
