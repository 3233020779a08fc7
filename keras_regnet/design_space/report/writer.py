"""Writes the report: the headline, and the sections in their order."""

import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from keras_regnet import files, optional
from keras_regnet.design_space.figures import (
    draw_edfs,
    draw_fit_errors,
    draw_matched_edfs,
    draw_networks,
    draw_properties,
    draw_random_search,
    draw_ranks,
    draw_training_curves,
)
from keras_regnet.design_space.figures.writer import check
from keras_regnet.design_space.networks import KINDS
from keras_regnet.design_space.records import FAILED, Record
from keras_regnet.design_space.report.look import STYLE, drawing
from keras_regnet.design_space.report.making import (
    making_section,
    regime_words,
    seconds,
)
from keras_regnet.design_space.report.networks import (
    best_networks_table,
    failed_table,
)
from keras_regnet.design_space.report.properties import (
    best_ranges_table,
    correlations_table,
)
from keras_regnet.design_space.report.spaces import (
    comparison_tables,
    spaces_table,
    variances_table,
)
from keras_regnet.design_space.results import (
    PopulationResults,
    done_networks,
    results_of,
)
from keras_regnet.design_space.study_file import StudyFile
from keras_regnet.training.report.html import document, element, section
from keras_regnet.training.report.wording import duration, percent
from keras_regnet.training.run_directory import naming
from keras_regnet.version import __version__

_LEAST = 2  # networks of a space


def write_study_report(
    study: StudyFile,
    path: str | os.PathLike[str],
    names: Sequence[str] | None = None,
    kinds: Mapping[str, type] = KINDS,
    acceptance: Mapping[str, float] | None = None,
) -> Path:
    """Writes the report of a study: one HTML file without scripts or other files.

    A study that is not finished is reported with what there is, and the report says
    so. Spaces with fewer than two networks that are done are named and left out.

    Args:
        study: The study.
        path: The file to write.
        names: Of these spaces alone.
        kinds: See `networks.encode`.
        acceptance: The share of the draws that made a network, by the spaces' names,
            where it is known; see `Sample.acceptance`.

    Returns:
        The file.

    Raises:
        ValueError: A space is not in the study, or no space has two networks done.
        ImportError: matplotlib is missing.
        OSError: The report cannot be written.
    """
    optional.require("matplotlib", "plots")
    path = files.local_path(path, "path")
    done = done_networks(study, names)
    chosen = [name for name, count in done.items() if count >= _LEAST]
    if not chosen:
        raise ValueError(
            f"No space of {study.path} has {_LEAST} networks that are done: train them "
            f"first. Received: {done}"
        )
    results = results_of(study, chosen, kinds)
    check(results)
    records = [record for name in done for record in study.records(space=name)]
    sections = [
        _errors(results, acceptance or {}),
        _properties(results),
        _networks(results),
        _training(results, records),
        making_section(study, list(done), records),
    ]
    seeds = max(len(each.records[0]) for each in results)
    data = study.fact("data") or {}
    title = f"Design spaces on {study.regime.data}"
    header = [
        element("p", "Design space study", class_="kind"),
        element("h1", title),
        element("p", study.path.name, class_="subtitle"),
        _contents(sections),
    ]
    text = document(
        f"{title}: {', '.join(chosen)}",
        header,
        [element("p", n, class_="note") for n in _notes(study, results, done)],
        element("dl", _headline(results, records), class_="headline"),
        element("section", element("p", regime_words(study.regime, data, seeds))),
        sections,
        element("footer", f"keras_regnet {__version__}"),
        style=STYLE,
    )
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(path, text)
    return path


def _notes(
    study: StudyFile, results: Sequence[PopulationResults], done: Mapping[str, int]
) -> Iterator[str]:
    left = [each for each in results if each.left]
    if left:
        counts = ", ".join(
            f"{each.left} of {each.name} (its numbers are of {len(each)})"
            for each in left
        )
        yield f"The study is not finished. Still to be trained: {counts}."
    shown = {each.name for each in results}
    for name, count in done.items():
        if name not in shown:
            counts = study.counts()[name]
            networks = "1 network is" if count == 1 else f"{count or 'no'} networks are"
            failed = f" ({counts[FAILED]} failed)" if counts[FAILED] else ""
            yield f"{name} is left out: {networks} done{failed}, and two are needed."


def _headline(
    results: Sequence[PopulationResults], records: Sequence[Record]
) -> Iterator[ET.Element]:
    best = min(results, key=lambda each: each.distribution.best)
    done, failed = sum(map(len, results)), sum(each.failed for each in results)
    left = sum(each.left for each in results)
    yield _number("Spaces", len(results), "compared")
    yield _number("Networks", done, f"done; {failed} failed, {left} left")
    yield _number("Best error", percent(best.distribution.best), f"of {best.name}")
    best = min(results, key=lambda each: each.distribution.mean)
    yield _number("Best mean error", percent(best.distribution.mean), f"of {best.name}")
    yield _number("Training", duration(seconds(records)), "of workers' time")


def _number(name: str, value: object, explanation: str) -> ET.Element:
    return element(
        "div",
        element("dt", name),
        element("dd", value, class_="value"),
        element("dd", explanation),
    )


def _contents(sections: Sequence[ET.Element]) -> ET.Element:
    links = (
        element("a", each.find("h2").text, href=f"#{each.get('id')}")
        for each in sections
    )
    return element("nav", links, aria_label="Contents")


def _errors(
    results: Sequence[PopulationResults], acceptance: Mapping[str, float]
) -> ET.Element:
    return section(
        "errors",
        "Errors of the spaces",
        spaces_table(results, acceptance),
        drawing(draw_edfs(results)),
        comparison_tables(results),
        drawing(draw_matched_edfs(results)) if len(results) > 1 else None,
        drawing(draw_random_search(results)),
    )


def _properties(results: Sequence[PopulationResults]) -> ET.Element:
    ranks = [draw_ranks(each) for each in results]
    return section(
        "properties",
        "What good networks have in common",
        correlations_table(results),
        best_ranges_table(results),
        element(
            "p",
            "In the pictures the shaded band is the 95 % range of the best network's "
            "value, the line its median; each point is a network.",
        ),
        drawing(draw_fit_errors(results)),
        [drawing(draw_properties(each)) for each in results],
        [drawing(picture) for picture in ranks if picture is not None],
    )


def _networks(results: Sequence[PopulationResults]) -> ET.Element:
    return section(
        "networks",
        "Best and worst networks",
        ([best_networks_table(each), drawing(draw_networks(each))] for each in results),
    )


def _training(
    results: Sequence[PopulationResults], records: Sequence[Record]
) -> ET.Element:
    return section(
        "training",
        "Training",
        drawing(draw_training_curves(results)),
        variances_table(results),
        failed_table([record for record in records if record.status == FAILED]),
    )
