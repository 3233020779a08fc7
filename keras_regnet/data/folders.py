"""Image folders: a folder for each class, with or without train and val above them."""

import hashlib
import logging
import os
import struct
import time
import warnings
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import tensorflow as tf

from keras_regnet.data.config import DataConfig
from keras_regnet.data.sources import Source
from keras_regnet.data.splits import FileSplit

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
_VALIDATION_NAMES = ("val", "validation", "valid", "test")
_MANY = 50_000  # files, from which on the check of all of them says how far it is
_MOST_PIXELS = 2**27  # 11,585 x 11,585: more would take 400 MB for one image

_Classes = dict[str, list[str]]


def folder(config: DataConfig, root: Path) -> Source:
    """An image folder: `root/train/<class>/*` and `root/val/<class>/*`, or without.

    The validation folder may also be called validation, valid or test. Where there is
    none, `config.validation_fraction` of each class is held out, by a hash of the
    files' names and `config.split_seed`: adding images moves none between the parts.
    Every file is decoded once here, so that the sizes are exact and a damaged one is
    known by name before the first step.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: No classes, one class, a class without images, or other classes in
            validation than in training.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"The image folder is missing. Received: {root}")
    train_root = root / "train" if (root / "train").is_dir() else root
    classes = _classes(train_root)
    if len(classes) < 2:
        raise ValueError(
            f"{train_root} has one class only. Expected a folder for each of at least "
            f"two. Received: {list(classes)}"
        )
    found = [root / name for name in _VALIDATION_NAMES if (root / name).is_dir()]
    held_out = _classes(found[0]) if train_root != root and found else None
    if held_out is not None and set(held_out) != set(classes):
        raise ValueError(
            f"{train_root} and {found[0]} must have the same classes. Only in "
            f"{train_root.name}: {sorted(set(classes) - set(held_out))}; only in "
            f"{found[0].name}: {sorted(set(held_out) - set(classes))}. "
            f"Received: {root}"
        )
    parts = [part for part in (classes, held_out) if part is not None]
    bad = check([path for part in parts for paths in part.values() for path in paths])
    for part in parts:
        for name, paths in part.items():
            part[name] = [path for path in paths if path not in bad]
            if not part[name]:
                raise ValueError(
                    f"None of the {len(paths)} files of class {name!r} can be "
                    f"decoded; the first: {bad[paths[0]]}. Received: {paths[0]}"
                )
    if held_out is None:
        classes, held_out = _divide(classes, root, config)
    return Source(
        class_names=tuple(classes),
        channels=3,
        size=None,
        default_size=(224, 224),
        train=_split(classes),
        validation=_split(held_out),
        skipped=tuple(bad),
    )


def check(paths: list[str]) -> dict[str, str]:
    """Decodes every file once, on all cores, and warns of each that fails.

    JPEGs are decoded at an eighth of their size: all the data is read, so that a
    truncated one is found, at about half the cost.

    Returns:
        The reason for each file that cannot be used, in the order of `paths`.
    """
    bad = {}
    begin = time.monotonic()
    many = len(paths) > _MANY
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        verdicts = threads.map(_verdict, paths, chunksize=16)
        for done, (path, verdict) in enumerate(zip(paths, verdicts, strict=True), 1):
            if verdict:
                bad[path] = verdict
                warnings.warn(f"Skipped an image: {path}: {verdict}", stacklevel=3)
            if many and done % 10_000 == 0:
                rest = (time.monotonic() - begin) / done * (len(paths) - done)
                logging.getLogger("keras_regnet").warning(
                    "Checked %d of %d images, %.0f s to go", done, len(paths), rest
                )
    if bad:
        warnings.warn(
            f"{len(bad)} of {len(paths)} images were skipped because they cannot be "
            "decoded",
            stacklevel=3,
        )
    return bad


def _verdict(path: str) -> str:
    """Why a file cannot be used; empty where it can."""
    try:
        encoded = Path(path).read_bytes()
        if not encoded:
            return "the file is empty"
        with tf.device("/CPU:0"):
            if encoded[:3] == b"\xff\xd8\xff":
                height, width = tf.image.extract_jpeg_shape(encoded).numpy()[:2]
                if height * width <= _MOST_PIXELS:
                    tf.io.decode_jpeg(encoded, channels=3, ratio=8)
                    return ""
            else:
                height, width = 1, 1
                if encoded[:4] == b"\x89PNG" and len(encoded) > 24:
                    width, height = struct.unpack(">II", encoded[16:24])
                if height * width <= _MOST_PIXELS:
                    tf.io.decode_image(encoded, 3, expand_animations=False)
                    return ""
        return f"{width} x {height} pixels are too many (at most {_MOST_PIXELS})"
    except OSError as error:
        return error.strerror or str(error)
    except tf.errors.OpError as error:
        # TensorFlow puts "{{function_node ...}} " before its reason and the op after.
        reason = (error.message or "").rpartition("}} ")[2].partition(" [Op:")[0]
        return reason.strip() or type(error).__name__


def _classes(root: Path) -> _Classes:
    """The image files of each class, both sorted by name."""
    classes: _Classes = {}
    others: dict[str, int] = {}
    for entry in sorted(root.iterdir()):
        if entry.is_dir() and not entry.name.startswith("."):
            files = [
                os.path.join(folder, name)
                for folder, _, names in os.walk(entry, followlinks=True)
                for name in names
                if not name.startswith(".")
            ]
            images = [f for f in files if f.lower().endswith(EXTENSIONS)]
            classes[entry.name] = sorted(images)
            others[entry.name] = len(files) - len(images)
    if not classes:
        raise ValueError(
            f"{root} has no folders. Expected one for each class, with "
            f"{', '.join(EXTENSIONS)} files in it. Received: {root}"
        )
    if not any(classes.values()):
        raise ValueError(
            f"{root} has no images. Expected {', '.join(EXTENSIONS)} files in a "
            f"folder for each class. Received: folders {list(classes)}"
        )
    if empty := [name for name, paths in classes.items() if not paths]:
        raise ValueError(
            f"{root} has classes without images: {empty} (files of other kinds: "
            f"{[others[name] for name in empty]}). Expected "
            f"{', '.join(EXTENSIONS)} files. Received: {root}"
        )
    return classes


def _divide(
    classes: Mapping[str, list[str]], root: Path, config: DataConfig
) -> tuple[_Classes, _Classes]:
    """Holds out a share of each class, at least one image, by the names' hashes."""

    def rank(path: str) -> bytes:
        name = Path(path).relative_to(root).as_posix()
        return hashlib.sha256(f"{config.split_seed}/{name}".encode()).digest()

    train: _Classes = {}
    validation: _Classes = {}
    for name, paths in classes.items():
        count = max(1, round(len(paths) * config.validation_fraction))
        if count >= len(paths):
            raise ValueError(
                f"Class {name!r} has too few images to hold some out. Expected at "
                f"least 2, and validation_fraction={config.validation_fraction} of "
                f"them fewer than all. Received: {len(paths)}"
            )
        held_out = set(sorted(paths, key=rank)[:count])
        train[name] = [path for path in paths if path not in held_out]
        validation[name] = [path for path in paths if path in held_out]
    return train, validation


def _split(classes: Mapping[str, Iterable[str]]) -> FileSplit:
    pairs = [
        (path, label) for label, paths in enumerate(classes.values()) for path in paths
    ]
    paths, labels = zip(*pairs, strict=True)
    return FileSplit(paths, labels)
