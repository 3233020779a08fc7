"""A study as text, to be kept under version control; and back.

A line of JSON for the facts, then one for each network. The same study gives the same
bytes, and what is imported gives them again.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from keras_regnet.design_space import database
from keras_regnet.design_space.records import COLUMNS, RUNNING, WAITING, Record, to_text
from keras_regnet.design_space.study_file import StudyFile
from keras_regnet.files import local_path, replacing, write_text
from keras_regnet.training.run_directory import naming

_KIND = "keras_regnet design space study"


def export_study(study: StudyFile, path: str | os.PathLike[str]) -> None:
    """Writes a study as text, atomically.

    Networks that are being trained are written as waiting ones. Values that a network
    does not have yet are left out.

    Args:
        study: The study.
        path: The file, customarily `*.jsonl`.

    Raises:
        OSError: It cannot be written.
    """
    lines = [{"kind": _KIND, "format": database.FORMAT, "facts": study.facts()}]
    for record in study.records():
        values = dict(zip(COLUMNS, record.to_row(), strict=True))
        for name in ("network", "errors", "train_errors", "train_losses", "seconds"):
            if values[name] is not None:
                values[name] = json.loads(values[name])
        if values["status"] == RUNNING:
            values |= {"status": WAITING, "attempts": values["attempts"] - 1}
        lines.append({k: v for k, v in values.items() if v is not None})
    path = local_path(path, "path")
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, "".join(to_text(line) + "\n" for line in lines))


def import_study(source: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Makes the file of a study from an export, atomically.

    Args:
        source: What `export_study` wrote.
        path: The file to make; there must be none.

    Raises:
        FileNotFoundError: There is no such export.
        ValueError: It is damaged or of a later format, or the study exists already.
        OSError: The study cannot be written.
    """
    source, path = Path(source), local_path(path, "path")
    if path.exists():
        raise ValueError(
            "An export is read into a new study. Move the old one away, or go on with "
            f"it. Received: {path}"
        )
    try:
        lines = source.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise _damaged(source, 1, str(error)) from None
    facts, records = _facts(source, lines[:1]), _records(source, lines[1:])
    # Said before the file is made, as its path would not be.
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            _write(temporary, facts, records)


def _facts(source: Path, lines: list[str]) -> dict[str, Any]:
    head = _parsed(source, 1, lines[0] if lines else "")
    if head.get("kind") != _KIND or not isinstance(head.get("facts"), dict):
        raise _damaged(source, 1, "not the beginning of an export")
    version = head.get("format")
    if not isinstance(version, int) or version > database.FORMAT:
        raise ValueError(
            f"{source} was written by a later version of keras_regnet; this one reads "
            f"formats up to {database.FORMAT}. Received: format {version!r}"
        )
    return head["facts"]


def _records(source: Path, lines: Iterable[str]) -> list[Record]:
    records = []
    for number, line in enumerate(lines, start=2):
        values = _parsed(source, number, line)
        try:
            record = Record(**values | {"network": to_text(values["network"])})
            Record.to_row(record)
        except (TypeError, KeyError) as error:
            raise _damaged(source, number, str(error)) from None
        records.append(record)
    return records


def _parsed(source: Path, number: int, line: str) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except ValueError as error:
        raise _damaged(source, number, str(error)) from None
    if not isinstance(values, dict):
        raise _damaged(source, number, repr(values)[:80])
    return values


def _damaged(source: Path, number: int, what: str) -> ValueError:
    return ValueError(
        f"{source} is damaged, or no export of a study: line {number}. Received: {what}"
    )


def _write(path: Path, facts: dict[str, Any], records: list[Record]) -> None:
    connection = database.connect(path, writing=True)
    try:
        # One whole file, which can be renamed.
        connection.execute("PRAGMA journal_mode = DELETE")
        with database.transaction(connection, path):
            connection.executemany(
                "INSERT INTO facts VALUES (?, ?)",
                [(name, to_text(value)) for name, value in facts.items()],
            )
            connection.executemany(
                database.INSERT, [record.to_row() for record in records]
            )
    finally:
        connection.close()
