"""Where published files lie: `<folder>/<name>/<version>/`, whole or not there at all.

That is the layout of TensorFlow Serving, which looks for folders named by a number.
"""

import contextlib
import hashlib
import itertools
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keras_regnet.files import is_at, try_lock

CHECKSUMS = "SHA256SUMS"
LISTED = (
    "metadata.json",
    "model.keras",
    "model_card.md",
    "saved_model.pb",
    "variables/variables.index",
)
"""Files of every published model; with the data of the variables, see `_must_list`."""

_PIECE = re.compile(r"variables/variables\.data-\d{5}-of-(\d{5})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def check_name(name: str) -> None:
    """Checks the name of a published model.

    Raises:
        ValueError: It cannot be the name of a folder everywhere.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.isdigit():
        raise ValueError(
            "A published model's name has letters, digits, '_', '-' and '.', begins "
            f"with a letter or digit, and is no number. Received: {name!r}"
        )


def versions(folder: Path) -> list[int]:
    """The versions in the folder of a published model, the oldest first."""
    if not folder.is_dir():
        return []
    return sorted(
        int(entry.name)
        for entry in folder.iterdir()
        if entry.is_dir() and re.fullmatch(r"[1-9]\d*", entry.name)
    )


@contextmanager
def new_version(folder: Path, version: int | None = None) -> Iterator[tuple[Path, int]]:
    """Yields a folder to write to, which becomes the next version when all went well.

    It stands beside the versions under a name that no server takes for one. When the
    block ends, checksums of everything in it are added, all is flushed to the disk, and
    it is renamed. If the block raises, it is removed; what a killed process left is
    removed by who makes the same version. Several may publish at once, from any
    machine: each gets a version of its own (see `_claim`), and nobody waits.

    Args:
        folder: Of the model; made if absent.
        version: The version to make; by default the next one that nobody makes.

    Yields:
        The folder to write to, and the version.

    Raises:
        ValueError: The version is not positive, or is there already, or somebody makes
            it.
    """
    known = versions(folder)
    if version is not None and (not isinstance(version, int) or version < 1):
        raise ValueError(f"A version is a positive integer. Received: {version!r}")
    if version in known:
        raise ValueError(
            f"{folder} has the versions {known}; published ones are never changed. "
            f"Received: version={version}"
        )
    with contextlib.ExitStack() as stack:
        first = known[-1] + 1 if known else 1
        for number in itertools.count(first) if version is None else (version,):
            if stack.enter_context(_claim(folder, number)):
                break
        else:
            raise ValueError(
                "Somebody else is publishing this version, or was interrupted (then "
                f"remove {folder / f'.{version}.claim'}); without `version` the next "
                f"free one is taken. Received: version={version}"
            )
        temporary = folder / f".{number}.tmp"
        shutil.rmtree(temporary, ignore_errors=True)  # of a process that is gone
        temporary.mkdir()
        try:
            yield temporary, number
            write_checksums(temporary)
            _flush(temporary)
            os.rename(temporary, folder / str(number))
            _flush_entry(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _claim(folder: Path, version: int) -> Iterator[bool]:
    """Tries to become the only one who makes a version; yields whether that worked.

    The claim is a file, `.<version>.claim`, that only one process can create, on any
    file system. It has the id of the running system, and a lock: both go when the
    process is killed, however that is. Who finds the file may take it over where the
    id is that of its own system, so that the lock counts, and nobody holds the lock.
    """
    path = folder / f".{version}.claim"
    boot = _BOOT.read_bytes() if _BOOT.exists() else b""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
            created = True
            os.write(handle, boot)
        except FileExistsError:
            try:
                handle, created = os.open(path, os.O_RDWR), False
            except FileNotFoundError:  # just removed
                continue
        except FileNotFoundError:  # the folder was, by somebody who left it empty
            continue
        break
    try:
        mine = created or (boot and os.pread(handle, 100, 0) == boot)
        if mine:
            locked = try_lock(handle)  # without locks what a killed process left stays
            mine = (created if locked is None else locked) and is_at(handle, path)
        try:
            yield bool(mine and not (folder / str(version)).exists())
        finally:
            if mine:
                path.unlink(missing_ok=True)
    finally:
        os.close(handle)
        with contextlib.suppress(OSError):  # not empty
            folder.rmdir()


def write_checksums(folder: Path) -> None:
    """Writes `SHA256SUMS` of all files in and below a folder, as sha256sum does."""
    lines = [
        f"{_digest(path)}  {path.relative_to(folder).as_posix()}\n"
        for path in _files(folder)
    ]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def check_checksums(folder: Path) -> None:
    """Compares all files with `SHA256SUMS`.

    Raises:
        ValueError: A file was changed, cut off or removed, or there are no checksums,
            or they lack those of a file that every published model has. The message
            names the file. Files that were added do not count.
    """
    sums = folder / CHECKSUMS
    try:
        lines = sums.read_text(encoding="utf-8").splitlines()
        wanted = {name: digest for digest, name in (x.split("  ", 1) for x in lines)}
    except FileNotFoundError:
        raise ValueError(
            "A published model has checksums of its files. Received: "
            f"{folder}, without {CHECKSUMS}"
        ) from None
    except ValueError as error:
        raise ValueError(
            f"{CHECKSUMS} must have lines as sha256sum writes them. Received: {sums}, "
            f"which is damaged ({error})"
        ) from None
    unlisted = _must_list(folder, set(wanted)) - set(wanted)
    if unlisted := sorted(unlisted, key=lambda name: (name not in LISTED, name)):
        raise ValueError(
            f"{CHECKSUMS} must list all files of a published model, and is cut off or "
            f"was changed: {unlisted[0]} is not listed. Received: {sums}"
        )
    found = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    if missing := sorted(set(wanted) - set(found)):
        raise ValueError(
            f"The published model is not complete: {missing[0]} is missing. "
            f"Received: {folder}"
        )
    for name, digest in wanted.items():
        if _digest(found[name]) != digest:
            raise ValueError(
                f"{name} is not the file that was published: it was changed or cut off "
                f"(SHA-256 {_digest(found[name])}, expected {digest}). Get it again. "
                f"Received: {folder}"
            )


def _files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path != folder / CHECKSUMS
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _must_list(folder: Path, listed: set[str]) -> set[str]:
    """Names of files that checksums must be of, whatever is `listed`."""
    found = {path.relative_to(folder).as_posix() for path in _files(folder)}
    inside = {name for name in found if name.split("/")[0] in ("variables", "assets")}
    pieces = [int(each[1]) for each in map(_PIECE.fullmatch, found | listed) if each]
    count = max(pieces, default=1)
    data = {f"variables/variables.data-{n:05}-of-{count:05}" for n in range(count)}
    return {*LISTED, *inside, *data}


def _flush(folder: Path) -> None:
    for path in (*_files(folder), folder / CHECKSUMS):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    for path in folder.rglob("*"):
        if path.is_dir():
            _flush_entry(path)
    _flush_entry(folder)


def _flush_entry(folder: Path) -> None:
    """Brings a folder's list of names to the disk, where the system lets one."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
