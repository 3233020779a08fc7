"""Looking into a study: its facts and its networks."""

import contextlib
import json
import os
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any, Self

from keras_regnet.design_space import database
from keras_regnet.design_space.records import DONE, STATUSES, WAITING, Record
from keras_regnet.design_space.regime import Regime
from keras_regnet.files import local_path


class StudyFile:
    """A study to look at. `read` gives one; use it as a context.

    Attributes:
        path: The file.
        regime: How its networks are trained, without `data_dir`.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, held: contextlib.ExitStack
    ) -> None:
        self.path = path
        self._connection = connection
        self._held = held
        regime = self.fact("regime")
        if regime is None:
            raise ValueError(f"Nothing was written to this study yet. Received: {path}")
        self.regime = Regime.from_dict(regime)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Opens a study to look at it, also while another process goes on with it.

        Reading needs no right to write.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is damaged, no study, empty, or of a later format.
        """
        path = local_path(path, "study")
        with contextlib.ExitStack() as held:
            connection = database.connect(path, writing=False)
            held.callback(connection.close)
            return cls(path, connection, held.pop_all())

    def close(self) -> None:
        """Closes the file."""
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fact(self, name: str) -> Any:
        """A fact about the study, or None; see `facts`."""
        return self.facts().get(name)

    def facts(self) -> dict[str, Any]:
        """All facts: `regime`, `data`, `sessions`, and `space:NAME` for each space."""
        with database.naming(self.path):
            rows = self._connection.execute("SELECT name, value FROM facts").fetchall()
        return {row["name"]: json.loads(row["value"]) for row in rows}

    def spaces(self) -> list[str]:
        """The names of the spaces, in the order in which they were added."""
        with database.naming(self.path):
            rows = self._connection.execute(
                "SELECT space FROM networks GROUP BY space ORDER BY min(id)"
            ).fetchall()
        return [row["space"] for row in rows]

    def records(
        self, *, space: str | None = None, status: str | None = None
    ) -> list[Record]:
        """The networks, in the order of their numbers.

        Args:
            space: Of this space alone.
            status: Of this status alone.
        """
        if status is not None and status not in STATUSES:
            raise ValueError(f"status must be one of {STATUSES}. Received: {status!r}")
        given = {"space": space, "status": status}
        given = {name: value for name, value in given.items() if value is not None}
        where = " AND ".join(f"{name} = ?" for name in given) or "1"
        with database.naming(self.path):
            rows = self._connection.execute(
                f"SELECT * FROM networks WHERE {where} ORDER BY id",
                tuple(given.values()),
            ).fetchall()
        return [Record.from_row(row) for row in rows]

    def counts(self) -> dict[str, Counter[str]]:
        """How many networks of each space have each status."""
        found: dict[str, Counter[str]] = {space: Counter() for space in self.spaces()}
        with database.naming(self.path):
            rows = self._connection.execute(
                "SELECT space, status, count(*) FROM networks GROUP BY space, status"
            ).fetchall()
        for space, status, count in rows:
            found[space][status] = count
        return found

    def waiting(self) -> bool:
        """Whether a network waits."""
        return any(counts[WAITING] for counts in self.counts().values())

    def best_errors(self) -> dict[str, float]:
        """The least error after the last epoch, for each space that has one."""
        best: dict[str, float] = {}
        for record in self.records(status=DONE):
            best[record.space] = min(record.error, best.get(record.space, 1.0))
        return best
