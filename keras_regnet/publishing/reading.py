"""Published models read back: found, checked, and built anew as Keras models."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from keras_regnet.models import AnyNet
from keras_regnet.publishing import layout, metadata
from keras_regnet.publishing.metadata import Metadata

MODEL_FILE = "model.keras"
_VARIABLE = "KERAS_REGNET_SAVED_MODELS"
_FOLDER = "saved_models"
_PUBLISHED = re.compile(r"[^/\\]+(/\d+)?")
"""A name, or `name/version`; anything else is a path."""


def default_directories() -> list[Path]:
    """Where published models are looked for by name.

    That is the folder in the environment variable KERAS_REGNET_SAVED_MODELS, or
    else `saved_models` in the working directory and in a checkout of this package.
    """
    if os.environ.get(_VARIABLE):
        return [Path(os.environ[_VARIABLE]).expanduser()]
    found = [Path(_FOLDER), Path(__file__).parents[2] / _FOLDER]
    return [folder for folder in found if folder.is_dir()]


def find_published(
    name_or_path: str | os.PathLike[str],
    directory: str | os.PathLike[str] | None = None,
) -> Path:
    """Finds the folder of one version.

    Args:
        name_or_path: A published name, of which the newest version counts; or
            `name/version`; or the path of a version's folder or of a model's.
        directory: Where names are looked for, and nowhere else; see
            `default_directories`. A path is one from here, too. Without it a name in
            KERAS_REGNET_SAVED_MODELS wins over a folder of the working directory.

    Returns:
        The version's folder.

    Raises:
        ValueError: There is none.
    """
    directories = [Path(directory)] if directory else default_directories()
    here = [Path()]
    if directory and _PUBLISHED.fullmatch(os.fspath(name_or_path)):
        here = []
    named = directory or os.environ.get(_VARIABLE)
    for place in (*directories, *here) if named else (*here, *directories):
        folder = place / name_or_path
        known = [folder, *(folder / str(n) for n in reversed(layout.versions(folder)))]
        # Numbers are also the names of classes' folders and of others.
        for path in known[:2]:
            if (path / metadata.FILE).is_file():
                return path
    known = ", ".join(each.name for each in _published(directories)) or "none"
    there = "They are looked for in folders named saved_models; there is none."
    if directories:
        there = f"In {', '.join(map(str, directories))} there are: {known}."
    raise ValueError(
        f"There is no such published model, nor a folder with its {metadata.FILE}. "
        f"{there} Received: {str(name_or_path)!r}"
    )


def is_published(name_or_path: str | os.PathLike[str]) -> bool:
    """Whether a name or path is that of a published model."""
    try:
        find_published(name_or_path)
    except ValueError:
        return False
    return True


def read_metadata(
    name_or_path: str | os.PathLike[str],
    directory: str | os.PathLike[str] | None = None,
) -> Metadata:
    """What is known about a published model; its checksums are compared first.

    Raises:
        ValueError: There is none, or one of its files is damaged.
    """
    path = find_published(name_or_path, directory)
    layout.check_checksums(path)
    return metadata.read(path)


def load_published(
    name_or_path: str | os.PathLike[str],
    trainable: bool = True,
    include_top: bool = False,
    *,
    directory: str | os.PathLike[str] | None = None,
    pooling: str | None = "avg",
    **options: Any,
) -> keras.Model:
    """A published model as a Keras model, built from its metadata and its weights.

    Args:
        name_or_path: See `find_published`.
        trainable: Whether its weights can be trained. (A frozen batch normalisation
            keeps its statistics, too.)
        include_top: Whether with the published classifier. Otherwise the model ends in
            features.
        directory: Where names are looked for.
        pooling: Without the classifier: `"avg"`, `"max"`, or None for the last feature
            map.
        **options: Further arguments of `AnyNet` in place of the published ones, for
            example `classes` (the classifier is then new), `input_shape`,
            `classifier_activation`, `dropout` or `dtype`.

    Returns:
        A functional model, from pixels of 0 to 255 where the metadata says
        `include_preprocessing`.

    Raises:
        ValueError: There is no such model, it is damaged, or an option is impossible.
    """
    path = find_published(name_or_path, directory)
    layout.check_checksums(path)
    return build(path, metadata.read(path), trainable, include_top, pooling, **options)


def build(
    path: Path,
    known: Metadata,
    trainable: bool = True,
    include_top: bool = True,
    pooling: str | None = "avg",
    **options: Any,
) -> keras.Model:
    """As `load_published`, for a folder that has been checked."""
    arguments = known.build_arguments()
    if include_top and known.task == metadata.TASKS[1]:
        raise ValueError(
            "This model was published without a classifier: include_top must be "
            f"False. Received: include_top=True for {path}"
        )
    head = ("classes", "classifier_activation", "dropout")
    if not include_top:
        if options.get("feature_maps"):
            pooling = None
        arguments = {key: arguments[key] for key in arguments if key not in head}
        arguments |= {"include_top": False, "pooling": pooling}
    if unknown := sorted(set(options) & {"weights", "include_preprocessing"}):
        raise ValueError(
            "These arguments belong to the published weights and cannot be others. "
            f"Received: {unknown}"
        )
    arguments |= options
    try:
        model = AnyNet(known.network, weights=path / MODEL_FILE, **arguments)
    except ValueError as error:
        raise ValueError(f"{path} cannot be loaded: {error}") from error
    model.trainable = trainable
    return model


def list_published(
    directory: str | os.PathLike[str] | None = None, verbose: bool = True
) -> list[Metadata]:
    """The newest version of each published model; prints them as a table.

    Args:
        directory: Where to look; see `default_directories`.
        verbose: Whether to print.
    """
    directories = [Path(directory)] if directory else default_directories()
    found = list(_published(directories))
    if verbose:
        for line in _table(found, directories):
            print(line)
    return found


def _published(directories: list[Path]) -> Iterator[Metadata]:
    seen = set()
    for directory in directories:
        for folder in sorted(directory.iterdir()) if directory.is_dir() else ():
            known = layout.versions(folder)
            if not known or folder.name in seen:
                continue
            newest = folder / str(known[-1])
            if (newest / metadata.FILE).is_file():
                seen.add(folder.name)
                yield metadata.read(newest)


def _table(found: list[Metadata], directories: list[Path]) -> Iterator[str]:
    if not found:
        yield (
            "No published models in "
            f"{', '.join(map(str, directories)) or f'./{_FOLDER}'}."
        )
        return
    rows = [("name", "version", "top-1", "parameters", "multiply-adds", "image")]
    for each in found:
        top1 = each.metrics.get("top1")
        rows.append(
            (
                each.name,
                str(each.version),
                "-" if top1 is None else f"{100 * top1:.2f} %",
                f"{each.parameters:,}",
                f"{each.multiply_adds / 1e6:,.1f} M",
                "x".join(map(str, each.shape)),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = zip(row, widths, strict=True)
        yield "  ".join(f"{cell:{width}}" for cell, width in cells).rstrip()
