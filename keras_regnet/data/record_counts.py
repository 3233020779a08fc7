"""How many records TFRecord files have, read off the lengths in front of them.

A record is its length (8 bytes), a checksum of that (4), its bytes, and a checksum of
those (4). Only the lengths are read here: 12 bytes for each record.
"""

import hashlib
import json
import logging
import os
import struct
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_regnet.data.remote import stat
from keras_regnet.files import is_remote, keras_home, write_text

_AROUND = 16  # bytes of a record besides its own
_SAID_EVERY = 10.0  # seconds


def count_records(paths: Sequence[str]) -> list[int]:
    """The number of records of each file.

    Raises:
        ValueError: A file is no TFRecord file, or it has been cut.
        OSError: A file cannot be read.
    """
    begin = said = time.monotonic()
    counts = []
    with ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as threads:
        for count in threads.map(_count_file, paths):
            counts.append(count)
            now = time.monotonic()
            if now - said > _SAID_EVERY:
                rest = (now - begin) / len(counts) * (len(paths) - len(counts))
                logging.getLogger("keras_regnet").warning(
                    "Counted the records of %d of %d files, %.0f s to go",
                    len(counts),
                    len(paths),
                    rest,
                )
                said = now
    return counts


def _count_file(path: str) -> int:
    if not is_remote(path):
        return _count(Path(path))
    try:  # to read it through takes as long as to ask for every length
        records = tf.data.TFRecordDataset(path)
        return int(records.reduce(np.int64(0), lambda count, _: count + 1))
    except tf.errors.DataLossError as error:
        raise ValueError(
            f"A TFRecord file must be whole ({error.message}). Received: {path}"
        ) from error


def _count(path: Path) -> int:
    size = path.stat().st_size
    at = count = 0
    with open(path, "rb", buffering=0) as file:
        while at < size:
            head = os.pread(file.fileno(), 8, at)
            length = struct.unpack("<Q", head)[0] if len(head) == 8 else size
            at += length + _AROUND
            if at > size:
                raise ValueError(
                    f"A TFRecord file must not end in the middle of record {count}. "
                    f"Received: {path}"
                )
            count += 1
    return count


class Notes:
    """What was found out about files, kept until one of them changes.

    A JSON file in Keras' folder, named after the files' names, sizes and times. Where
    it cannot be written, there is none.

    Args:
        paths: The files.
    """

    def __init__(self, paths: Sequence[str | os.PathLike[str]]) -> None:
        stats = [(os.fspath(path), stat(os.fspath(path))) for path in paths]
        key = json.dumps([(path, found.size, found.changed) for path, found in stats])
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        self.path = keras_home() / "keras_regnet" / "records" / f"{name}.json"

    def read(self) -> dict[str, Any]:
        """What is known; nothing where the file is missing or damaged."""
        try:
            known = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def write(self, known: dict[str, Any]) -> None:
        """Keeps it, if that is possible."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.path, json.dumps(known))
        except OSError as error:
            logging.getLogger("keras_regnet").warning(
                "What was found out about the records cannot be kept: %s", error
            )
