"""Files from the network, kept in Keras' cache folder.

`keras.utils.get_file` is not used: it cannot go on with a download that was cut off,
takes only whole checksums (torchvision publishes the first 8 digits), writes under the
final name while it loads, has no time limit, and lets two processes write one file.
"""

import contextlib
import hashlib
import os
import re
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from keras_regnet.files import is_at, keras_home, local_path
from keras_regnet.weights.transfer import (
    Interrupted,
    Partial,
    Refused,
    Unreachable,
    shown,
    transfer,
)

try:
    import fcntl
except ImportError:  # Windows: each process loads for itself, nothing is resumed.
    fcntl = None

_PAUSES = (1.0, 2.0, 4.0)  # seconds before the second, third and fourth attempt


class DownloadError(OSError):
    """A file could not be had; the message names its URL and what to do instead."""


def fetch(
    url: str,
    *,
    file_name: str,
    sha256: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Path:
    """The file at `url`, from the cache or else downloaded into it.

    A file in the cache whose checksum is right is returned without any request. A
    download goes to a file beside it, is checked, and renamed: under the final name
    there is only ever a whole file. If it is cut off it is gone on with, four times at
    most, and by the next call. Of several processes that want one file the first loads
    it, the others wait.

    Args:
        url: http or https.
        file_name: Under which it is kept; without a folder.
        sha256: Its SHA-256 in hexadecimal digits, or the first 8 or more of them. None
            only for sources that publish none; then the length has to be right.
        cache_dir: The folder; by default `models` in Keras' cache (`KERAS_HOME`,
            by default `~/.keras`). Other programs use that, too: where it has another
            file of this name, that stays, and `models/keras_regnet/files` is taken.
        progress: Whether to show a bar, in a terminal or notebook.

    Returns:
        The path of the file.

    Raises:
        ValueError: An argument is impossible.
        DownloadError: The file is not there and could not be loaded, or is not the one
            that was expected. The cache has no trace of it then, unless the download
            can be resumed.
    """
    check(url, file_name, sha256)
    folder = (
        keras_home() / "models"
        if cache_dir is None
        else local_path(cache_dir, "cache_dir")
    )
    path = folder / file_name
    try:
        whole = _is_whole(path, sha256)
        if not whole and cache_dir is None and path.exists():
            path = own_folder("files") / file_name
            whole = _is_whole(path, sha256)
        if not whole:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(path, progress) as file:
                _load(url, file, path, sha256, progress)
    except (Refused, Interrupted, Unreachable) as error:
        raise failure(url, path, str(error)) from error
    except OSError as error:
        raise DownloadError(
            f"The cache folder {path.parent} cannot be used: {error}. Name another by "
            f"the environment variable KERAS_HOME, or load {url} by hand and give its "
            f"path as the weights. Received: cache_dir={cache_dir!r}"
        ) from error
    return path


def _load(
    url: str, file: BinaryIO, path: Path, sha256: str | None, progress: bool
) -> None:
    """Downloads into `file`, checks it, and gives it its final name.

    Unless another process has done so in the meantime.
    """
    partial = Partial(file, _beside(path, ".part.json"), sha256 is not None)
    keep = False
    try:
        if _is_whole(path, sha256):
            return
        if progress and shown():
            print(f"Downloading {url} to {path}")
        if _attempts(url, partial, progress) and not _is_whole(file.name, sha256):
            partial.begin(url, "")  # The older bytes may be of another version.
            _attempts(url, partial, progress)
        verify(file.name, sha256)
        os.fsync(file.fileno())
        if fcntl is None:
            file.close()
        os.replace(file.name, path)
    except (Interrupted, Unreachable, KeyboardInterrupt):
        keep = fcntl is not None and partial.mark(url) is not None
        raise
    finally:
        if not keep:
            Path(file.name).unlink(missing_ok=True)
            partial.notes.unlink(missing_ok=True)


def _attempts(url: str, partial: Partial, progress: bool) -> bool:
    """Transfers, with patience; whether the file is of several parts."""
    for pause in _PAUSES:
        try:
            return transfer(url, partial, progress)
        except Interrupted:
            time.sleep(pause)
    return transfer(url, partial, progress)


@contextlib.contextmanager
def _alone(path: Path, progress: bool) -> Iterator[BinaryIO]:
    """The file that a download goes to, locked against other processes.

    The lock is on the file itself, so that nothing is left of it, and it ends with the
    process, however that ends. Who waited may hold a file that has been renamed or
    removed in the meantime, and begins again.
    """
    if fcntl is None:
        with open(_beside(path, f".{os.getpid()}.part"), "a+b") as file:
            yield file
        return
    name = _beside(path, ".part")
    while True:
        with open(name, "a+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if progress and shown():
                    print(f"Another process is downloading {path.name}; waiting")
                fcntl.flock(file, fcntl.LOCK_EX)
            if is_at(file.fileno(), name):
                yield file
                return


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f".{path.name}{suffix}")


def _is_whole(path: str | Path, sha256: str | None) -> bool:
    try:
        verify(path, sha256)
    except (Refused, FileNotFoundError):
        return False
    return True


def own_folder(source: str) -> Path:
    """Where files are kept whose names and checksums do not tell whose they are."""
    return keras_home() / "models" / "keras_regnet" / source


def verify(path: str | Path, sha256: str | None) -> None:
    """Checks a file's digest.

    Raises:
        Refused: It is another.
        FileNotFoundError: There is no such file.
    """
    with open(path, "rb") as file:
        if sha256 is None:
            return
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(sha256.lower()):
        raise Refused(
            f"it is not the file that was published: its SHA-256 begins with "
            f"{digest[: max(8, len(sha256))]}, not {sha256.lower()}"
        )


def check(url: str, file_name: str, sha256: str | None) -> None:
    """Checks the arguments of `fetch`.

    Raises:
        ValueError: One is impossible.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            f"`url` must be an address of http or https. Received: url={url!r}"
        )
    if not file_name.strip(".") or re.search(r"[/\\\0]", file_name):
        raise ValueError(
            "`file_name` must be the name of a file, without a folder. Received: "
            f"file_name={file_name!r}"
        )
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{8,64}", sha256):
        raise ValueError(
            "`sha256` must be 8 to 64 hexadecimal digits, or None. Received: "
            f"sha256={sha256!r}"
        )


def failure(url: str, place: str | Path, why: str) -> DownloadError:
    """The error that says why, and what to do without a network."""
    return DownloadError(
        f"The download failed: {why.rstrip('.')}. Without a network, load it elsewhere "
        "and give the path of the file as the weights, or put it at "
        f"{place}. Received: {url}"
    )
