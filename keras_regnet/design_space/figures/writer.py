"""All pictures of a study, and their files."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from keras_regnet.architecture import checks
from keras_regnet.design_space.figures.edfs import draw_edfs, draw_matched_edfs
from keras_regnet.design_space.figures.fit_errors import draw_fit_errors
from keras_regnet.design_space.figures.networks import draw_networks
from keras_regnet.design_space.figures.picture import (
    Picture,
    file_name,
    write_picture,
)
from keras_regnet.design_space.figures.properties import draw_properties
from keras_regnet.design_space.figures.random_search import draw_random_search
from keras_regnet.design_space.figures.ranks import draw_ranks
from keras_regnet.design_space.figures.training_curves import draw_training_curves
from keras_regnet.design_space.results import PopulationResults
from keras_regnet.files import local_path
from keras_regnet.training.run_directory import naming

FORMATS = ("png", "svg")


def write_figures(
    results: Sequence[PopulationResults],
    directory: str | os.PathLike[str],
    formats: Sequence[str] = FORMATS,
) -> list[Path]:
    """Writes all pictures of some spaces: `edfs.png`, `networks_regnetx.svg`, ...

    The same results give the same bytes of SVG, with the same matplotlib.

    Args:
        results: What came out of each space, at least two networks of each; see
            `results_of`.
        directory: A folder, which is made where there is none.
        formats: `"png"`, `"svg"`, or both.

    Returns:
        The files.

    Raises:
        ValueError: A space with fewer than two networks, two spaces whose files would
            be called the same, or an unknown format.
        ImportError: matplotlib is missing.
        OSError: A file cannot be written.
    """
    formats = [checks.one_of("formats", each, FORMATS) for each in formats]
    check(results)
    directory = local_path(directory, "directory")
    written = []
    with naming(directory):
        directory.mkdir(parents=True, exist_ok=True)
        for picture in all_pictures(results):
            for suffix in formats:
                path = directory / f"{picture.name}.{suffix}"
                write_picture(picture, path)
                written.append(path)
    return written


def all_pictures(results: Sequence[PopulationResults]) -> Iterator[Picture]:
    """First the pictures of all spaces together, then those of each."""
    yield draw_edfs(results)
    if len(results) > 1:
        yield draw_matched_edfs(results)
    yield draw_random_search(results)
    yield draw_fit_errors(results)
    yield draw_training_curves(results)
    for each in results:
        yield draw_properties(each)
        if (picture := draw_ranks(each)) is not None:
            yield picture
        yield draw_networks(each)


def check(results: Sequence[PopulationResults]) -> None:
    """Refuses results of which not all pictures can be drawn and told apart."""
    if not results or min(map(len, results)) < 2:
        raise ValueError(
            "Pictures need one space or more, each with two networks that are done. "
            f"Received: { ({each.name: len(each) for each in results}) }"
        )
    names = Counter(file_name(each.name) for each in results)
    if max(names.values()) > 1 or "" in names:
        raise ValueError(
            "The files of each space are named after it, by its letters and digits: "
            f"these must differ. Received: {[each.name for each in results]}"
        )
