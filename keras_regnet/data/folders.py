"""Image folders: a folder for each class, with or without train and val above them."""

import logging
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

from keras_regnet.data.config import DataConfig
from keras_regnet.data.hold_out import held_out as choose
from keras_regnet.data.layouts import EXTENSIONS, FOLDER_VALIDATION
from keras_regnet.data.problems import DamagedImageError, look_at
from keras_regnet.data.remote import is_folder, names_in, why_missing
from keras_regnet.data.sources import Source
from keras_regnet.data.splits import FileSplit
from keras_regnet.files import is_remote

_NAMED = 10  # files of other kinds that are named at most
CHECKED = 50_000  # files, up to which all are decoded once before they are used

_Classes = dict[str, list[str]]


def folder(
    config: DataConfig, root: str, checked: bool = True, training: bool = True
) -> Source:
    """An image folder: `root/train/<class>/*` and `root/val/<class>/*`, or without.

    The validation folder may also be called validation, valid or test. Where there is
    none, or with `config.hold_out`, `config.validation_fraction` of each class is held
    out of the training images, by a hash of the files' names and `config.split_seed`:
    adding images moves none between the parts.
    Up to `CHECKED` files are all decoded once here, so that the sizes are exact and a
    damaged one is known by name before the first step. Files of other kinds than
    `EXTENSIONS` are left out, named and counted as damaged ones are.
    Symbolic links are followed, but not to a folder above them, and each file counts
    once: where it lies, if that is in the data set, else for validation, else in the
    first class.

    Args:
        config: The configuration.
        root: The folder, on this disk or remote.
        checked: False: no file is looked into.
        training: False: the validation folder is enough.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: No classes, one class, a class without images, or other classes in
            validation than in training; or with `config.strict` a damaged image or a
            file that is none.
    """
    if not is_folder(root):
        raise FileNotFoundError(
            f"The image folder is missing{why_missing(root)}. Received: {root}"
        )
    train_root = os.path.join(root, "train")
    found = [os.path.join(root, name) for name in FOLDER_VALIDATION]
    found = [path for path in found if is_folder(path)]
    if not is_folder(train_root):
        train_root = root
        if found and not training and not config.hold_out:
            return _evaluated(config, found[0], checked)
        for path in found:
            _check_is_a_class(path, root)
    classes, others = _classes(train_root)
    if len(classes) < 2:
        raise ValueError(
            f"{train_root} has one class only. Expected a folder for each of at least "
            f"two. Received: {list(classes)}"
        )
    separate = train_root != root and found and not config.hold_out
    held_out = None
    if separate:
        held_out, more = _classes(found[0])
        others += more
    if held_out is not None and set(held_out) != set(classes):
        name, other = os.path.basename(train_root), os.path.basename(found[0])
        raise ValueError(
            f"{train_root} and {found[0]} must have the same classes. Only in "
            f"{name}: {sorted(set(classes) - set(held_out))}; only in "
            f"{other}: {sorted(set(held_out) - set(classes))}. "
            f"Received: {root}"
        )
    parts = [part for part in (held_out, classes) if part is not None]
    bad = _use(parts, others, root, config, checked)
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


def _check_is_a_class(path: str, root: str) -> None:
    """Refuses `root/val/a` beside `root/a`: val would be a class like the others."""
    classes = {name for name in names_in(root) if is_folder(os.path.join(root, name))}
    if common := sorted(classes & set(names_in(path))):
        raise ValueError(
            f"{path} has folders of classes that {root} has, too, so that it is meant "
            f"to evaluate on; then the other classes belong into "
            f"{os.path.join(root, 'train')}. Received: {common}"
        )


def has_own_validation(root: str) -> bool:
    """Whether a folder has one for training, and one to evaluate on."""
    names = ("train", *FOLDER_VALIDATION)
    train, *others = (is_folder(os.path.join(root, name)) for name in names)
    return train and any(others)


def _evaluated(config: DataConfig, root: str, checked: bool) -> Source:
    """A validation folder alone."""
    classes, others = _classes(root)
    bad = _use([classes], others, root, config, checked)
    return Source(
        class_names=tuple(classes),
        channels=3,
        size=None,
        default_size=(224, 224),
        train=FileSplit((), ()),
        validation=_split(classes),
        skipped=(*bad, *others),
    )


def _use(
    parts: list[_Classes],
    others: list[str],
    root: str,
    config: DataConfig,
    checked: bool,
) -> dict[str, str]:
    """Takes out of the parts what comes twice or cannot be used; gives the latter.

    Raises:
        ValueError: Nothing is left of a class.
    """
    _count_once(parts, root)
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
    return bad


def _count_once(parts: list[_Classes], root: str) -> None:
    """Leaves each file, however many links lead to it, in one part and one class.

    Args:
        parts: The part that keeps a file, where it lies in none, first.
        root: The folder of the data set.
    """
    if is_remote(root):
        return
    real_root = os.path.realpath(root)
    folders: dict[str, str] = {}
    keepers: dict[str, str] = {}
    reals: dict[str, str] = {}
    for part in parts:
        for path in (path for paths in part.values() for path in paths):
            inner, name = os.path.split(path)
            if inner not in folders:
                folders[inner] = os.path.realpath(inner)
            real = os.path.join(folders[inner], name)
            if os.path.islink(real):
                real = os.path.realpath(real)
            reals[path] = real
            at_home = real == real_root + path[len(root) :]
            if at_home or real not in keepers:
                keepers[real] = path
    twice = [path for path, real in reals.items() if keepers[real] != path]
    if not twice:
        return
    warnings.warn(
        f"{len(twice)} of {len(reals)} images are left out because symbolic links lead "
        f"to them more than once, and each counts once: {twice[0]} is "
        f"{keepers[reals[twice[0]]]}",
        stacklevel=5,
    )
    for part in parts:
        for name, paths in part.items():
            part[name] = [path for path in paths if keepers[reals[path]] == path]
            if not part[name]:
                raise ValueError(
                    f"All {len(paths)} images of class {name!r} are symbolic links to "
                    "images of another class or part, and each counts once. "
                    f"Received: {paths[0]}, which is {keepers[reals[paths[0]]]}"
                )


def check(paths: list[str]) -> dict[str, str]:
    """Decodes every file once, on all cores, and warns of each that fails.

    Returns:
        The reason for each file that cannot be used, in the order of `paths`.
    """
    bad, turned = {}, 0
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        found = threads.map(look_at, paths, chunksize=16)
        for path, (reason, is_turned) in zip(paths, found, strict=True):
            turned += is_turned and not reason
            if reason:
                bad[path] = reason
                warnings.warn(f"Skipped an image: {path}: {reason}", stacklevel=3)
    if bad:
        warnings.warn(
            f"{len(bad)} of {len(paths)} images were skipped because they cannot be "
            "decoded",
            stacklevel=3,
        )
    if turned:
        warnings.warn(
            f"{turned} of {len(paths)} images are turned or mirrored by an orientation "
            "that their camera noted (EXIF). It is not applied: training, evaluation "
            "and prediction see the pixels as they are stored",
            stacklevel=3,
        )
    return bad


def _check(paths: list[str], config: DataConfig) -> dict[str, str]:
    """As `check`, unless there are too many; with `config.strict` one is an error."""
    if len(paths) > CHECKED:
        logging.getLogger("keras_regnet").warning(
            "The %d images are more than %d, so that they are not checked beforehand. "
            "Those that cannot be used are told when they are met. Orientations that "
            "cameras noted (EXIF) are not looked for, and never applied",
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


def _classes(root: str) -> tuple[_Classes, list[str]]:
    """The image files of each class, both sorted by name, and all other files."""
    classes: _Classes = {}
    others: _Classes = {}
    for name in names_in(root):
        entry = os.path.join(root, name)
        if not name.startswith(".") and is_folder(entry):
            files = _files(entry)
            images = [f for f in files if f.lower().endswith(EXTENSIONS)]
            classes[name] = images
            others[name] = [f for f in files if not f.lower().endswith(EXTENSIONS)]
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


def _files(folder: str) -> list[str]:
    """All files below a folder, by name; hidden ones aside.

    A link to a folder that has been walked, or that is above the link, is left alone.
    """
    walk = tf.io.gfile.walk(folder) if is_remote(folder) else _walk(folder)
    return sorted(
        os.path.join(inner, name)
        for inner, _, names in walk
        for name in names
        if not name.startswith(".")
    )


def _walk(folder: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """`os.walk` along links, without loops."""
    top = os.path.realpath(folder)
    seen = {top}
    for inner, folders, names in os.walk(folder, followlinks=True):
        here, followed = os.path.realpath(inner), []
        for name in folders:
            real = os.path.realpath(os.path.join(inner, name))
            above = os.path.join(real, "")
            loop = any(f"{place}/".startswith(above) for place in (here, top))
            if real not in seen and not loop:
                seen.add(real)
                followed.append(name)
        folders[:] = followed
        yield inner, folders, names


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
    classes: Mapping[str, list[str]], root: str, config: DataConfig
) -> tuple[_Classes, _Classes]:
    """Holds out a share of each class, by the names' hashes, as of records."""
    names = [path[len(root) + 1 :] for paths in classes.values() for path in paths]
    labels = [label for label, paths in enumerate(classes.values()) for _ in paths]
    chosen = choose(names, labels, config.validation_fraction, config.split_seed)
    which = iter(chosen)
    train: _Classes = {}
    validation: _Classes = {}
    for name, paths in classes.items():
        marked = [(path, next(which)) for path in paths]
        train[name] = [path for path, out in marked if not out]
        validation[name] = [path for path, out in marked if out]
    return train, validation


def _split(classes: Mapping[str, Iterable[str]]) -> FileSplit:
    pairs = [
        (path, label) for label, paths in enumerate(classes.values()) for path in paths
    ]
    paths, labels = zip(*pairs, strict=True)
    return FileSplit(paths, labels)
