"""Whole data sets as arrays of uint8, read without TensorFlow.

Images are decoded once, by Pillow on all cores. Small images of one size stay as they
are. Others are resized and cropped once: for random-resized-crops to the square from
whose middle evaluation takes its own, otherwise as in evaluation.
"""

import os
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_regnet.data import arrays
from keras_regnet.data.config import DataConfig, locate
from keras_regnet.data.hold_out import RULE, held_out
from keras_regnet.data.layouts import SMALL
from keras_regnet.files import is_remote
from keras_regnet.optional import require
from keras_regnet.preprocessing.pictures import read_picture
from keras_regnet.training.resident_files import (
    Encoded,
    image_folder,
    imagenet_records,
    tfds_records,
)

_AT_ONCE = 64  # images that a thread decodes in a row
_STRIP = 16  # as long as this an image is not resized beyond


@dataclass(frozen=True, eq=False)
class ResidentPart:
    """The images of a part of a data set.

    Attributes:
        images: uint8 `(n, height, width, channels)`.
        labels: int32 `(n,)`.
        names: What the images are called.
    """

    images: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    names: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True)
class Skipped:
    """Images that cannot be used, as the problems of `keras_regnet.data.Data`."""

    names: tuple[str, ...]

    def raising(self) -> AbstractContextManager:
        """A context in which nothing is raised: all images have been read."""
        return nullcontext()


@dataclass(frozen=True, eq=False)
class ResidentData:
    """A data set in memory.

    Attributes:
        config: What it was loaded with.
        class_names: One for each label, in the labels' order.
        image_shape: (height, width, channels) of the images in training batches.
        augment: `config.augment`, with `"auto"` resolved.
        flip: Whether training images are mirrored at random.
        pad: Pixels of padding of a pad-crop.
        train: The training images.
        validation: The images to judge by.
        centre_cropped: Whether evaluation sees the middle of each image, or all of it.
        hold_out: By what rule images were held out; None where they were not.
        problems: Names of images that cannot be used.
    """

    config: DataConfig
    class_names: tuple[str, ...] = field(repr=False)
    image_shape: tuple[int, int, int]
    augment: str
    flip: bool
    pad: int
    train: ResidentPart
    validation: ResidentPart
    centre_cropped: bool
    hold_out: str | None
    problems: Skipped = field(repr=False)

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def evaluation_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images in validation batches."""
        size = self.config.evaluation_size
        return (size, size, self.image_shape[-1]) if size else self.image_shape

    @property
    def steps_per_epoch(self) -> int:
        """Training batches per epoch; an incomplete last one is left out."""
        return len(self.train.labels) // self.config.batch_size

    def order(self, epoch: int) -> np.ndarray:
        """The order of an epoch, int32: the one that `keras_regnet.data` has, too."""
        order = np.random.default_rng((self.config.seed, epoch, 0))
        return order.permutation(len(self.train.labels)).astype(np.int32)

    def batch_names(self, epoch: int, step: int, _: int = 1) -> tuple[str, ...]:
        """The names of the images of a training batch; both are counted from 0."""
        size = self.config.batch_size
        rows = self.order(epoch)[step * size : (step + 1) * size]
        return tuple(self.train.names[row] for row in rows)


def load_resident(config: DataConfig) -> ResidentData:
    """Reads a data set into memory.

    Args:
        config: The configuration.

    Raises:
        ValueError: The data set is unknown or does not fit the configuration, or with
            `config.strict` an image cannot be used.
        FileNotFoundError: It is not on this disk.
        ImportError: Pillow or scikit-learn is not installed.
    """
    kind, root = locate(config)
    if root is not None and is_remote(root):
        raise ValueError(
            f"Resident data are read from this machine's disks. Received: {root}"
        )
    if kind in ("digits", "npz"):
        found = arrays.digits(config) if root is None else arrays.npz(config, root)
        pairs = zip((found.train, found.validation), found.names, strict=True)
        parts = [ResidentPart(*part, names) for part, names in pairs]
        return _resolved(config, found.class_names, *parts, True, found.hold_out, {})
    readers = {
        "folder": image_folder,
        "tfrecord": imagenet_records,
        "tfds": tfds_records,
    }
    class_names, channels, whole, train, judged = readers[kind](config, root)
    rule = None
    if judged is None:
        chosen = held_out(
            train.names, train.labels, config.validation_fraction, config.split_seed
        )
        rule = None if kind == "folder" else RULE
        judged = train.only(np.flatnonzero(chosen))
        train = train.only(np.flatnonzero(~chosen))
    size = config.image_size or 224
    prepare = prepare_judged = None
    skipped: dict[str, str] = {}
    if not whole:
        prepare = _middle(size, config.crop_fraction)
        prepare_judged = _middle(config.evaluation_size or size, config.crop_fraction)
        if _augment(config, whole) == "random_resized_crop":
            shorter = max(size, round(size / config.crop_fraction))
            prepare = _middle(shorter, 1.0)
            with suppress(_SeveralSizesError):
                most = max(SMALL, shorter)
                train = _decode(train, channels, None, skipped, most)
    if isinstance(train, Encoded):
        train = _decode(train, channels, prepare, skipped)
    judged = _decode(judged, channels, prepare_judged, skipped)
    return _resolved(config, class_names, train, judged, whole, rule, skipped)


def _augment(config: DataConfig, whole: bool) -> str:
    if config.augment != "auto":
        return config.augment
    if not whole:
        return "random_resized_crop"
    return "pad_crop_flip" if config.mirrored else "pad_crop"


def _resolved(
    config: DataConfig,
    class_names: tuple[str, ...],
    train: ResidentPart,
    validation: ResidentPart,
    whole: bool,
    hold_out: str | None,
    skipped: Mapping[str, str],
) -> ResidentData:
    """Checks that a data set can serve a configuration, as `data.load` does."""
    if skipped:
        name, reason = next(iter(skipped.items()))
        if config.strict:
            raise ValueError(
                f"{len(skipped)} images cannot be used, and none may be left out; the "
                f"first: {reason}. Received: {name}"
            )
        warnings.warn(
            f"{len(skipped)} images are left out because they cannot be used; the "
            f"first: {name}: {reason}",
            stacklevel=3,
        )
    if len(train.labels) < config.batch_size or not len(validation.labels):
        raise ValueError(
            f"batch_size must be at most the {len(train.labels)} training images of "
            f"{config.name!r}, and there must be images to judge by. Received: "
            f"{config.batch_size}, and {len(validation.labels)} to judge by"
        )
    augment = _augment(config, whole)
    flip = config.flip
    if flip is None:
        flip = augment == "pad_crop_flip" or (
            augment == "random_resized_crop" and config.mirrored
        )
    height, width, channels = train.images.shape[1:]
    pad = config.pad
    if config.image_size or not whole:
        size = config.image_size or 224
        pad = max(1, round((height if whole else size) / 8)) if pad is None else pad
        height = width = size
    if augment == "random_resized_crop" and height != width:
        raise ValueError(
            "random_resized_crop gives square images: image_size must be given for "
            f"this data set. Received: images of {height} x {width} pixels"
        )
    return ResidentData(
        config,
        class_names,
        (height, width, channels),
        augment,
        flip,
        max(1, round(height / 8)) if pad is None else pad,
        train,
        validation,
        not whole,
        hold_out,
        Skipped(tuple(skipped)),
    )


# --- From files and bytes to pixels --------------------------------------------------


def _middle(size: int, fraction: float) -> Callable[[Any], Any]:
    """Resizes the shorter side to `size / fraction`, and cuts the middle out.

    As `data.transforms.resize_and_crop`, in Pillow.
    """
    pillow = require("PIL.Image", "weights")
    shorter = max(size, round(size / fraction))

    def prepare(image: Any) -> Any:
        scale = shorter / min(image.size)
        width, height = (
            min(round(side * scale), _STRIP * shorter) for side in image.size
        )
        if (width, height) != image.size:
            image = image.resize((width, height), pillow.Resampling.BILINEAR)
        left, top = (width - size) // 2, (height - size) // 2
        return image.crop((left, top, left + size, top + size))

    return prepare


class _SeveralSizesError(ValueError):
    """Images that were to be of one small size are not."""


def _decode(
    part: Encoded,
    channels: int,
    prepare: Callable[[Any], Any] | None,
    skipped: dict[str, str],
    most: int = 0,
) -> ResidentPart:
    """Decodes images on all cores.

    Args:
        part: The images.
        channels: 1 or 3.
        prepare: Makes all of one size; None: they are.
        skipped: Receives the reason for each that cannot be used.
        most: Pixels that no side may have more of, where it is not 0.

    Raises:
        _SeveralSizesError: With `most`, images are larger, or of several sizes.
        ValueError: None can be decoded.
    """

    def pixels(file: Any) -> np.ndarray:
        image = read_picture(file if isinstance(file, str) else bytes(file), channels)
        image = image if prepare is None else prepare(image)
        return np.asarray(image).reshape(*image.size[::-1], channels)

    found: np.ndarray | None = None
    for file in part.files:
        try:
            found = np.empty((len(part.files), *pixels(file).shape), np.uint8)
            break
        except (OSError, ValueError, SyntaxError):
            continue
    if found is None:
        raise ValueError(
            "None of the images can be decoded. "
            f"Received: {len(part.names)} images, {part.names[:1]}"
        )
    if most and max(found.shape[1:3]) > most:
        raise _SeveralSizesError
    good = np.ones(len(part.files), bool)

    def some(begin: int) -> None:
        for row in range(begin, min(begin + _AT_ONCE, len(part.files))):
            try:
                image = pixels(part.files[row])
                if image.shape != found.shape[1:]:
                    kind = _SeveralSizesError if most else ValueError
                    raise kind(f"its shape {image.shape} is not {found.shape[1:]}")
                found[row] = image
            except _SeveralSizesError:
                raise
            except (OSError, ValueError, SyntaxError) as error:
                good[row] = False
                skipped[part.names[row]] = str(error)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(some, range(0, len(part.files), _AT_ONCE)))
    rows = np.flatnonzero(good)
    return ResidentPart(
        found if good.all() else found[rows],
        np.asarray(part.labels, np.int32)[rows],
        tuple(part.names[row] for row in rows),
    )
