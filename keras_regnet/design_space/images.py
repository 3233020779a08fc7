"""The images of a regime, in memory: what is trained with and what judges."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from keras_regnet.data import transforms
from keras_regnet.data.loading import find_source
from keras_regnet.data.splits import ArraySplit
from keras_regnet.design_space.regime import Regime

_AT_ONCE = 4096  # images that are resized in one call


@dataclass(frozen=True)
class Images:
    """Decoded images, ready for every network of a population.

    Attributes:
        train: uint8 `(n, height, width, channels)`.
        train_labels: int32 `(n,)`.
        judged: uint8; the images whose error counts.
        judged_labels: int32.
        classes: Number of classes.
        mirrored: Whether a mirror image keeps its class.
        mean: Of the training images, per channel, in units of 0..1.
        std: Likewise.
    """

    train: np.ndarray = field(repr=False)
    train_labels: np.ndarray = field(repr=False)
    judged: np.ndarray = field(repr=False)
    judged_labels: np.ndarray = field(repr=False)
    classes: int
    mirrored: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return tuple(self.train.shape[1:])

    def facts(self) -> dict[str, Any]:
        """What tells these images from others, as JSON types."""
        digest = hashlib.sha256()
        for name in ("train", "train_labels", "judged", "judged_labels"):
            digest.update(np.ascontiguousarray(getattr(self, name)).data)
        return {
            "digest": digest.hexdigest()[:16],
            "shape": list(self.shape),
            "classes": self.classes,
            "train_images": len(self.train),
            "judged_images": len(self.judged),
        }


def load_images(regime: Regime) -> Images:
    """Reads the training part of a data set and divides it; no other part is read.

    Each class gives `regime.validation_fraction` of its images, rounded, to judge by.
    Which ones depends on `regime.split_seed`, but not on `regime.train_images`.

    Raises:
        ValueError: The data set is unknown, its images are not small and of one size,
            or there are too few of them.
        FileNotFoundError: It is not on this disk.
        ImportError: scikit-learn or tensorflow-datasets is not installed.
    """
    source = find_source(regime.data_config())
    if not isinstance(source.train, ArraySplit):
        raise ValueError(
            "A population is trained with small images of one size, which are all "
            f"kept in memory. Received: data={regime.data!r}"
        )
    images, labels = source.train.load()
    train, judged = _divide(labels, regime)
    if len(judged) < len(source.class_names):
        raise ValueError(
            "validation_fraction must hold out one image of each class at least. "
            f"Received: {regime.validation_fraction}, of {len(labels)} images"
        )
    if len(train) < (regime.train_images or regime.batch_size):
        raise ValueError(
            "train_images (or batch_size, where it is None) must be at most the "
            f"{len(train)} images of {regime.data!r} that are not held out. "
            f"Received: {regime.train_images or regime.batch_size}"
        )
    train = train[: regime.train_images]
    size = regime.image_size
    kept = [_resized(images[rows], size) for rows in (train, judged)]
    mean, std = _statistics(kept[0])
    return Images(
        train=kept[0],
        train_labels=labels[train],
        judged=kept[1],
        judged_labels=labels[judged],
        classes=len(source.class_names),
        mirrored=regime.data_config().mirrored,
        mean=mean,
        std=std,
    )


def _divide(labels: np.ndarray, regime: Regime) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train with, in a random order, and rows to judge by, as stored."""
    # RandomState: numpy promises that its streams never change.
    order = np.random.RandomState(regime.split_seed).permutation(len(labels))
    judged = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = order[labels[order] == label]
        judged[rows[: round(len(rows) * regime.validation_fraction)]] = True
    return order[~judged[order]], np.flatnonzero(judged)


def _statistics(images: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, in units of 0..1.

    Of whole numbers that are counted: the same on every machine.
    """
    values, mean, std = np.arange(256), [], []
    for channel in np.moveaxis(images, -1, 0):
        counts = np.bincount(channel.ravel(), minlength=256)
        first = int(counts @ values) / channel.size
        second = int(counts @ values**2) / channel.size
        mean.append(first / 255)
        # At least one step of 255, or an even grey could not be divided by it.
        std.append(max(second - first**2, 1.0) ** 0.5 / 255)
    return tuple(mean), tuple(std)


def _resized(images: np.ndarray, size: int | None) -> np.ndarray:
    """Images of `size` pixels along both sides."""
    if size is None or images.shape[1:3] == (size, size):
        return np.ascontiguousarray(images)
    parts = [
        transforms.to_uint8(transforms.resize(images[at : at + _AT_ONCE], size, size))
        for at in range(0, len(images), _AT_ONCE)
    ]
    return tf.concat(parts, axis=0).numpy()
