"""Data sets that are arrays already, with NumPy alone: digits, and `.npz` files."""

import errno
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from keras_regnet.data.config import DataConfig
from keras_regnet.data.hold_out import RULE, held_out
from keras_regnet.files import local_path
from keras_regnet.optional import require

_DIGITS_HELD_OUT = 36  # of each of the ten classes
_VALIDATION = ("val", "validation", "test")


@dataclass(frozen=True, eq=False)
class Arrays:
    """Images of one size in memory, and their labels.

    Attributes:
        class_names: One for each label, in the labels' order.
        train: The training images, uint8 `(n, height, width, channels)`, and their
            labels, int32 `(n,)`.
        validation: Likewise those to judge by.
        names: What the images of both parts are called.
        hold_out: By what rule images were held out; None where they were not.
    """

    class_names: tuple[str, ...]
    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    names: tuple[tuple[str, ...], tuple[str, ...]]
    hold_out: str | None = None


def digits(config: DataConfig) -> Arrays:
    """The 1,797 handwritten digits of scikit-learn, resized from 8x8.

    They are 8x8 counts of 0..16, scaled to 0..255 and resized bilinearly to
    `config.image_size` (default 32), so that a crop can move by less than one of the
    original pixels. 36 of each class, always the same ones, are held out.
    """
    datasets = require("sklearn.datasets", "train")
    numbers = datasets.load_digits()
    images = _enlarged(numbers.images * (255 / 16), config.image_size or 32)
    images = np.rint(images).astype(np.uint8)[..., None]
    labels = numbers.target.astype(np.int32)
    # RandomState: numpy promises that its streams never change.
    order = np.random.RandomState(0).permutation(len(labels))
    chosen = np.zeros(len(labels), bool)
    for digit in range(10):
        chosen[order[labels[order] == digit][:_DIGITS_HELD_OUT]] = True
    names = tuple(str(digit) for digit in range(10))
    return _divided(names, images, labels, chosen, None)


def npz(config: DataConfig, path: str) -> Arrays:
    """The arrays of a file that `numpy.savez` wrote.

    `x_train`, uint8 `(n, height, width)` or `(n, height, width, channels)`, and
    `y_train`, whole numbers `(n,)` from 0 on; likewise `x_val` and `y_val`, or `x_test`
    and `y_test`. Without these, and with `config.hold_out`,
    `config.validation_fraction` of each class is held out (see `hold_out.py`).
    `class_names` may be there, too.

    Args:
        config: The configuration.
        path: The file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It has other arrays.
    """
    with _opened(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    train = _pair(arrays, "train", path)
    judged = None
    for part in _VALIDATION:
        if f"x_{part}" in arrays and not config.hold_out:
            judged = _pair(arrays, part, path)
            break
    if judged and judged[0].shape[1:] != train[0].shape[1:]:
        raise ValueError(
            f"The images of {path} must all have one size. Received: "
            f"{train[0].shape[1:]} and {judged[0].shape[1:]}"
        )
    labels = [part[1] for part in (train, judged) if part]
    classes = max(int(each.max()) for each in labels) + 1
    names = tuple(map(str, arrays.get("class_names", range(classes))))
    if len(names) < classes:
        raise ValueError(
            f"class_names of {path} must have a name for each label. "
            f"Received: {len(names)} names and the label {classes - 1}"
        )
    if judged:
        return Arrays(
            names, train, judged, (_names("train", train), _names("test", judged))
        )
    chosen = held_out(
        _names("train", train), train[1], config.validation_fraction, config.split_seed
    )
    return _divided(names, *train, chosen, RULE)


def has_own_validation(path: str) -> bool:
    """Whether a file has images to judge by; raises as `npz`."""
    with _opened(path) as stored:
        return any(f"x_{part}" in stored.files for part in _VALIDATION)


@contextmanager
def _opened(path: str) -> Iterator[np.lib.npyio.NpzFile]:
    file = local_path(path, "the .npz file")
    if not file.is_file():
        raise FileNotFoundError(
            errno.ENOENT, f"The .npz file is missing. Received: {path}"
        )
    try:
        with np.load(file, allow_pickle=False) as stored:
            yield stored
    except (ValueError, zipfile.BadZipFile, EOFError, TypeError) as error:
        raise ValueError(
            f"{path} must be a file of arrays that numpy.savez wrote. Received: {error}"
        ) from None


def _divided(
    class_names: tuple[str, ...],
    images: np.ndarray,
    labels: np.ndarray,
    chosen: np.ndarray,
    rule: str | None,
) -> Arrays:
    parts = [(images[mask], labels[mask]) for mask in (~chosen, chosen)]
    names = [
        tuple(f"train[{row}]" for row in np.flatnonzero(m)) for m in (~chosen, chosen)
    ]
    return Arrays(class_names, *parts, tuple(names), rule)


def _names(part: str, arrays: tuple[np.ndarray, np.ndarray]) -> tuple[str, ...]:
    return tuple(f"{part}[{row}]" for row in range(len(arrays[1])))


def _pair(
    arrays: dict[str, np.ndarray], part: str, path: str
) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of a part, checked."""
    x, y = f"x_{part}", f"y_{part}"
    if x not in arrays or y not in arrays:
        raise ValueError(
            f"{path} must have the arrays {x} and {y}. Received: {sorted(arrays)}"
        )
    images, labels = arrays[x], arrays[y]
    if images.ndim == 3:
        images = images[..., None]
    fits = images.ndim == 4 and images.dtype == np.uint8 and images.shape[-1] in (1, 3)
    if not fits or 0 in images.shape:
        raise ValueError(
            f"{x} of {path} must be uint8 (n, height, width) or (n, height, width, "
            f"channels) with 1 or 3 channels. Received: {images.dtype} "
            f"{arrays[x].shape}"
        )
    whole = labels.dtype.kind in "iu" and labels.size == len(images) == len(labels)
    if not whole or labels.min() < 0:
        raise ValueError(
            f"{y} of {path} must have a whole number from 0 on for each of the "
            f"{len(images)} images. Received: {labels.dtype} {labels.shape}"
            + (f" from {labels.min()} on" if whole else "")
        )
    return images, labels.ravel().astype(np.int32)


def _enlarged(images: np.ndarray, size: int) -> np.ndarray:
    """Bilinear, with pixel centres at halves, as `tf.image.resize`: float32."""
    images = images.astype(np.float32)
    old = images.shape[1]
    places = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(
        old / size
    ) - np.float32(0.5)
    low = np.maximum(np.floor(places), 0).astype(int)
    high = np.minimum(np.ceil(places), old - 1).astype(int)
    share = places - np.floor(places)
    left, right = images[:, :, low], images[:, :, high]
    rows = left + (right - left) * share
    top, bottom = rows[:, low], rows[:, high]
    return top + (bottom - top) * share[:, None]
