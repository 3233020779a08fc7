"""The folder of a training run: what it was asked, what happened, what came out."""

import csv
import errno
import io
import json
import os
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keras_regnet.files import FolderLock, local_path, write_text

# Where the data are, and what the configuration is called.
OF_EACH_MACHINE = ("data.data_dir", "data.download", "recipe")

# What may change while a run goes on: that, and when files are written.
_MAY_DIFFER = (
    *OF_EACH_MACHINE,
    "training.checkpoint_every_epochs",
    "training.checkpoint_every_minutes",
    "training.checkpoint_every_steps",
    "training.keep_checkpoints",
    "training.log_every_steps",
    "training.steps_per_execution",
)


# What may change after a loss that was not finite, and is written down.
_MAY_CHANGE = ("learning_rate", "on_nan")


class RunDirectory:
    """A folder that belongs to one configuration.

    Attributes:
        path: The folder.
        checkpoints: The folder of the checkpoints.
        tensorboard: The folder of the TensorBoard events.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = local_path(path, "run_dir")
        self._lock = FolderLock(
            self.path / "run.lock", "Another Trainer is at work in this run directory."
        )
        self.checkpoints = self.path / "checkpoints"
        self.tensorboard = self.path / "tensorboard"

    def open(
        self,
        configuration: Mapping[str, Any],
        environment: Mapping[str, Any],
        resume: bool,
    ) -> None:
        """Claims the folder for a run, before any work is done.

        Writes `config.json`, unless a run goes on.

        Args:
            configuration: What must be the same to go on (JSON types).
            environment: What is only recorded: versions, command line, devices.
            resume: Whether a run that is already there goes on.

        Raises:
            ValueError: The folder holds a run, and `resume` is False or the
                configuration is another; the message names what differs. Or another
                process trains in it; the message says which.
            OSError: The folder cannot be written.
        """
        with naming(self.path):
            for folder in (self.path, self.checkpoints, self.tensorboard):
                folder.mkdir(parents=True, exist_ok=True)
        self.claim(configuration, environment, resume)
        with naming(self.path):
            for left_by_a_kill in self.checkpoints.glob(".*.tmp*"):
                left_by_a_kill.unlink(missing_ok=True)

    def claim(
        self,
        configuration: Mapping[str, Any],
        environment: Mapping[str, Any],
        resume: bool,
    ) -> None:
        """As `open`, for a folder whose training is in folders below it.

        Raises:
            ValueError: As `open`.
            OSError: As `open`.
        """
        with naming(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = self._lock.acquire(shared=True)
            # A file of some size, so that a full disk is noticed here.
            write_text(self.path / "probe.txt", "." * 65536)
            (self.path / "probe.txt").unlink()
            for left_by_a_kill in self.path.glob(".*.tmp*"):
                if left_by_a_kill.is_file():
                    left_by_a_kill.unlink(missing_ok=True)
        configuration = json.loads(json.dumps(configuration))
        stored = self.read_json("config.json")
        if stored is None:
            self.write_json(
                "config.json",
                {"configuration": configuration, "environment": dict(environment)},
            )
            return
        before = stored.get("configuration", {})
        changes = {}
        if resume and self.read_json("result.json") is None:
            asked = configuration.get("training", {})
            of_before = before.get("training", {})
            changes = {
                name: asked[name]
                for name in _MAY_CHANGE
                if name in asked and of_before.get(name, asked[name]) != asked[name]
            }
            if changes:
                before = before | {"training": of_before | changes}
        if differences := differing(before, configuration):
            raise ValueError(
                f"{self.path} holds a run of another configuration. Choose another "
                "run directory, or repeat that run's settings. Received: "
                + "; ".join(differences)
            )
        if not resume:
            raise ValueError(
                f"{self.path} already holds a run. Go on with it by --resume "
                "(resume=True), or choose another run directory. "
                "Received: resume=False"
            )
        if changes:
            self.write_json(
                "config.json",
                {
                    **stored,
                    "configuration": before,
                    "earlier": [
                        *stored.get("earlier", ()),
                        {name: of_before[name] for name in changes},
                    ],
                },
            )
            warnings.warn(
                f"{self.path} goes on with "
                + ", ".join(
                    f"{name}={value!r} (before: {of_before[name]!r})"
                    for name, value in changes.items()
                ),
                stacklevel=2,
            )

    @contextmanager
    def training(self) -> Iterator[None]:
        """Holds the folder within the block, for this alone, and lets go of it then.

        Raises:
            ValueError: Another has it; the message says who.
        """
        with naming(self.path):
            self._lock = self._lock.acquire(shared=True)
        self._lock.in_use = True
        try:
            yield
        finally:
            self._lock.release()

    def read_json(self, name: str) -> Any | None:
        """The content of a JSON file of the run, or None where there is none.

        Raises:
            ValueError: The file is not JSON.
        """
        path = self.path / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ValueError(f"{path} must be a JSON file. Received: {error}") from None

    def write_json(self, name: str, value: Any) -> None:
        """Writes a JSON file of the run, atomically."""
        with naming(self.path / name):
            write_text(self.path / name, json.dumps(value, indent=2) + "\n")

    def write_log(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Writes `log.csv`, a row per epoch, as a whole."""
        text = io.StringIO()
        names = list(dict.fromkeys(name for row in history for name in row))
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
        with naming(self.path / "log.csv"):
            write_text(self.path / "log.csv", text.getvalue())

    def clear_tensorboard(self) -> None:
        """Removes the event files; whoever goes on writes them anew."""
        for path in self.tensorboard.rglob("events.out.tfevents.*"):
            path.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Makes an OSError within the block say which path could not be written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            reason += " (is it read-only?)"
        elif error.errno in (errno.ENOSPC, errno.EDQUOT):
            reason += " (the disk or quota is full)"
        raise OSError(error.errno, f"Cannot write {path}: {reason}") from error


def differing(
    before: Any,
    now: Any,
    name: str = "",
    absent: str = "(none)",
    words: tuple[str, str] = ("before", "now"),
    may_differ: Collection[str] = _MAY_DIFFER,
) -> list[str]:
    """Lists where two nested JSON values differ, as `a.b: 1 before, 2 now`."""
    if isinstance(before, dict) and isinstance(now, dict):
        found = []
        for key in sorted(set(before) | set(now)):
            found += differing(
                before.get(key, absent),
                now.get(key, absent),
                f"{name}.{key}" if name else key,
                words=words,
                may_differ=may_differ,
            )
        return found
    if before == now or name in may_differ:
        return []
    return [f"{name}: {before!r} {words[0]}, {now!r} {words[1]}"]
