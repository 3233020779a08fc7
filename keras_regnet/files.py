"""Files that are either whole or absent: written aside, then renamed into place."""

import contextlib
import errno
import os
import re
import secrets
import socket
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, ClassVar
from weakref import WeakValueDictionary

try:
    import fcntl
except ImportError:  # Windows: nothing is locked, and a warning says so.
    fcntl = None


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path that becomes `path` when the block ends well.

    The temporary file or folder stands beside the target and keeps its suffix, since
    many writers choose the format by it. A file is flushed to the disk before the
    rename, so that a power cut leaves the old file or the new one. If the block
    raises, the target stays as it was and what was written aside is removed.

    Args:
        path: The file to create or replace. Its folder must exist.

    Yields:
        The temporary path to write to.

    Raises:
        ValueError: `path` is one of another file system.
    """
    path = local_path(path, "path")
    # In containers that share a folder processes have equal numbers.
    own = secrets.token_hex(4)
    temporary = path.with_name(f".{path.stem}.{own}.tmp{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes UTF-8 text to `path`, atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Whether a path is one of another file system: `gs://`, `s3://`, `ram://`."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/", os.fspath(path)) is not None


def local_path(path: str | os.PathLike[str], name: str) -> Path:
    """A path of this machine's own file systems, `~` expanded.

    Args:
        path: The path.
        name: What it is given as, for the message.

    Raises:
        ValueError: It is one of another file system, of which a folder named `gs:`
            would be made here.
    """
    if is_remote(path):
        raise ValueError(
            f"{name} must be a path on this machine (or mounted on it): its files are "
            "locked, renamed and written in place, which remote file systems cannot "
            f"do. Received: {name}={os.fspath(path)!r}"
        )
    return Path(path).expanduser()


def try_lock(handle: int) -> bool | None:
    """Locks an open file against all other processes, without waiting (`flock`).

    It holds for all processes and containers of a machine and, through its server, for
    all machines of a network file system, and ends with the process, however that ends.

    Returns:
        True; False where another process has it; None where there are no locks: on
        Windows, and on some file systems.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            return None
        raise
    return True


def is_at(handle: int, path: str | os.PathLike[str]) -> bool:
    """Whether an open file still has its name: it may have been renamed or removed."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), os.stat(path))
    return False


class FolderLock:
    """The right to write in a folder; it ends with the process, however that ends.

    The system's own lock of a file, see `try_lock`: none is ever left behind. What the
    file says is for people to read.

    Args:
        path: The file to lock. It stays there.
        what: What nobody else may do meanwhile, for the message.
    """

    _held: ClassVar[WeakValueDictionary[Path, "FolderLock"]] = WeakValueDictionary()

    def __init__(self, path: Path, what: str) -> None:
        self._path = path
        self._what = what
        self._file: IO[str] | None = None
        self._process = 0
        self.in_use = False

    def acquire(self, shared: bool = False) -> "FolderLock":
        """Takes the right, if it is not held already.

        Args:
            shared: Whether another lock of this process, that is not `in_use`, is as
                good.

        Returns:
            The lock that is held: this one or that.

        Raises:
            ValueError: Another has it; the message says who.
            OSError: The file cannot be written.
        """
        if self._is_mine() and not self.in_use:
            return self
        name = self._path.resolve()
        other = self._held.get(name)
        if shared and other is not None and other._is_mine() and not other.in_use:
            return other
        file = self._path.open("a+", encoding="utf-8")  # closed by `release`
        try:
            locked = try_lock(file.fileno())
            if locked is False:
                file.seek(0)
                holder = file.read().strip() or "an unknown process"
                raise ValueError(
                    f"{self._what} Wait for it, or stop it. "
                    f"Received: {self._path.parent}, held by {holder}"
                )
        except BaseException:
            file.close()
            raise
        if locked is None:
            warnings.warn(
                f"The file system of {self._path} has no locks: make sure that nothing "
                "else writes there.",
                stacklevel=3,
            )
        file.truncate(0)
        since = time.strftime("%Y-%m-%d %H:%M:%S%z")
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {since}\n")
        file.flush()
        self._file, self._process = file, os.getpid()
        self._held[name] = self
        return self

    def _is_mine(self) -> bool:
        """Whether it is held, and not by the process that this one was forked from."""
        return self._file is not None and self._process == os.getpid()

    def release(self) -> None:
        """Gives it back, also for forked processes that have the file open."""
        self.in_use = False
        if self._file is not None:
            if fcntl is not None and self._is_mine():
                with contextlib.suppress(OSError):
                    fcntl.flock(self._file, fcntl.LOCK_UN)
            self._file.close()
            self._file = None


def keras_home() -> Path:
    """The folder in which Keras keeps its cache: KERAS_HOME, by default `~/.keras`.

    Keras has no public function for it; the rule is that of `keras.utils.get_file`.

    Raises:
        ValueError: KERAS_HOME is no path of this machine.
    """
    home = os.environ.get("KERAS_HOME")
    if home:
        return local_path(home, "KERAS_HOME")
    base = Path.home()
    return (base if os.access(base, os.W_OK) else Path("/tmp")) / ".keras"
