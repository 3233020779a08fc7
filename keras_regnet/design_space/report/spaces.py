"""The spaces of a study as tables: what they are, and how their errors compare."""

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence

from keras_regnet.design_space.comparison import Comparison
from keras_regnet.design_space.pairs import Pair, pairs
from keras_regnet.design_space.results import PopulationResults
from keras_regnet.training.report.html import element, table
from keras_regnet.training.report.wording import percent

_DASH = "\N{EN DASH}"


def spaces_table(
    results: Sequence[PopulationResults], acceptance: Mapping[str, float]
) -> ET.Element:
    """What each space is, and its errors."""
    head = ["space", "degrees of freedom", "combinations", "done", "failed", "left"]
    head += ["best error", "median", "mean"]
    if acceptance:
        head.append("draws accepted")
    rows = []
    for each in results:
        errors = each.distribution
        row = [
            each.name,
            each.space.degrees_of_freedom,
            f"{each.space.size:.2g}",
            len(each),
            each.failed,
            each.left,
            percent(errors.best),
            percent(_median(each)),
            percent(errors.mean),
        ]
        if acceptance:
            share = acceptance.get(each.name)
            row.append(_DASH if share is None else percent(share))
        rows.append(row)
    return table("The spaces", head, rows, numbers=range(1, len(head)))


def comparison_tables(results: Sequence[PopulationResults]) -> list[ET.Element]:
    """All pairs, as sampled and at equal flops; nothing of a single space."""
    both = list(pairs(results))
    if not both:
        return []
    words = (
        "Two-sample Kolmogorov-Smirnov comparisons: D is the greatest distance of two "
        "distributions, p the probability of such a distance, or a greater one, if "
        f"there were no difference. The level is {percent(0.05, 0)} for each pair"
    )
    if len(both) > 1:
        words += (
            f"; of {len(both)} pairs without any difference, {0.05 * len(both):.2g} "
            "would be called different on average"
        )
    return [
        element("p", words + "."),
        _table("As sampled", both, [pair.comparison() for pair in both]),
        element(
            "p",
            "The same with weights that give both spaces of a pair the same "
            "distribution of flops; probabilities are approximate.",
        ),
        _table("At equal flops", both, [pair.matched_comparison() for pair in both]),
    ]


def variances_table(results: Sequence[PopulationResults]) -> ET.Element | None:
    """How much networks and seeds vary; None where each network has a single seed."""
    rows = []
    for each in results:
        found = each.variances()
        if found is not None:
            seeds = len(each.records[0])
            values = (found.networks, found.seeds, found.ratio)
            rows.append([each.name, seeds, *(f"{value:.3g}" for value in values)])
    if not rows:
        return None
    head = ["space", "seeds", "between networks", "between seeds", "ratio"]
    return table(
        "Variance of the errors, in squared percentage points",
        head,
        rows,
        numbers=range(1, len(head)),
    )


def verdict(pair: Pair, comparison: Comparison) -> str:
    """What a comparison says, in words."""
    if not comparison.significant:
        return "cannot be told apart"
    better = (pair.first, pair.second)[comparison.better]
    return f"differ: {better.name} has more networks up to {percent(comparison.at)}"


def _table(
    caption: str, both: Sequence[Pair], comparisons: Sequence[Comparison | None]
) -> ET.Element:
    head = ["pair", "networks", "D", "p", "D detectable from", "verdict"]
    rows = []
    for pair, found in zip(both, comparisons, strict=True):
        name = f"{pair.first.name} and {pair.second.name}"
        if found is None:
            none = "no networks of equal flops"
            rows.append([name, *[_DASH] * 4, none])
            continue
        detectable = f"{found.detectable:.3f}" if found.detectable <= 1 else "none"
        rows.append(
            [
                name,
                f"{found.sizes[0]}, {found.sizes[1]}",
                f"{found.distance:.3f}",
                found.p_text,
                detectable,
                verdict(pair, found),
            ]
        )
    return table(caption, head, rows, numbers=range(1, 5))


def _median(results: PopulationResults) -> float:
    ordered = sorted(results.errors.tolist())
    middle = len(ordered) // 2
    return (ordered[middle] + ordered[-middle - 1]) / 2
