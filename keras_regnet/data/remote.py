"""Files of data on this disk, or wherever else TensorFlow can read (gs://, s3://)."""

import dataclasses
import os

import tensorflow as tf

from keras_regnet.files import is_remote


@dataclasses.dataclass(frozen=True)
class FileStat:
    """Size in bytes, and time of the last change in nanoseconds."""

    size: int
    changed: int


def is_folder(path: str) -> bool:
    """Whether there is such a folder."""
    return tf.io.gfile.isdir(path) if is_remote(path) else os.path.isdir(path)


def is_file(path: str) -> bool:
    """Whether there is such a file, that can be reached."""
    if not is_remote(path):
        return os.path.isfile(path)
    try:
        return tf.io.gfile.exists(path)
    except tf.errors.OpError:
        return False


def names_in(path: str) -> list[str]:
    """What is in a folder, sorted."""
    if is_remote(path):
        return sorted(name.rstrip("/") for name in tf.io.gfile.listdir(path))
    return sorted(os.listdir(path))


def why_missing(path: str) -> str:
    """What to add where a folder is missing: what TensorFlow says of a remote one."""
    if not is_remote(path):
        return ""
    try:
        tf.io.gfile.listdir(path)
    except tf.errors.OpError as error:
        return f", or cannot be reached ({error.message})"
    return ""


def stat(path: str) -> FileStat:
    """What `os.stat` says of a file."""
    if is_remote(path):
        found = tf.io.gfile.stat(path)
        return FileStat(found.length, found.mtime_nsec)
    local = os.stat(path)
    return FileStat(local.st_size, local.st_mtime_ns)


def read_bytes(path: str) -> bytes:
    """A whole file.

    Raises:
        OSError: It cannot be read.
    """
    try:
        if is_remote(path):
            with tf.io.gfile.GFile(path, "rb") as file:
                return file.read()
        with open(path, "rb") as file:
            return file.read()
    except tf.errors.OpError as error:
        raise OSError(None, error.message, path) from error
