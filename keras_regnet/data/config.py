"""Everything that determines the batches of a run, as one frozen dataclass."""

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_regnet.architecture.checks import read_fields
from keras_regnet.data.spaces import (
    POLICIES,
    RANDAUGMENT_SPACES,
    SUB_POLICIES,
    greatest_magnitude,
)
from keras_regnet.files import is_remote

INTERPOLATIONS = ("nearest", "bilinear")
ERASING_MODES = ("zero", "noise")
LEAST_ALPHA = 0.01  # below, the shares of mixup and CutMix are 0 or 1
AUGMENTATIONS = ("auto", "none", "pad_crop", "pad_crop_flip", "random_resized_crop")

# A mirrored 2 is not a 2: data sets whose classes do not survive a mirror.
NEVER_MIRRORED = (
    "digits",
    "mnist",
    "mnist_corrupted",
    "emnist",
    "kmnist",
    "svhn_cropped",
    "binarized_mnist",
    "omniglot",
    "cmaterdb",
)

_FRACTIONS = ("validation_fraction", "crop_fraction")
_CHOICES = {
    "augment": AUGMENTATIONS,
    "auto_augment": POLICIES,
    "autoaugment_policy": SUB_POLICIES,
    "auto_augment_interpolation": INTERPOLATIONS,
    "randaugment_space": RANDAUGMENT_SPACES,
    "erasing_mode": ERASING_MODES,
}
_LEAST = {
    "batch_size": 1,
    "shuffle_buffer": 1,
    "seed": 0,
    "auto_augment_fill": 0,
    "randaugment_ops": 0,
    "repeated_augmentation": 1,
}


@dataclass(frozen=True)
class DataConfig:
    """A data set and what happens to its images. Plain JSON types throughout.

    Attributes:
        name: `"digits"` (embedded, needs no download), a TFDS name such as
            `"fashion_mnist"` or `"imagenet_resized/32x32"`, an image folder as
            `"folder:/path"` or as a path with a slash in it, a folder of TFRecords in
            ImageNet's customary layout as `"tfrecord:/path"`, or a file of arrays as
            `"npz:/path"` (see `arrays.npz`).
        data_dir: Where TFDS keeps its data sets (default: TFDS's own place, or the
            environment variable TFDS_DATA_DIR), or, with the name `"folder"`, the
            root of the image folder.
        image_size: Height and width in pixels. None is the data set's customary
            size: 32 for digits, their own for TFDS images of at most 96 pixels,
            otherwise 224.
        batch_size: Images per step, over all devices together.
        augment: One of `AUGMENTATIONS`. `"auto"` is pad-crop and flip for small
            images, pad-crop for digits and letters, random-resized-crop for the rest.
        pad: Pixels of zero padding on each side before a pad-crop, at the scale of
            the images as stored. None is an eighth of their height, rounded.
        flip: Whether training images are mirrored at random. None: as `augment`
            says, where random-resized-crop flips except for digits and letters.
        crop_area: Least and greatest share of the image in a random-resized-crop.
        crop_aspect: Least and greatest ratio of width to height of such a crop.
        crop_fraction: In evaluation of large images, their size over the length to
            which the shorter side is resized before the centre is cut out.
        auto_augment: One of `spaces.POLICIES`: operations drawn for each image.
            Small images are changed at the size they are stored at.
        autoaugment_policy: `"imagenet"`, `"cifar10"` or `"svhn"`: for which the pairs
            of AutoAugment were searched.
        auto_augment_interpolation: Of shears, shifts and rotations: `"nearest"`,
            torchvision's default, or `"bilinear"`, as in its recipes.
        auto_augment_fill: What they let in from outside the image, 0 to 255.
        randaugment_ops: Operations for each image.
        randaugment_magnitude: Their strength: 0 to 30, or 0 to 10 in timm's spaces.
        randaugment_magnitude_std: Standard deviation of the strength.
        randaugment_space: `"torchvision"`, or the table of timm's RandAugment, which
            applies each operation with probability one half: `"timm"`, or
            `"timm_increasing"` for what is written "inc1" there.
        colour_jitter: Brightness, contrast and saturation are multiplied by factors of
            1 - `colour_jitter` to 1 + `colour_jitter`. 0 is off.
        pca_lighting: Standard deviation of AlexNet's noise along the principal
            components of colour; the official recipe's is 0.1. 0 is off.
        random_erasing: Probability that a rectangle of an image is erased.
        erasing_mode: `"zero"`: with the mean, which is 0 once the image is normalised.
            `"noise"`: with normal noise, of standard deviation 1 once it is. (Of
            `mean` and `std` where they are given, otherwise of ImageNet.)
        mixup_alpha: Of the beta distribution from which mixup's share is drawn, once
            for a batch; 0 is off. With mixup or CutMix the labels are shares of all
            classes.
        cutmix_alpha: Likewise for CutMix. Where both are on, half of the batches are
            for each.
        mix_probability: That a batch is mixed at all.
        repeated_augmentation: How many times in a row an image comes in an epoch, each
            time augmented otherwise. The epoch does not become longer: it has so many
            times fewer images.
        normalize: False: images leave as float32 in 0..255, for a model with
            `include_preprocessing=True`. True: `mean` and `std` are applied.
        mean: Per channel, in units of 0..1. Needed when `normalize` is set.
        std: Per channel, in units of 0..1. Needed when `normalize` is set.
        cache: Whether small images are decoded once and kept in memory. `"auto"`:
            where they take at most 1 GiB.
        shuffle_buffer: Images in the shuffle buffer of records that are streamed.
            In-memory data and image folders are always shuffled completely.
        seed: Determines order and augmentation, together with the epoch.
        validation_fraction: Share of each class that is held out where the data set
            has no validation or test part of its own. (Of all images together where
            reading the labels would take too long: of records above 16 GiB.)
        hold_out: Whether that share is held out, and judged by, even where the data set
            has a part of its own for it, which is then not looked at: for choosing
            between networks.
        split_seed: Chooses which images those are. Apart from `seed`, so that runs of
            several seeds are judged on the same images.
        download: Whether TFDS may download and prepare what is not on the disk.
        evaluation_size: Height and width of evaluation images. None: as training
            images. Many recipes train with smaller ones.
        first_label: The label of the first class in TFRecords: 1 in ImageNet's
            customary layout, or 0. None: the least label, which must be 0 or 1.
        strict: Whether an image that cannot be used is an error. Otherwise it is left
            out, or in training replaced, with a warning when it is first met.
        data_service: `"grpc://host:port"` of the dispatcher of a tf.data service whose
            workers make the training batches; they must see the same files. It must be
            complete within a minute of the start of an epoch.
    """

    name: str = "digits"
    data_dir: str | None = None
    image_size: int | None = None
    batch_size: int = 128
    augment: str = "auto"
    pad: int | None = None
    flip: bool | None = None
    crop_area: tuple[float, float] = (0.08, 1.0)
    crop_aspect: tuple[float, float] = (3 / 4, 4 / 3)
    crop_fraction: float = 0.875
    auto_augment: str = "none"
    autoaugment_policy: str = "imagenet"
    auto_augment_interpolation: str = "nearest"
    auto_augment_fill: int = 0
    randaugment_ops: int = 2
    randaugment_magnitude: float = 9.0
    randaugment_magnitude_std: float = 0.0
    randaugment_space: str = "torchvision"
    colour_jitter: float = 0.0
    pca_lighting: float = 0.0
    random_erasing: float = 0.0
    erasing_mode: str = "zero"
    mixup_alpha: float = 0.0
    cutmix_alpha: float = 0.0
    mix_probability: float = 1.0
    repeated_augmentation: int = 1
    normalize: bool = False
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    cache: bool | str = "auto"
    shuffle_buffer: int = 16_384
    seed: int = 0
    validation_fraction: float = 0.1
    hold_out: bool = False
    split_seed: int = 0
    download: bool = False
    evaluation_size: int | None = None
    first_label: int | None = None
    strict: bool = False
    data_service: str | None = None

    def __post_init__(self) -> None:
        """Checks every field by itself.

        Raises:
            ValueError: A field is impossible; the message names it.
        """
        for key in ("crop_area", "crop_aspect", "mean", "std"):
            value = getattr(self, key)
            if value is not None:
                object.__setattr__(self, key, tuple(float(v) for v in value))
        if not isinstance(self.name, str) or not self.name:
            raise _wrong("name", "the name of a data set", self.name)
        for key, choices in _CHOICES.items():
            if getattr(self, key) not in choices:
                raise _wrong(key, f"one of {list(choices)}", getattr(self, key))
        for key in ("image_size", "evaluation_size"):
            value = getattr(self, key)
            if value is not None and not _whole(value, 8):
                raise _wrong(key, "None or at least 8 pixels", value)
        for key, least in _LEAST.items():
            if not _whole(getattr(self, key), least):
                expected = f"a whole number of at least {least}"
                raise _wrong(key, expected, getattr(self, key))
        if self.pad is not None and not _whole(self.pad, 0):
            raise _wrong("pad", "None or at least 0 pixels", self.pad)
        for key in _FRACTIONS:
            value = getattr(self, key)
            if not 0 < value <= 1 or (key == "validation_fraction" and value == 1):
                raise _wrong(key, "a fraction between 0 and 1", value)
        for key, most in self._greatest().items():
            value = getattr(self, key)
            if not _number(value) or not 0 <= value <= most:
                raise _wrong(key, f"a number of 0 to {most:g}", value)
        for key, most in (("crop_area", 1.0), ("crop_aspect", float("inf"))):
            value = getattr(self, key)
            if len(value) != 2 or not 0 < value[0] <= value[1] <= most:
                raise _wrong(key, "two numbers, 0 < least <= greatest", value)
        for key in ("mixup_alpha", "cutmix_alpha"):
            if 0 < getattr(self, key) < LEAST_ALPHA:
                raise _wrong(key, f"0 or at least {LEAST_ALPHA}", getattr(self, key))
        if self.mixed and self.batch_size < 2:
            raise _wrong(
                "batch_size", "at least 2 with mixup or CutMix", self.batch_size
            )
        if self.cache not in (True, False, "auto"):
            raise _wrong("cache", 'True, False or "auto"', self.cache)
        if not isinstance(self.hold_out, bool):
            raise _wrong("hold_out", "True or False", self.hold_out)
        if self.hold_out and self.name == "digits":
            raise _wrong("hold_out", "False: digits are one part", self.hold_out)
        if self.normalize and (self.mean is None or self.std is None):
            raise _wrong(
                "mean and std", "both given with normalize=True", (self.mean, self.std)
            )
        if self.std is not None and min(self.std, default=0.0) <= 0:
            raise _wrong("std", "numbers above 0", self.std)
        if self.first_label is not None and not _whole(self.first_label, 0):
            raise _wrong("first_label", "None or at least 0", self.first_label)
        service = self.data_service
        if service is not None and not re.fullmatch(r"grpc://[^/\s]+:\d+", service):
            raise _wrong("data_service", '"grpc://host:port"', service)

    def _greatest(self) -> dict[str, float]:
        """The largest value of the numbers that start at 0."""
        return {
            "auto_augment_fill": 255,
            "randaugment_magnitude": greatest_magnitude(self.randaugment_space),
            "randaugment_magnitude_std": 30,
            "colour_jitter": 1,
            "pca_lighting": 10,
            "random_erasing": 1,
            "mixup_alpha": 1000,
            "cutmix_alpha": 1000,
            "mix_probability": 1,
        }

    @property
    def mixed(self) -> bool:
        """Whether images are mixed, so that labels are shares of all classes."""
        return bool((self.mixup_alpha or self.cutmix_alpha) and self.mix_probability)

    @property
    def mirrored(self) -> bool:
        """Whether a mirror image of this data set keeps its class."""
        return self.name.partition("/")[0].partition(":")[0] not in NEVER_MIRRORED

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as JSON types; `from_dict` takes them back."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in dataclasses.asdict(self).items()
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "DataConfig":
        """Builds a configuration from what `to_dict` gave.

        Raises:
            ValueError: A key is no field of the configuration, or a value is wrong.
        """
        return read_fields(cls, fields)


def _whole(value: Any, least: int) -> bool:
    """Whether `value` is a whole number (bools are not) of at least `least`."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _number(value: Any) -> bool:
    """Whether `value` is a number; bools are not, nor are NaN and infinity."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


def _wrong(key: str, expected: str, received: Any) -> ValueError:
    return ValueError(f"{key} must be {expected}. Received: {received!r}")


def locate(config: DataConfig) -> tuple[str, str | None]:
    """What kind of data set a name means, and the folder or file where it has one.

    Returns:
        "digits", "folder", "tfrecord", "npz" or "tfds", and the folder or file.
    """
    name = config.name
    kind, _, path = name.partition(":")
    if name == "digits":
        return name, None
    if kind in ("folder", "tfrecord"):
        root = path or config.data_dir
        if not root:
            raise ValueError(
                f'A folder needs its path: "{kind}:/path", or "{kind}" and data_dir. '
                f"Received: name={name!r}, data_dir=None"
            )
        return kind, _folder(root)
    if kind == "npz":
        if not path:
            raise ValueError(
                f'An .npz file needs its path: "npz:/path". Received: name={name!r}'
            )
        return kind, _folder(path)
    # A slash alone may be TFDS's ("imagenet_resized/32x32"); a bare word is a name.
    if (
        is_remote(name)
        or name.startswith(("/", "./", "../", "~"))
        or ("/" in name and Path(name).is_dir())
    ):
        return "folder", _folder(name)
    return "tfds", None


def _folder(path: str) -> str:
    """A path without a slash at its end: a remote one must not become a `Path`."""
    return path.rstrip("/") if is_remote(path) else str(Path(path).expanduser())
