"""The commands `compare`, `best` and `report`: what a study says."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keras_regnet.architecture import RegNetParameters
from keras_regnet.design_space.best_range import best_range
from keras_regnet.design_space.figures import write_figures
from keras_regnet.design_space.pairs import pairs
from keras_regnet.design_space.program import flags, reading
from keras_regnet.design_space.program.sampling import RULE, rule_numbers
from keras_regnet.design_space.report import write_study_report
from keras_regnet.design_space.results import (
    PopulationResults,
    done_networks,
    plan_of,
    results_of,
)
from keras_regnet.design_space.study_file import StudyFile
from keras_regnet.files import local_path
from keras_regnet.text_table import text_table
from keras_regnet.training.flags import architecture_flags
from keras_regnet.training.report.wording import short

_FEW = 8  # networks, below which ranges of the best say nothing


def run_compare(values: Any) -> None:
    """Prints a table of the spaces, and a comparison of every two."""
    with reading.results(values) as results:
        print(spaces_table(results))
        for line in comparisons(results, values.match, values.significance):
            print(line)


def run_best(values: Any) -> None:
    """Prints the best RegNets within a budget."""
    if values.count < 1:
        raise ValueError(f"--count must be at least 1. Received: {values.count}")
    with reading.results(values) as results:
        for line in best(results, values.max_flops, values.count):
            print(line)


def run_report(values: Any) -> None:
    """Draws the figures and writes the report."""
    flags.needed(values, "output_dir")
    names = flags.words(values.spaces) or None
    folder = local_path(values.output_dir, "output_dir")
    with reading.opened(values) as study:
        counts = done_networks(study, names)
        results = results_of(study, [n for n, count in counts.items() if count > 1])
        for path in write_figures(results, folder, flags.words(values.formats)):
            print(path)
        acceptance = {each.name: _acceptance(study, each) for each in results}
        report = write_study_report(
            study, folder / "report.html", names, acceptance=acceptance
        )
    print(f"All of it on one page: {report}")


def spaces_table(results: Sequence[PopulationResults]) -> str:
    """How many networks of each space, and their errors."""
    head = ("space", "networks", "failed", "left", "best", "median", "mean")
    rows = []
    for each in results:
        errors = each.distribution
        shares = (errors.best, float(np.median(each.errors)), errors.mean)
        numbers = map(str, (len(each), each.failed, each.left))
        rows.append((each.name, *numbers, *map(_percent, shares)))
    text = text_table(head, rows, numbers=range(1, len(head)))
    for each in results:
        if (found := each.variances()) is not None:
            text += (
                f"\n{each.name}: the variance between networks is {found.ratio:.1f} "
                f"times that between seeds ({found.networks:.3f} and {found.seeds:.3f} "
                "squared percentage points)"
            )
    return text


def comparisons(
    results: Sequence[PopulationResults], match: str, significance: float
) -> Iterator[str]:
    """A line for every two spaces, or one that says that there is only one."""
    if len(results) < 2:
        yield "\nThere is only one space: nothing to compare it with."
    for pair in pairs(results, "flops" if match == "none" else match):
        names = f"\n{pair.first.name} and {pair.second.name}"
        if match == "none":
            found = pair.comparison(significance)
        elif (found := pair.matched_comparison(significance)) is None:
            yield f"{names}: no network of the one costs as much as one of the other"
            continue
        yield f"{names}: {found}"
        if found.better is not None:
            better = (pair.first, pair.second)[found.better].name
            yield f"  {better} has more networks below that error."


def best(
    results: Sequence[PopulationResults], max_flops: float | None, count: int
) -> Iterator[str]:
    """The RegNets with the smallest errors, and where the best have their numbers."""
    found = [
        (error, network, space.name, flops)
        for space in results
        for error, network, flops in zip(
            space.errors, space.networks, space.table["flops"], strict=True
        )
        if isinstance(network, RegNetParameters)
    ]
    if not found:
        raise ValueError(
            "Six numbers are those of RegNets, and none of these spaces has any: train "
            "regnetx or regnety. "
            f"Received: {[each.name for each in results]}"
        )
    within = [each for each in found if max_flops is None or each[3] <= max_flops]
    if not within:
        least = min(flops for *_, flops in found)
        raise ValueError(
            f"The smallest RegNet of the study has {least:,.0f} multiply-adds. "
            f"Received: --max_flops={max_flops:g}"
        )
    within.sort(key=lambda each: each[0])
    head = ("space", *RULE, "flops", "error")
    rows = [
        (space, *rule_numbers(network), short(flops), _percent(error))
        for error, network, space, flops in within[:count]
    ]
    table = text_table(head, rows, numbers=range(1, len(head)))
    yield f"The best of {len(within)} RegNets:\n{table}"
    if len(within) >= _FEW:
        yield "\nWhere the best have their numbers (median, and 95 % of bootstraps):"
        errors = [error for error, *_ in within]
        numbers = [rule_numbers(network) for _, network, *_ in within]
        columns = zip(*numbers, strict=True)
        for name, column in zip(RULE, columns, strict=True):
            found_range = best_range([float(text) for text in column], errors)
            yield (
                f"  {name:<2}  {found_range.median:g}  "
                f"({found_range.low:g} to {found_range.high:g})"
            )
    yield "\nTo train the first for longer:"
    yield f"scripts/train.py {' '.join(architecture_flags(within[0][1]))}"


def _acceptance(study: StudyFile, results: PopulationResults) -> float:
    """The share of the draws that made the networks of a space: they are redrawn."""
    networks = len(results) + results.failed + results.left
    return plan_of(study, results.name).sample(networks).acceptance


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
