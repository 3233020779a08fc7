"""A trained network by whatever name it has: a run, a Keras file, or published."""

import os
from pathlib import Path

from keras_regnet.data import ImageReader
from keras_regnet.publishing import (
    find_published,
    is_published,
    load_published,
    read_metadata,
)
from keras_regnet.publishing.metadata import TASKS
from keras_regnet.training.saved_run import SavedRun, load_run


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
    path = Path(name_or_path)
    run = path.suffix == ".keras" or (path / "config.json").is_file()
    if run or not is_published(name_or_path):
        if not run and not path.exists():
            try:
                find_published(name_or_path)
            except ValueError as error:
                raise ValueError(
                    "A network is a run directory, a .keras file, or a published "
                    f"model. {error}"
                ) from None
        return load_run(path)
    folder = find_published(name_or_path)
    known = read_metadata(folder)
    if known.task != TASKS[0]:
        raise ValueError(
            "A classifier is needed, and this was published without one. Received: "
            f"{str(name_or_path)!r}"
        )
    return SavedRun(
        load_published(folder, include_top=True),
        folder,
        None,
        known.class_names,
        reader=ImageReader.from_dict(known.image),
    )
