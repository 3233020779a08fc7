"""What the errors say about properties, as tables with a column per space."""

import math
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence

from keras_regnet.design_space.best_range import best_range
from keras_regnet.design_space.correlation import correlations
from keras_regnet.design_space.figures.labels import label
from keras_regnet.design_space.results import PopulationResults
from keras_regnet.training.report.html import table
from keras_regnet.training.report.wording import short

_DASH = "\N{EN DASH}"
_COUNTS = ("flops", "parameters", "activations")


def correlations_table(results: Sequence[PopulationResults]) -> ET.Element:
    """Spearman's correlation of each property with the error, and its 95 % range."""
    found = {each.name: correlations(each.table, each.errors) for each in results}

    def cell(each: PopulationResults, name: str) -> str:
        one = found[each.name][name]
        if math.isnan(one.spearman):
            return "the same in all"
        low, high = one.spearman_range
        return f"{one.spearman:+.2f} ({low:+.2f} to {high:+.2f})"

    return _table(
        "Spearman's correlation with the error, and its 95 % bootstrap range: below 0, "
        "more of it goes with a smaller error",
        results,
        cell,
    )


def best_ranges_table(results: Sequence[PopulationResults]) -> ET.Element:
    """Where the best networks have each property."""

    def cell(each: PopulationResults, name: str) -> str:
        best = best_range(each.table[name], each.errors)
        low, median, high = (
            number(name, value) for value in (best.low, best.median, best.high)
        )
        return median if low == high else f"{median} ({low} to {high})"

    return _table(
        "Where the best network has each property: median and 95 % range of the "
        "bootstrap",
        results,
        cell,
    )


def number(name: str, value: float) -> str:
    """A value of a property."""
    return short(value) if name in _COUNTS else f"{value:.3g}"


def _table(
    caption: str,
    results: Sequence[PopulationResults],
    cell: Callable[[PopulationResults, str], str],
) -> ET.Element:
    names = list(dict.fromkeys(name for each in results for name in each.table))
    rows = [
        [
            label(name),
            *(cell(each, name) if name in each.table else _DASH for each in results),
        ]
        for name in names
    ]
    head = ["property", *(each.name for each in results)]
    return table(caption, head, rows, numbers=range(1, len(head)))
