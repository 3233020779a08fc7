"""Everything that determines the batches of a run, as one frozen dataclass."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True)
class DataConfig:
    """A data set and what happens to its images. Plain JSON types throughout.

    Attributes:
        name: `"digits"` (embedded, needs no download), a TFDS name such as
            `"fashion_mnist"` or `"imagenet_resized/32x32"`, or an image folder as
            `"folder:/path"` or as a path with a slash in it.
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
        crop_fraction: In evaluation of large images, `image_size` over the length to
            which the shorter side is resized before the centre is cut out.
        normalize: False: images leave as float32 in 0..255, for a model with
            `include_preprocessing=True`. True: `mean` and `std` are applied.
        mean: Per channel, in units of 0..1. Needed when `normalize` is set.
        std: Per channel, in units of 0..1. Needed when `normalize` is set.
        cache: Whether small images are decoded once and kept in memory. `"auto"`:
            where they take at most 1 GiB.
        shuffle_buffer: Images in the shuffle buffer of TFDS data that is streamed.
            In-memory data and image folders are always shuffled completely.
        seed: Determines order and augmentation, together with the epoch.
        validation_fraction: Share of each class that is held out where the data set
            has no validation or test part of its own.
        split_seed: Chooses which images those are. Apart from `seed`, so that runs of
            several seeds are judged on the same images.
        download: Whether TFDS may download and prepare what is not on the disk.
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
    normalize: bool = False
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    cache: bool | str = "auto"
    shuffle_buffer: int = 16_384
    seed: int = 0
    validation_fraction: float = 0.1
    split_seed: int = 0
    download: bool = False

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
        if self.augment not in AUGMENTATIONS:
            raise _wrong("augment", f"one of {list(AUGMENTATIONS)}", self.augment)
        if self.image_size is not None and not _whole(self.image_size, 8):
            raise _wrong("image_size", "None or at least 8 pixels", self.image_size)
        for key, least in (("batch_size", 1), ("shuffle_buffer", 1), ("seed", 0)):
            if not _whole(getattr(self, key), least):
                expected = f"a whole number of at least {least}"
                raise _wrong(key, expected, getattr(self, key))
        if self.pad is not None and not _whole(self.pad, 0):
            raise _wrong("pad", "None or at least 0 pixels", self.pad)
        for key in _FRACTIONS:
            value = getattr(self, key)
            if not 0 < value <= 1 or (key == "validation_fraction" and value == 1):
                raise _wrong(key, "a fraction between 0 and 1", value)
        for key, most in (("crop_area", 1.0), ("crop_aspect", float("inf"))):
            value = getattr(self, key)
            if len(value) != 2 or not 0 < value[0] <= value[1] <= most:
                raise _wrong(key, "two numbers, 0 < least <= greatest", value)
        if self.cache not in (True, False, "auto"):
            raise _wrong("cache", 'True, False or "auto"', self.cache)
        if self.normalize and (self.mean is None or self.std is None):
            raise _wrong(
                "mean and std", "both given with normalize=True", (self.mean, self.std)
            )
        if self.std is not None and min(self.std, default=0.0) <= 0:
            raise _wrong("std", "numbers above 0", self.std)

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
            ValueError: A key is no field of the configuration.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(fields) - known):
            raise ValueError(
                f"Unknown data fields. Expected some of {sorted(known)}. "
                f"Received: {unknown}"
            )
        return cls(**fields)


def _whole(value: Any, least: int) -> bool:
    """Whether `value` is a whole number (bools are not) of at least `least`."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _wrong(key: str, expected: str, received: Any) -> ValueError:
    return ValueError(f"{key} must be {expected}. Received: {received!r}")
