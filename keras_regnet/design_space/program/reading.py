"""A study to look at: its SQLite file, or an export."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_regnet.design_space.program import flags
from keras_regnet.design_space.results import PopulationResults, results_of
from keras_regnet.design_space.study_export import import_study
from keras_regnet.design_space.study_file import StudyFile


@contextlib.contextmanager
def opened(values: Any) -> Iterator[StudyFile]:
    """The study of `--study`."""
    flags.needed(values, "study")
    path = Path(values.study)
    with contextlib.ExitStack() as stack:
        if path.suffix == ".jsonl":
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            import_study(path, Path(folder, "study.sqlite"))
            path = Path(folder, "study.sqlite")
        study = stack.enter_context(StudyFile.read(path))
        study.path = Path(values.study)
        yield study


@contextlib.contextmanager
def results(values: Any) -> Iterator[list[PopulationResults]]:
    """What came out of the spaces of `--spaces`, or of all."""
    with opened(values) as study:
        yield results_of(study, flags.words(values.spaces))
