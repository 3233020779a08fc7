"""`metrics.jsonl`: a JSON object a line, for every so many steps and every epoch."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from keras_regnet.files import write_text
from keras_regnet.training.run_directory import naming


class MetricsFile:
    """Rows that are added to as a run goes on, and never twice.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def go_on(self, step: int, epochs: int) -> None:
        """Leaves out what was written after a step, and half a line of a kill.

        Args:
            step: The last step that is done.
            epochs: Number of epochs that are done: the last step of an epoch may be
                done and the epoch not, where it is still to be judged.
        """
        rows = [
            row
            for row in self.read()
            if row["step"] <= step
            and (row["kind"] != "epoch" or row["epoch"] <= epochs)
        ]
        with naming(self.path):
            write_text(self.path, "".join(_line(row) for row in rows))

    def add(self, *rows: Mapping[str, Any]) -> None:
        """Appends rows; each has its `step`."""
        with naming(self.path), open(self.path, "a", encoding="utf-8") as file:
            file.write("".join(_line(row) for row in rows))
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> list[dict[str, Any]]:
        """All whole rows."""
        return list(_whole_rows(self.path))


def _whole_rows(path: Path) -> Iterable[dict[str, Any]]:
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:  # the process was killed while it wrote the last line
            return


def without_nan(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row for JSON, which has no NaN: null instead."""
    return {key: None if value != value else value for key, value in row.items()}


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(without_nan(row)) + "\n"
