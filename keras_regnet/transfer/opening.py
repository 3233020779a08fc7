"""A trained network by whatever name it has: a run, a Keras file, or published."""

import os
from pathlib import Path

from keras_regnet.data import ImageReader
from keras_regnet.files import local_path
from keras_regnet.publishing import find_published, read_metadata, reading
from keras_regnet.publishing.metadata import FILE, TASKS
from keras_regnet.training.saved_run import SavedRun, load_run


def published_folder(name_or_path: str | os.PathLike[str]) -> Path | None:
    """The folder of a published model; None for a run directory or a `.keras` file.

    Raises:
        ValueError: It is none of them.
    """
    path = local_path(name_or_path, "path")
    if path.suffix == ".keras":
        return None
    if (path / "config.json").is_file() and not (path / FILE).is_file():
        return None
    try:
        return find_published(name_or_path)
    except ValueError as error:
        if path.exists():  # load_run says what is wrong with it
            return None
        raise ValueError(
            "A network is a run directory, a .keras file, or a published model. "
            f"{error}"
        ) from None


def open_run(name_or_path: str | os.PathLike[str]) -> SavedRun:
    """Opens a trained classifier.

    Args:
        name_or_path: A run directory, a `.keras` file, or a published model: its name,
            or the path of its folder.

    Returns:
        The network and what is known about it.

    Raises:
        ValueError: There is no such network, it is damaged, or it is no classifier.
    """
    folder = published_folder(name_or_path)
    if folder is None:
        return load_run(name_or_path)
    known = read_metadata(folder)
    if known.task != TASKS[0]:
        raise ValueError(
            "A classifier is needed, and this was published without one. Received: "
            f"{str(name_or_path)!r}"
        )
    return SavedRun(
        reading.build(folder, known),
        folder,
        None,
        known.class_names,
        reader=ImageReader.from_dict(known.image),
    )
