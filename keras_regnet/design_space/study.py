"""A study: populations of networks, trained in one regime, in a file that goes on."""

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from keras_regnet import provenance
from keras_regnet.design_space import database
from keras_regnet.design_space.networks import KINDS, AnyNetwork, Shape, cost, encode
from keras_regnet.design_space.records import (
    DONE,
    FAILED,
    RUNNING,
    WAITING,
    Record,
    to_text,
)
from keras_regnet.design_space.regime import Regime
from keras_regnet.design_space.study_file import StudyFile
from keras_regnet.design_space.trial import TrialResult
from keras_regnet.files import local_path
from keras_regnet.training.run_directory import differing


class Study(StudyFile):
    """A study to go on with. `open` gives one; use it as a context."""

    @classmethod
    def open(cls, path: str | os.PathLike[str], regime: Regime) -> Self:
        """Opens a study to go on with it, or makes a new one.

        Networks that were being trained when a process died wait again. One process at
        a time may have a study open.

        Args:
            path: The file, on a disk of this machine.
            regime: How its networks are trained.

        Raises:
            ValueError: The file is a study of another regime, is damaged, is no study,
                is of a later format, or is being written by another process.
            OSError: It cannot be written.
        """
        path = local_path(path, "study")
        with contextlib.ExitStack() as held:
            held.enter_context(database.only_writer(path))
            connection = database.connect(path, writing=True)
            held.callback(connection.close)
            with database.transaction(connection, path):
                _claim(connection, path, regime)
                connection.execute(
                    "UPDATE networks SET status = ?, attempts = attempts - 1 "
                    "WHERE status = ?",
                    (WAITING, RUNNING),
                )
            return cls(path, connection, held.pop_all())

    def check_images(self, facts: Mapping[str, Any]) -> None:
        """Makes sure that the images are the study's; a new study takes them as its.

        Args:
            facts: `Images.facts()`.

        Raises:
            ValueError: They are others.
        """
        stored = self.fact("data")
        if stored is None:
            with self._transaction():
                self._set_fact("data", dict(facts))
        elif found := differing(stored, dict(facts), may_differ=()):
            raise ValueError(
                f"The networks of {self.path} were trained with other images: the data "
                "set on this disk has another version. Received: " + "; ".join(found)
            )

    def add(
        self,
        space: str,
        networks: Sequence[AnyNetwork],
        sampling: Mapping[str, Any],
        *,
        input_shape: Shape,
        classes: int,
        seeds: Sequence[int] = (0,),
        kinds: Mapping[str, type] = KINDS,
    ) -> int:
        """Adds the networks of a space, each once per seed, to be trained.

        Those that are there already stay as they are, so that the same call goes on,
        and one with more networks of the same sampling adds those.

        Args:
            space: The space's name.
            networks: In the order of the sampling, no two alike.
            sampling: How they were sampled (JSON types), without their number.
            input_shape: (height, width, channels) of the images.
            classes: Number of classes.
            seeds: With which each network is trained.
            kinds: See `networks.encode`.

        Returns:
            How many were new.

        Raises:
            ValueError: The study has networks of this space that were sampled
                otherwise, or two of the networks are alike.
            OSError: The file cannot be written.
        """
        sampling = json.loads(to_text({**sampling, "seeds": list(seeds)}))
        stored = self.fact(f"space:{space}")
        if stored is not None and (found := differing(stored, sampling, may_differ=())):
            raise ValueError(
                f"{self.path} has networks of the space {space!r} that were sampled "
                "otherwise. Choose another file, or repeat those settings. Received: "
                + "; ".join(found)
            )
        wanted = [(encode(n, kinds), n, seed) for n in networks for seed in seeds]
        if len({(text, seed) for text, _, seed in wanted}) < len(wanted):
            raise ValueError(
                f"The networks of a space must differ, and the seeds too. Received: "
                f"{len(networks)} networks of {space!r} with repetitions"
            )
        there = [(r.network, r.seed) for r in self.records(space=space)]
        for index, (old, new) in enumerate(zip(there, wanted, strict=False)):
            if old != (new[0], new[2]):
                raise ValueError(
                    f"{self.path} has another network at place {index} of the space "
                    f"{space!r}: {old[0]} with seed {old[1]}. Choose another file. "
                    f"Received: {new[0]} with seed {new[2]}"
                )
        with self._transaction():
            self._set_fact(f"space:{space}", sampling)
            first = self._connection.execute("SELECT max(id) FROM networks").fetchone()
            first = (first[0] or 0) + 1 - len(there)
            for position, (text, network, seed) in enumerate(wanted):
                if position >= len(there):
                    counts = cost(network, input_shape, classes)
                    record = Record(
                        first + position, space, position, text, seed, *counts
                    )
                    self._connection.execute(database.INSERT, record.to_row())
        return max(0, len(wanted) - len(there))

    def begin(self) -> Record | None:
        """Takes the next waiting network, whose training begins; None: there is none.

        All spaces advance together: first the first network of each.
        """
        with self._transaction():
            row = self._connection.execute(
                "SELECT * FROM networks WHERE status = ? ORDER BY position, id LIMIT 1",
                (WAITING,),
            ).fetchone()
            if row is None:
                return None
            self._connection.execute(
                "UPDATE networks SET status = ?, attempts = attempts + 1 WHERE id = ?",
                (RUNNING, row["id"]),
            )
        return Record.from_row(row)

    def finish(self, number: int, result: TrialResult, worker: str) -> None:
        """Records what came out of a network that was begun."""
        self._end(
            number,
            status=DONE,
            reason=None,
            errors=to_text(result.errors),
            train_errors=to_text(result.train_errors),
            train_losses=to_text(result.train_losses),
            seconds=to_text(result.seconds),
            ended=_now(),
            worker=worker,
        )

    def fail(self, number: int, reason: str, worker: str) -> None:
        """Records that a network that was begun cannot be trained, and why."""
        self._end(number, status=FAILED, reason=reason, ended=_now(), worker=worker)

    def put_back(self, number: int, reason: str, retries: int, worker: str) -> bool:
        """Records that a worker died over a network: it waits again, or has failed.

        Args:
            number: The network.
            reason: What happened to the worker.
            retries: How many times a network is begun once more.
            worker: Which one it was.

        Returns:
            Whether it waits again.
        """
        with database.naming(self.path):
            (attempts,) = self._connection.execute(
                "SELECT attempts FROM networks WHERE id = ?", (number,)
            ).fetchone()
        if attempts > retries:
            times = "once" if attempts == 1 else f"{attempts} times"
            self.fail(number, f"the worker died ({times}): {reason}", worker)
            return False
        self._end(number, status=WAITING)
        return True

    def put_back_all(self) -> None:
        """Lets the networks that were begun wait, as if they had not been."""
        with self._transaction():
            self._connection.execute(
                "UPDATE networks SET status = ?, attempts = attempts - 1 "
                "WHERE status = ?",
                (WAITING, RUNNING),
            )

    def retry_failed(self) -> int:
        """Lets all networks that failed wait again; returns their number."""
        with self._transaction():
            return self._connection.execute(
                "UPDATE networks SET status = ?, attempts = 0, reason = NULL, "
                "ended = NULL, worker = NULL WHERE status = ?",
                (WAITING, FAILED),
            ).rowcount

    def _end(self, number: int, **values: Any) -> None:
        """Changes a network that is being trained; nothing else can be."""
        changes = ", ".join(f"{name} = ?" for name in values)
        with self._transaction():
            changed = self._connection.execute(
                f"UPDATE networks SET {changes} WHERE id = ? AND status = ?",
                (*values.values(), number, RUNNING),
            ).rowcount
        if changed != 1:
            raise ValueError(
                f"{self.path} has no network of this number that is being trained. "
                f"Received: {number}"
            )

    def _set_fact(self, name: str, value: Any) -> None:
        _set_fact(self._connection, name, value)

    def _transaction(self) -> contextlib.AbstractContextManager[None]:
        return database.transaction(self._connection, self.path)


def _claim(connection: sqlite3.Connection, path: Path, regime: Regime) -> None:
    """Writes the facts of a new study, or compares the regime with those there are."""
    rows = connection.execute("SELECT name, value FROM facts").fetchall()
    facts = {row["name"]: json.loads(row["value"]) for row in rows}
    stored = facts.get("regime")
    if stored is None:
        _set_fact(connection, "regime", regime.identity())
        _set_fact(connection, "regime_digest", regime.digest)
    elif found := differing(stored, regime.identity(), may_differ=()):
        raise ValueError(
            f"{path} is a study of another regime. Choose another file, or repeat its "
            "settings. Received: " + "; ".join(found)
        )
    session = {
        "versions": provenance.versions(),
        "git_commit": provenance.git_commit(),
        "processor": provenance.processor_name(),
    }
    sessions = facts.get("sessions", [])
    if not sessions or {**sessions[-1], "from": None} != {**session, "from": None}:
        _set_fact(connection, "sessions", [*sessions, {"from": _now(), **session}])


def _set_fact(connection: sqlite3.Connection, name: str, value: Any) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, to_text(value))
    )


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
