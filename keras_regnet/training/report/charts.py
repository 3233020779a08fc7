"""Curves as SVG that lives in the page: matplotlib draws, the page's style colours.

matplotlib is imported when a function is called, and drawn on without pyplot. Its
colours are marks here, which become the style's variables, so that one drawing serves
light and dark pages.
"""

import dataclasses
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_regnet import optional
from keras_regnet.training.report.drawing import embedded
from keras_regnet.training.report.html import element

# What may be drawn: mark, variable of the style, and how it differs without colour.
_INK, _FAINT = "#0000f0", "#0000f1"
_ROLES: dict[str, dict[str, Any]] = {
    "steps": {"color": "#0000f2", "linewidth": 0.7, "alpha": 0.75},
    "train": {"color": "#0000f3", "linewidth": 1.3},
    "validation": {"color": "#0000f4", "linewidth": 1.6, "marker": "o"},
    "averaged": {
        "color": "#0000f5",
        "linewidth": 1.6,
        "linestyle": (0, (4, 1.5)),
        "marker": "s",
    },
}
_VARIABLES = {_INK: "ink-2", _FAINT: "line"} | {
    style["color"]: role for role, style in _ROLES.items()
}
_MOST_POINTS = 400
_MOST_MARKERS = 30
# A loss that falls further than this is drawn over a logarithmic scale.
_LARGE_RATIO = 30


@dataclasses.dataclass(frozen=True)
class Curve:
    """A line of a chart.

    Attributes:
        label: Its name in the legend.
        role: What it shows: `"steps"`, `"train"`, `"validation"` or `"averaged"`.
        x: Epochs.
        y: Values; None, or one that is not finite, leaves a gap.
    """

    label: str
    role: str
    x: Sequence[float]
    y: Sequence[float | None]

    def values(self) -> np.ndarray:
        """The values as floats, NaN where there is a gap."""
        y = np.array([np.nan if v is None else v for v in self.y], float)
        return np.where(np.isfinite(y), y, np.nan)

    def drawable(self) -> bool:
        """Whether there is anything to see."""
        return bool(np.isfinite(self.values()).any())


def chart(
    name: str,
    curves: Sequence[Curve],
    alt: str,
    *,
    ylabel: str,
    scale: str = "linear",
    size: tuple[float, float] = (4.4, 2.9),
) -> ET.Element:
    """Draws curves over the epochs.

    Args:
        name: Of the chart, one for each in a page.
        curves: At least one that is drawable.
        alt: What is to be seen, in words.
        ylabel: What is drawn.
        scale: `"linear"`; `"zero"`, from 0 on; `"percent"`, within 0 and 100;
            `"loss"`, logarithmic where the values differ by much. The last two fit
            what comes from the end of the first epoch on.
        size: Width and height in inches at a font of 8 points; the page scales it.

    Returns:
        An `svg` element.

    Raises:
        ImportError: matplotlib is missing.
    """
    matplotlib = optional.require("matplotlib", "plots")
    figure_module = optional.require("matplotlib.figure", "plots")
    settings = {"font.size": 8, "axes.linewidth": 0.7}
    with matplotlib.rc_context(settings):
        figure = figure_module.Figure(figsize=size, layout="constrained")
        _draw(figure.subplots(), [c for c in curves if c.drawable()], ylabel, scale)
        return embedded(figure, name, alt, _VARIABLES)


def legend(curves: Sequence[Curve]) -> ET.Element:
    """What the lines of a chart are, as a list that can wrap."""
    keys = []
    for curve in curves:
        style = _ROLES[curve.role]
        dashes = style.get("linestyle", (0, ()))[1]
        line = element(
            "line",
            x1=0,
            y1=5,
            x2=24,
            y2=5,
            stroke=f"var(--{curve.role})",
            stroke_width=2 * style["linewidth"] ** 0.5,
            stroke_dasharray=" ".join(str(2 * each) for each in dashes) or None,
        )
        sample = element("svg", line, viewBox="0 0 24 10", aria_hidden="true")
        keys.append(element("li", sample, curve.label))
    return element("ul", keys, class_="legend")


def thinned(x: Sequence[float], y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most some hundred points: the means of neighbours that can be told apart."""
    x = np.asarray(x, float)
    if len(x) <= _MOST_POINTS:
        return x, y
    places = np.linspace(0, len(x), _MOST_POINTS + 1).round().astype(int)[:-1]
    counts = np.add.reduceat(np.isfinite(y).astype(float), places)
    sums = np.add.reduceat(np.nan_to_num(y), places)
    sizes = np.diff([*places, len(x)])
    with np.errstate(invalid="ignore"):
        return np.add.reduceat(x, places) / sizes, sums / np.where(
            counts, counts, np.nan
        )


def _draw(axes: Any, curves: Sequence[Curve], ylabel: str, scale: str) -> None:
    places = np.concatenate([np.asarray(curve.x, float) for curve in curves])
    everything = np.concatenate([curve.values() for curve in curves])
    seen = np.isfinite(everything)
    # The steep beginning would take all the height: what comes before the first epoch's
    # end may leave the picture.
    if scale in ("loss", "percent") and (seen & (places >= 1)).any():
        seen &= places >= 1
    everything = everything[seen]
    for curve in curves:
        x, y = thinned(curve.x, curve.values())
        style = dict(_ROLES[curve.role])
        # A line of one point is invisible, and markers of many hide the line.
        single = np.isfinite(y).sum() == 1
        if len(y) > _MOST_MARKERS and not single:
            style.pop("marker", None)
        elif single:
            style.setdefault("marker", "o")
        axes.plot(x, y, label=curve.label, markersize=3, **style)
    low, high = everything.min(), everything.max()
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1
    if scale == "loss" and high > _LARGE_RATIO * low > 0:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.2, high * 1.2)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_formatter(lambda value, _: "")
        ylabel += " (log scale)"
    elif scale == "zero":
        axes.set_ylim(bottom=0)
    elif scale == "percent":
        axes.set_ylim(max(0, low - margin), min(100, high + margin))
    elif scale == "loss":
        axes.set_ylim(low - margin, high + margin)
    axes.set_xlim(left=0)
    axes.set_xlabel("epoch", color=_INK)
    axes.set_ylabel(ylabel, color=_INK)
    axes.grid(color=_FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(_FAINT)
    axes.tick_params(which="both", color=_FAINT, labelcolor=_INK, length=2.5)
    axes.xaxis.get_major_locator().set_params(integer=True)
