"""The SQLite file of a study: its tables, and what can be wrong with a file.

Every change is one transaction in a write-ahead log, flushed to the disk: whatever is
killed, and whenever, the file holds what was recorded before and nothing by halves.
The log needs a disk of this machine: SQLite's does not work on network file systems.
"""

import contextlib
import errno
import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from keras_regnet.design_space.records import COLUMNS

FORMAT = 1
APPLICATION = 0x52_67_44_53  # marks SQLite files that are studies

_TABLES = (
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE networks (
        id INTEGER PRIMARY KEY,
        space TEXT NOT NULL,
        position INTEGER NOT NULL,
        network TEXT NOT NULL,
        seed INTEGER NOT NULL,
        flops INTEGER NOT NULL,
        parameters INTEGER NOT NULL,
        activations INTEGER NOT NULL,
        status TEXT NOT NULL
            CHECK (status IN ('waiting', 'running', 'done', 'failed')),
        attempts INTEGER NOT NULL,
        reason TEXT,
        errors TEXT,
        train_errors TEXT,
        train_losses TEXT,
        seconds TEXT,
        ended TEXT,
        worker TEXT,
        UNIQUE (space, position),
        UNIQUE (space, network, seed)
    )""",
    "CREATE INDEX by_status ON networks (status, position, id)",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {FORMAT}",
)


INSERT = (
    f"INSERT INTO networks ({', '.join(COLUMNS)}) "
    f"VALUES ({', '.join('?' * len(COLUMNS))})"
)


def connect(path: Path, writing: bool) -> sqlite3.Connection:
    """Opens a study's file, or with `writing` makes it, and looks whether it is whole.

    Raises:
        FileNotFoundError: There is no such file, and it is not for writing.
        ValueError: It is no study, damaged, or of a later format.
        OSError: It cannot be read or written.
    """
    if not writing and not path.is_file():
        raise FileNotFoundError(f"There is no study at this path. Received: {path}")
    with naming(path):
        # SQLite's own messages do not say that a folder is missing.
        if writing:
            path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            _check(connection, path)
            if writing:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                _create(connection)
            elif not _exists(connection):
                raise ValueError(f"{path} is no study. Received: an empty file")
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """All changes within the block are made, or none.

    Raises:
        OSError: The file cannot be written: the disk is full, for one.
        ValueError: The file is damaged.
    """
    with naming(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            # A full disk may have undone everything already.
            if connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            raise


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Makes an error of SQLite within the block say which file, and what to do.

    Raises:
        OSError: The file cannot be read or written.
        ValueError: It is damaged, or no SQLite file.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name.startswith("SQLITE_FULL"):
            raise OSError(
                errno.ENOSPC,
                f"Cannot write {path}: the disk or quota is full. What was recorded is "
                "safe; make room and give the same command again",
            ) from error
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_CONSTRAINT")):
            raise damaged(path, str(error)) from error
        if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY")):
            raise OSError(
                errno.EIO, f"Cannot read or write {path}: {error}. Is the disk full?"
            ) from error
        raise


def damaged(path: Path, what: str) -> ValueError:
    """The error of a file that cannot be trusted."""
    return ValueError(
        f"{path} is damaged, or no study. Move it away, and begin again from an export "
        f"of it (or anew). Received: {what}"
    )


@contextmanager
def only_writer(path: Path) -> Iterator[IO[bytes]]:
    """Holds the right to write a study; it ends with the process, however that ends.

    A file beside the study is locked: SQLite locks the study itself, in a way that
    opening and closing it once more in this process would undo.

    Raises:
        ValueError: Another process has it.
    """
    lock = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("ab")
    except OSError as error:
        raise OSError(error.errno, f"Cannot write {lock}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                "Another process is training the networks of this study. Wait for it, "
                f"or stop it. Received: {path}"
            ) from None
        yield file


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Refuses a file that is no study, damaged, or of a later format."""
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise damaged(path, found)
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application == APPLICATION and version > FORMAT:
        raise ValueError(
            f"{path} was written by a later version of keras_regnet; this one reads "
            f"formats up to {FORMAT}. Received: format {version}"
        )
    if tables and application != APPLICATION:
        raise ValueError(
            f"{path} is an SQLite file, but no study. Choose another name. "
            f"Received: application id {application:#x}"
        )


def _exists(connection: sqlite3.Connection) -> bool:
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    return found == FORMAT


def _create(connection: sqlite3.Connection) -> None:
    """Makes the tables of a new file, all or none."""
    if _exists(connection):
        return
    connection.execute("BEGIN IMMEDIATE")
    for statement in _TABLES:
        connection.execute(statement)
    connection.execute("COMMIT")
