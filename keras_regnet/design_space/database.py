"""The SQLite file of a study: its tables, and what can be wrong with a file.

Every change is one transaction in a write-ahead log, flushed to the disk: whatever is
killed, and whenever, the file holds what was recorded before and nothing by halves.
The log needs a disk of this machine: SQLite's does not work on network file systems.
"""

import contextlib
import errno
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keras_regnet.design_space.records import COLUMNS
from keras_regnet.files import FolderLock

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
        connection = _open(path) if writing else _open_to_read(path)
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


def _open(path: Path, mode: str = "rwc") -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=30, isolation_level=None)


def _open_to_read(path: Path) -> sqlite3.Connection:
    """Opens a file to read, or a copy where SQLite would have to write beside it.

    That is so where nobody writes and this user may not: a writer's own files beside it
    are enough to read along.
    """
    connection = None
    try:
        connection = _open(path, "ro")
        connection.execute("PRAGMA user_version").fetchone()
        return connection
    except sqlite3.OperationalError as error:
        if connection is not None:
            connection.close()
        name = getattr(error, "sqlite_errorname", "") or ""
        if not name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
            raise
    copied = sqlite3.connect(":memory:", isolation_level=None)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "study"
        shutil.copyfile(path, copy)
        log = path.with_name(f"{path.name}-wal")
        if log.is_file():  # of a writer that was killed
            shutil.copyfile(log, f"{copy}-wal")
        with contextlib.closing(_open(copy)) as source:
            source.backup(copied)
    return copied


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
        if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
            raise OSError(
                errno.EACCES,
                f"Cannot read or write {path}: {error}. Is it, or its folder, "
                "read-only for this user?",
            ) from error
        if name.startswith("SQLITE_IOERR"):
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
def only_writer(path: Path) -> Iterator[None]:
    """Holds the right to write a study; it ends with the process, however that ends.

    A file beside the study is locked: SQLite locks the study itself, in a way that
    opening and closing it once more in this process would undo.

    Raises:
        ValueError: Another process has it.
    """
    file = path.with_name(path.name + ".lock")
    lock = FolderLock(
        file, f"Another process is training the networks of the study {path}."
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise OSError(error.errno, f"Cannot write {file}: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


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
