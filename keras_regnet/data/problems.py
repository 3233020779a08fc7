"""Images that cannot be used: why, and a record of those met so far."""

import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import tensorflow as tf

from keras_regnet.data.image_files import decode
from keras_regnet.data.orientation import orientation
from keras_regnet.data.picture_sizes import MOST_PIXELS, picture_size
from keras_regnet.data.remote import read_bytes


class DamagedImageError(ValueError):
    """An image cannot be used, and was not to be left out."""


class Problems:
    """What could not be read so far. Several threads may add to it.

    Args:
        strict: Whether the first problem is an error.
        known: Names that are there from the start; nobody is warned of them again.
    """

    def __init__(self, strict: bool = False, known: Iterable[str] = ()) -> None:
        self.strict = strict
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(known, 1)
        self._error: DamagedImageError | None = None

    def __repr__(self) -> str:
        return f"Problems(count={self.count}, names={list(self.names[:3])}...)"

    @property
    def names(self) -> tuple[str, ...]:
        """Each image once, in the order of discovery."""
        with self._lock:
            return tuple(self._counts)

    @property
    def count(self) -> int:
        """How often an image could not be used; each counts anew in every epoch."""
        with self._lock:
            return sum(self._counts.values())

    @property
    def error(self) -> DamagedImageError | None:
        """The error that ended the data, with `strict` or where a batch was all bad.

        tf.data passes errors on as its own, so that whoever iterates gets a
        `tf.errors.OpError` whose message has this one's somewhere in it.
        """
        with self._lock:
            return self._error

    def add(self, name: str, reason: str) -> None:
        """Counts an image, and warns when it is met for the first time.

        Raises:
            DamagedImageError: `strict` is set.
        """
        with self._lock:
            new = name not in self._counts
            self._counts[name] = self._counts.get(name, 0) + 1
        if self.strict:
            raise self.fail(
                f"An image cannot be used ({reason}), and none may be left out. "
                f"Received: {name}"
            )
        if new:
            warnings.warn(f"Skipped an image: {name}: {reason}", stacklevel=2)

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Raises `error` in the place of what tf.data makes of it.

        Raises:
            DamagedImageError: The data have ended with it.
        """
        try:
            yield
        except tf.errors.OpError as error:
            if self.error is not None:
                raise self.error from error
            raise

    def fail(self, message: str) -> DamagedImageError:
        """Keeps an error, the first one, and gives it back to be raised."""
        error = DamagedImageError(message)
        with self._lock:
            self._error = self._error or error
        return error


def reason_for(encoded: bytes) -> str:
    """Why the bytes of an image file cannot be used; empty where they can.

    JPEGs are decoded at an eighth of their size: all the data is read, so that a
    truncated one is found, at about half the cost.
    """
    if not encoded:
        return "the file is empty"
    try:
        with tf.device("/CPU:0"):
            height, width = picture_size(encoded).numpy()
            if height * width > MOST_PIXELS:
                return f"{width} x {height} pixels are too many (at most {MOST_PIXELS})"
            if encoded[:3] == b"\xff\xd8\xff":
                tf.io.decode_jpeg(encoded, channels=3, ratio=8)
            else:
                decode(encoded)
    except tf.errors.OpError as error:
        # TensorFlow puts "{{function_node ...}} " before its reason and the op after.
        reason = (error.message or "").rpartition("}} ")[2].partition(" [Op:")[0]
        return reason.strip() or type(error).__name__
    return ""


def look_at(path: str) -> tuple[str, bool]:
    """Why an image file cannot be used, empty where it can; and whether it is turned.

    Turned or mirrored: by the orientation that a camera noted in it.
    """
    try:
        encoded = read_bytes(path)
    except OSError as error:
        return error.strerror or str(error), False
    return reason_for(encoded), orientation(encoded) != 1


def reason_for_file(path: str) -> str:
    """Why an image file cannot be used; empty where it can."""
    return look_at(path)[0]
