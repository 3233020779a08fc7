"""Files that are either whole or absent: written aside, then renamed into place."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
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


def keras_home() -> Path:
    """The folder in which Keras keeps its cache: KERAS_HOME, by default `~/.keras`.

    Keras has no public function for it; the rule is that of `keras.utils.get_file`.
    """
    home = os.environ.get("KERAS_HOME")
    if home:
        return Path(home).expanduser()
    base = Path.home()
    return (base if os.access(base, os.W_OK) else Path("/tmp")) / ".keras"
