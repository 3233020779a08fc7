"""The tables of the augmentation policies: which operations, and how strong.

Numbers alone, those of torchvision's `transforms.v2` and, for its RandAugment, timm's.
The names are those of `operations`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

POLICIES = ("none", "randaugment", "autoaugment", "trivialaugment")
"""What `DataConfig.auto_augment` can be."""

RANDAUGMENT_SPACES = ("torchvision", "timm", "timm_increasing")
"""The tables that RandAugment can use."""

SUB_POLICIES = ("imagenet", "cifar10", "svhn")
"""The data sets for which AutoAugment's pairs of operations were searched."""

_SIGNED = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
_ENHANCEMENTS = ("brightness", "color", "contrast", "sharpness")
_TIMM_BINS = 1001  # magnitudes need not be whole there: a bin for each hundredth


@dataclass(frozen=True)
class Space:
    """Operations that may be drawn, with a table of magnitudes.

    Attributes:
        names: Of the operations.
        magnitudes: float32 `(operations, bins)`.
        signed: For each operation whether its magnitude is negated at random.
        greatest: The magnitude, as users give it, that the last bin stands for.
    """

    names: tuple[str, ...]
    magnitudes: np.ndarray
    signed: np.ndarray
    greatest: float


def greatest_magnitude(space: str) -> float:
    """The largest magnitude that one of `RANDAUGMENT_SPACES` knows."""
    return 30.0 if space == "torchvision" else 10.0


def torchvision_space(policy: str, height: int, width: int) -> Space:
    """The table of one of torchvision's policies.

    Args:
        policy: `"randaugment"`, `"autoaugment"` or `"trivialaugment"` (the wide one).
        height: Of the images, in pixels.
        width: Of the images, in pixels.
    """
    wide = policy == "trivialaugment"
    bins = 10 if policy == "autoaugment" else 31
    levels = np.linspace(0.0, 1.0, bins)
    shear, turn, enhancement = (0.99, 135.0, 0.99) if wide else (0.3, 30.0, 0.9)
    right, down = (32.0, 32.0) if wide else (150 / 331 * width, 150 / 331 * height)
    table = {
        "identity": 0 * levels,
        "shear_x": shear * levels,
        "shear_y": shear * levels,
        "translate_x": _floor(right * levels),
        "translate_y": _floor(down * levels),
        "rotate": turn * levels,
        **dict.fromkeys(_ENHANCEMENTS, enhancement * levels),
        "posterize": np.round(8 - (6 if wide else 4) * levels),
        "solarize": 255 * (1 - levels),
        "autocontrast": 0 * levels,
        "equalize": 0 * levels,
    }
    if policy == "autoaugment":
        table["invert"] = 0 * levels
    return _space(table, (*_SIGNED, *_ENHANCEMENTS), bins - 1)


def timm_space(height: int, width: int, increasing: bool) -> Space:
    """The table of timm's RandAugment, for magnitudes of 0 to 10.

    Args:
        height: Of the images, in pixels.
        width: Of the images, in pixels.
        increasing: Whether all operations grow stronger with the magnitude, as in
            timm's "inc1". Otherwise posterize and solarize grow weaker, and the
            factors of the enhancements go from 0.1 to 1.9.
    """
    levels = np.linspace(0.0, 1.0, _TIMM_BINS)
    bits, threshold = _floor(4 * levels), _floor(256 * levels)
    enhancement = 0.9 * levels if increasing else 1.8 * levels - 0.9
    table = {
        "autocontrast": 0 * levels,
        "equalize": 0 * levels,
        "invert": 0 * levels,
        "rotate": 30 * levels,
        "posterize": 4 - bits if increasing else bits,
        "solarize": 256 - threshold if increasing else threshold,
        "solarize_add": _floor(110 * levels),
        **dict.fromkeys(_ENHANCEMENTS, enhancement),
        "shear_x": 0.3 * levels,
        "shear_y": 0.3 * levels,
        "translate_x": 0.45 * width * levels,
        "translate_y": 0.45 * height * levels,
    }
    return _space(table, (*_SIGNED, *(_ENHANCEMENTS if increasing else ())), 10.0)


def autoaugment_pairs(data_set: str) -> list[list[tuple[str, float, int]]]:
    """The 25 pairs of (operation, probability, bin) of one of `SUB_POLICIES`."""
    pairs = []
    for line in _PAIRS[data_set].split("\n"):
        words = line.split()
        pairs.append(
            [(words[at], int(words[at + 1]) / 10, int(words[at + 2])) for at in (0, 3)]
        )
    return pairs


def _floor(values: np.ndarray) -> np.ndarray:
    """Rounds down, but not where only the last digits of a product are missing."""
    return np.floor(np.round(values, 6))


def _space(
    table: Mapping[str, np.ndarray], signed: Sequence[str], greatest: float
) -> Space:
    return Space(
        names=tuple(table),
        magnitudes=np.stack(list(table.values())).astype(np.float32),
        signed=np.array([name in signed for name in table]),
        greatest=greatest,
    )


# Operation, probability in tenths, bin of ten; twice in each line.
_PAIRS = {
    "imagenet": """\
posterize 4 8 rotate 6 9
solarize 6 5 autocontrast 6 0
equalize 8 0 equalize 6 0
posterize 6 7 posterize 6 6
equalize 4 0 solarize 2 4
equalize 4 0 rotate 8 8
solarize 6 3 equalize 6 0
posterize 8 5 equalize 10 0
rotate 2 3 solarize 6 8
equalize 6 0 posterize 4 6
rotate 8 8 color 4 0
rotate 4 9 equalize 6 0
equalize 0 0 equalize 8 0
invert 6 0 equalize 10 0
color 6 4 contrast 10 8
rotate 8 8 color 10 2
color 8 8 solarize 8 7
sharpness 4 7 invert 6 0
shear_x 6 5 equalize 10 0
color 4 0 equalize 6 0
equalize 4 0 solarize 2 4
solarize 6 5 autocontrast 6 0
invert 6 0 equalize 10 0
color 6 4 contrast 10 8
equalize 8 0 equalize 6 0""",
    "cifar10": """\
invert 1 0 contrast 2 6
rotate 7 2 translate_x 3 9
sharpness 8 1 sharpness 9 3
shear_y 5 8 translate_y 7 9
autocontrast 5 0 equalize 9 0
shear_y 2 7 posterize 3 7
color 4 3 brightness 6 7
sharpness 3 9 brightness 7 9
equalize 6 0 equalize 5 0
contrast 6 7 sharpness 6 5
color 7 7 translate_x 5 8
equalize 3 0 autocontrast 4 0
translate_y 4 3 sharpness 2 6
brightness 9 6 color 2 8
solarize 5 2 invert 0 0
equalize 2 0 autocontrast 6 0
equalize 2 0 equalize 6 0
color 9 9 equalize 6 0
autocontrast 8 0 solarize 2 8
brightness 1 3 color 7 0
solarize 4 5 autocontrast 9 0
translate_y 9 9 translate_y 7 9
autocontrast 9 0 solarize 8 3
equalize 8 0 invert 1 0
translate_y 7 9 autocontrast 9 0""",
    "svhn": """\
shear_x 9 4 invert 2 0
shear_y 9 8 invert 7 0
equalize 6 0 solarize 6 6
invert 9 0 equalize 6 0
equalize 6 0 rotate 9 3
shear_x 9 4 autocontrast 8 0
shear_y 9 8 invert 4 0
shear_y 9 5 solarize 2 6
invert 9 0 autocontrast 8 0
equalize 6 0 rotate 9 3
shear_x 9 4 solarize 3 3
shear_y 8 8 invert 7 0
equalize 9 0 translate_y 6 6
invert 9 0 equalize 6 0
contrast 3 3 rotate 8 4
invert 8 0 translate_y 0 2
shear_y 7 6 solarize 4 8
invert 6 0 rotate 8 4
shear_y 3 7 translate_x 9 3
shear_x 1 6 invert 6 0
solarize 7 2 translate_y 6 7
shear_y 8 4 invert 8 0
shear_x 7 9 translate_y 8 3
shear_y 8 5 autocontrast 7 0
shear_x 7 2 invert 1 0""",
}
