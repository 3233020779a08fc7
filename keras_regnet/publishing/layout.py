"""Where published files lie: `<folder>/<name>/<version>/`, whole or not there at all.

That is the layout of TensorFlow Serving, which looks for folders named by a number.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKSUMS = "SHA256SUMS"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_UNFINISHED = re.compile(r"\.\d+\.(\d+)\.tmp")


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
    removed by the next one.

    Args:
        folder: Of the model; made if absent.
        version: The version to make; by default the next one.

    Yields:
        The folder to write to, and the version.

    Raises:
        ValueError: The version is not positive, or is there already.
    """
    known = versions(folder)
    if version is None:
        version = known[-1] + 1 if known else 1
    elif not isinstance(version, int) or version < 1:
        raise ValueError(f"A version is a positive integer. Received: {version!r}")
    if version in known:
        raise ValueError(
            f"{folder} has the versions {known}; published ones are never changed. "
            f"Received: version={version}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    _remove_unfinished(folder)
    temporary = folder / f".{version}.{os.getpid()}.tmp"
    temporary.mkdir()
    try:
        yield temporary, version
        write_checksums(temporary)
        _flush(temporary)
        os.rename(temporary, folder / str(version))
        _flush_entry(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if not any(folder.iterdir()):
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
        ValueError: A file was changed, cut off or removed, or there are no checksums.
            The message names the file. Files that were added do not count.
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


def _remove_unfinished(folder: Path) -> None:
    """Removes what processes that are gone have left."""
    for entry in folder.iterdir():
        match = _UNFINISHED.fullmatch(entry.name)
        if match and not Path(f"/proc/{match[1]}").exists():
            shutil.rmtree(entry, ignore_errors=True)


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
