"""How the pictures look: colours, lines, panels, and errors in percent."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from keras_regnet.design_space.results import PopulationResults
from keras_regnet.plots.canvas import new_figure

INK, FAINT = "#434c58", "#dfe3e8"
# Okabe and Ito's colours, which can be told apart with any colour vision.
COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#707070",
)
GOOD, BAD = COLOURS[:2]
# Four kinds of lines to seven colours: 28 spaces before a pair comes again.
LINES = ("-", (0, (5, 1.6)), (0, (1.4, 1.2)), (0, (6, 1.4, 1.4, 1.4)))
RAMP = (GOOD, "#8f9aa6", BAD)  # from the best network to the worst
SMALL, NORMAL = 8, 9  # points
# What a page's style may replace, by the names of its variables.
VARIABLES: Mapping[str, str] = MappingProxyType(
    {INK: "ink-2", FAINT: "line"}
    | {colour: f"series-{number}" for number, colour in enumerate(COLOURS, start=1)}
)


def line_style(place: int) -> dict[str, Any]:
    """Colour and kind of the line of a space, by its place among all."""
    return {
        "color": COLOURS[place % len(COLOURS)],
        "linestyle": LINES[place % len(LINES)],
    }


def percent(errors: Any) -> np.ndarray:
    """Errors as percentages."""
    return 100 * np.asarray(errors, dtype=np.float64)


def ramp() -> Any:
    """The colours from the best rank, 0, to the worst, 1."""
    from matplotlib.colors import LinearSegmentedColormap  # needs `plots`

    return LinearSegmentedColormap.from_list("ranks", RAMP)


def panels(
    count: int, columns: int, size: tuple[float, float]
) -> tuple[Any, list[Any]]:
    """A figure with so many axes, in rows.

    Args:
        count: How many.
        columns: In a row, at most.
        size: Width and height of each in inches.
    """
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    figure, grid = new_figure(
        max(3.6, size[0] * columns), size[1] * rows + 0.35, columns, rows
    )
    cells = np.atleast_1d(grid).ravel().tolist()
    for cell in cells[count:]:
        cell.remove()
    return figure, cells[:count]


def columns_of(count: int) -> int:
    """How many panels of middle size stand in a row."""
    return 2 if count == 4 else min(count, 3)


def share(axes: Sequence[Any], columns: int, x: bool = False) -> None:
    """Gives all axes the errors of the first, written at the left of a row."""
    for place, each in enumerate(axes[1:], start=1):
        each.sharey(axes[0])
        if x:
            each.sharex(axes[0])
        each.tick_params(labelleft=place % columns == 0)


def dress(axes: Any, title: str = "", xlabel: str = "", ylabel: str = "") -> None:
    """Labels, a grid, and ink that a page's style can replace."""
    if title:
        axes.set_title(textwrap.fill(title, 44), fontsize=SMALL, color=INK)
    axes.set_xlabel(xlabel, fontsize=SMALL, color=INK)
    axes.set_ylabel(ylabel, fontsize=SMALL, color=INK)
    axes.grid(color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(FAINT)
    axes.tick_params(
        which="both", color=FAINT, labelcolor=INK, labelsize=SMALL, length=2.5
    )


def legend(parent: Any, title: str | None = None, **options: Any) -> None:
    """A legend of axes, or of a whole figure, in the same ink."""
    box = parent.legend(
        frameon=False, fontsize=SMALL, labelcolor=INK, title=title, **options
    )
    box.get_title().set(fontsize=SMALL, color=INK)


def legend_below(figure: Any, title: str | None = None) -> None:
    """A legend of all lines of a figure, below it, in as many columns as it has room.

    Args:
        figure: A figure of one panel.
        title: Its heading.
    """
    longest = max(len(line.get_label()) for line in figure.axes[0].lines)
    room = int(14 * figure.get_size_inches()[0])  # letters, of which a line takes 10
    columns = max(1, min(5, room // (longest + 10)))
    legend(figure, title, loc="outside lower center", ncols=columns)


def shortened(name: str, most: int = 22) -> str:
    """A name without its middle, where it has too many letters for a small panel."""
    if len(name) <= most:
        return name
    return f"{name[: most // 2]}\N{HORIZONTAL ELLIPSIS}{name[-(most // 2 - 1) :]}"


def few_ticks(axis: Any, values: Any, most: int = 4) -> None:
    """Few steps between the ticks of a linear axis; whole ones for whole numbers."""
    whole = bool(np.all(np.asarray(values) % 1 == 0))
    axis.get_major_locator().set_params(nbins=most, integer=whole)


def plain_numbers(axis: Any) -> None:
    """Ticks as `0.5`, never as a power of ten."""
    axis.set_major_formatter(lambda value, _: f"{value:g}")


def doubling(axis: Any, values: Any) -> None:
    """A logarithmic scale with ticks at powers of two, where the values are above 0."""
    low, high = float(np.min(values)), float(np.max(values))
    axes = axis.axes
    setter = axes.set_xscale if axis.axis_name == "x" else axes.set_yscale
    setter("log", base=2)
    powers = [2.0**k for k in range(-10, 31) if low / 1.2 <= 2.0**k <= high * 1.2]
    if len(powers) < 2:
        powers = sorted({float(f"{v:.2g}") for v in (low, math.sqrt(low * high), high)})
    axis.set_ticks(powers[:: math.ceil(len(powers) / 6)])
    axis.minorticks_off()
    plain_numbers(axis)


def upper_end(errors: np.ndarray) -> float:
    """Up to which error (percent) a picture shows.

    All of them; but where a few lie far above the rest, as networks that learnt
    nothing do, the rest would be squeezed into a corner.
    """
    low, nearly_all, highest = np.quantile(errors, (0, 0.9, 1))
    end = max(
        highest if low == nearly_all else nearly_all + 1.5 * (nearly_all - low), low
    )
    return float(errors[errors <= end].max())


def error_limits(results: Sequence[PopulationResults]) -> tuple[float, float]:
    """The errors (percent) that a picture of these spaces shows, with a margin."""
    errors = np.concatenate([percent(each.errors) for each in results])
    low, high = float(errors.min()), upper_end(errors)
    margin = 0.04 * (high - low) or 0.5
    return max(0.0, low - margin), high + margin


def beyond(axes: Any, x: Any, errors: np.ndarray, end: float) -> int:
    """Marks at the upper edge the points above `end`; returns their number."""
    above = errors > end
    if above.any():
        axes.plot(
            np.asarray(x)[above],
            np.full(int(above.sum()), end),
            linestyle="none",
            marker="^",
            markersize=4,
            color=BAD,
            clip_on=False,
        )
    return int(above.sum())


def outside(count: int, end: float) -> str:
    """Words for networks that a picture does not show where they are."""
    if not count:
        return ""
    networks = "network" if count == 1 else "networks"
    return f"{count} {networks} above {end:.3g} %"
