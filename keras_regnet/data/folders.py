"""Image folders: a folder for each class, with or without train and val above them."""

import hashlib
import logging
import os
import warnings
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from keras_regnet.data.config import DataConfig
from keras_regnet.data.problems import DamagedImageError, reason_for_file
from keras_regnet.data.sources import Source
from keras_regnet.data.splits import FileSplit

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
_VALIDATION_NAMES = ("val", "validation", "valid", "test")
_NAMED = 10  # files of other kinds that are named at most
CHECKED = 50_000  # files, up to which all are decoded once before they are used

_Classes = dict[str, list[str]]


def folder(config: DataConfig, root: Path, checked: bool = True) -> Source:
    """An image folder: `root/train/<class>/*` and `root/val/<class>/*`, or without.

    The validation folder may also be called validation, valid or test. Where there is
    none, or with `config.hold_out`, `config.validation_fraction` of each class is held
    out of the training images, by a hash of the files' names and `config.split_seed`:
    adding images moves none between the parts.
    Up to `CHECKED` files are all decoded once here, so that the sizes are exact and a
    damaged one is known by name before the first step. Files of other kinds than
    `EXTENSIONS` are left out, named and counted as damaged ones are.

    Args:
        config: The configuration.
        root: The folder.
        checked: False: no file is looked into.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: No classes, one class, a class without images, or other classes in
            validation than in training; or with `config.strict` a damaged image or a
            file that is none.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"The image folder is missing. Received: {root}")
    train_root = root / "train" if (root / "train").is_dir() else root
    classes, others = _classes(train_root)
    if len(classes) < 2:
        raise ValueError(
            f"{train_root} has one class only. Expected a folder for each of at least "
            f"two. Received: {list(classes)}"
        )
    found = [root / name for name in _VALIDATION_NAMES if (root / name).is_dir()]
    separate = train_root != root and found and not config.hold_out
    held_out = None
    if separate:
        held_out, more = _classes(found[0])
        others += more
    if held_out is not None and set(held_out) != set(classes):
        raise ValueError(
            f"{train_root} and {found[0]} must have the same classes. Only in "
            f"{train_root.name}: {sorted(set(classes) - set(held_out))}; only in "
            f"{found[0].name}: {sorted(set(held_out) - set(classes))}. "
            f"Received: {root}"
        )
    parts = [part for part in (classes, held_out) if part is not None]
    everything = [path for part in parts for paths in part.values() for path in paths]
    bad = _check(everything, config) if checked else {}
    _tell_others(others, config)
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
        skipped=(*bad, *others),
    )


def check(paths: list[str]) -> dict[str, str]:
    """Decodes every file once, on all cores, and warns of each that fails.

    Returns:
        The reason for each file that cannot be used, in the order of `paths`.
    """
    bad = {}
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        reasons = threads.map(reason_for_file, paths, chunksize=16)
        for path, reason in zip(paths, reasons, strict=True):
            if reason:
                bad[path] = reason
                warnings.warn(f"Skipped an image: {path}: {reason}", stacklevel=3)
    if bad:
        warnings.warn(
            f"{len(bad)} of {len(paths)} images were skipped because they cannot be "
            "decoded",
            stacklevel=3,
        )
    return bad


def _check(paths: list[str], config: DataConfig) -> dict[str, str]:
    """As `check`, unless there are too many; with `config.strict` one is an error."""
    if len(paths) > CHECKED:
        logging.getLogger("keras_regnet").warning(
            "The %d images are more than %d, so that they are not checked beforehand. "
            "Those that cannot be used are told when they are met",
            len(paths),
            CHECKED,
        )
        return {}
    bad = check(paths)
    if bad and config.strict:
        path, reason = next(iter(bad.items()))
        raise DamagedImageError(
            f"{len(bad)} of {len(paths)} images cannot be used, and none may be left "
            f"out; the first: {reason}. Received: {path}"
        )
    return bad


def _classes(root: Path) -> tuple[_Classes, list[str]]:
    """The image files of each class, both sorted by name, and all other files."""
    classes: _Classes = {}
    others: _Classes = {}
    for entry in sorted(root.iterdir()):
        if entry.is_dir() and not entry.name.startswith("."):
            files = _files(entry)
            images = [f for f in files if f.lower().endswith(EXTENSIONS)]
            classes[entry.name] = images
            others[entry.name] = [
                f for f in files if not f.lower().endswith(EXTENSIONS)
            ]
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
            f"{[len(others[name]) for name in empty]}). Expected "
            f"{', '.join(EXTENSIONS)} files. Received: {root}"
        )
    return classes, [path for paths in others.values() for path in paths]


def _files(folder: Path) -> list[str]:
    """All files below a folder, by name; hidden ones aside."""
    return sorted(
        os.path.join(inner, name)
        for inner, _, names in os.walk(folder, followlinks=True)
        for name in names
        if not name.startswith(".")
    )


def _tell_others(others: list[str], config: DataConfig) -> None:
    """Names the files that are no pictures, once; with `config.strict` as an error."""
    if not others:
        return
    named = ", ".join(others[:_NAMED])
    if len(others) > _NAMED:
        named += f" and {len(others) - _NAMED} more"
    kinds = ", ".join(EXTENSIONS)
    if config.strict:
        raise DamagedImageError(
            f"{len(others)} files of the classes are no pictures (by their names: "
            f"{kinds}), and none may be left out. Received: {named}"
        )
    warnings.warn(
        f"Left out {len(others)} files that are no pictures (by their names: {kinds}): "
        f"{named}",
        stacklevel=4,
    )


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
