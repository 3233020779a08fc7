"""The published networks, a line each, and the look-up by their customary names.

Numbers: pycls, configs/dds_baselines (the 24); torchvision, models/regnet.py (the
twins and RegNetY-128GF); timm, models/regnet.py (regnety_640, regnety_2560); Dive into
Deep Learning, section 8.8 (RegNetX32).
"""

import difflib
import re

from keras_regnet.architecture import checks
from keras_regnet.architecture.parameters import (
    AnyNetParameters,
    RegNetParameters,
    Stage,
)

# name: (depth, w0, wa, wm, group width)
_PUBLISHED = {
    "RegNetX-200MF": (13, 24, 36.44, 2.49, 8),
    "RegNetX-400MF": (22, 24, 24.48, 2.54, 16),
    "RegNetX-600MF": (16, 48, 36.97, 2.24, 24),
    "RegNetX-800MF": (16, 56, 35.73, 2.28, 16),
    "RegNetX-1.6GF": (18, 80, 34.01, 2.25, 24),
    "RegNetX-3.2GF": (25, 88, 26.31, 2.25, 48),
    "RegNetX-4.0GF": (23, 96, 38.65, 2.43, 40),
    "RegNetX-6.4GF": (17, 184, 60.83, 2.07, 56),
    "RegNetX-8.0GF": (23, 80, 49.56, 2.88, 120),
    "RegNetX-12GF": (19, 168, 73.36, 2.37, 112),
    "RegNetX-16GF": (22, 216, 55.59, 2.1, 128),
    "RegNetX-32GF": (23, 320, 69.86, 2.0, 168),
    "RegNetY-200MF": (13, 24, 36.44, 2.49, 8),
    "RegNetY-400MF": (16, 48, 27.89, 2.09, 8),
    "RegNetY-600MF": (15, 48, 32.54, 2.32, 16),
    "RegNetY-800MF": (14, 56, 38.84, 2.4, 16),
    "RegNetY-1.6GF": (27, 48, 20.71, 2.65, 24),
    "RegNetY-3.2GF": (21, 80, 42.63, 2.66, 24),
    "RegNetY-4.0GF": (22, 96, 31.41, 2.24, 64),
    "RegNetY-6.4GF": (25, 112, 33.22, 2.27, 72),
    "RegNetY-8.0GF": (17, 192, 76.82, 2.19, 56),
    "RegNetY-12GF": (19, 168, 73.36, 2.37, 112),
    "RegNetY-16GF": (18, 200, 106.23, 2.48, 112),
    "RegNetY-32GF": (20, 232, 115.89, 2.53, 232),
}
# Their torchvision twins with other widths: the same numbers, rounded otherwise.
_TWINS = ("RegNetX-400MF", "RegNetY-800MF", "RegNetY-8.0GF")
TWIN_SUFFIX = "-torchvision"
"""What their canonical names end in."""
_LARGER = {
    "RegNetY-64GF": (20, 352, 147.48, 2.4, 328),  # timm's regnety_640
    "RegNetY-128GF": (27, 456, 160.83, 2.52, 264),  # timm's regnety_1280
    "RegNetY-256GF": (27, 640, 230.83, 2.53, 373),  # timm's regnety_2560
}
_BOOK = AnyNetParameters((Stage(4, 32, 2, 16), Stage(6, 80, 2, 16)))

_FLOPS = re.compile(r"(?:regnet)?[ _-]*([xy]?)[ _-]*(\d+(?:[._]\d+)?)[ _-]*([mg])f")
_CODE = re.compile(r"(?:regnet)?[ _-]*([xy]?)[ _-]*(\d{3,4})")
_TORCHVISION = re.compile(r"regnet_[xy]_\d+(_\d+)?[mg]f")
_SUFFIX = re.compile(r"[ _-](torchvision|tv)$")


def _regnet(name: str, rounding: str = "pycls") -> RegNetParameters:
    numbers = (_PUBLISHED | _LARGER)[name]
    ratio = 0.25 if name.startswith("RegNetY") else 0.0
    return RegNetParameters(*numbers, squeeze_excite_ratio=ratio, rounding=rounding)


def _megaflops(name: str) -> int:
    _, number, unit = _FLOPS.fullmatch(name.lower()).groups()
    return round(float(number) * (1000 if unit == "g" else 1))


_VARIANTS: dict[str, RegNetParameters | AnyNetParameters] = (
    {name: _regnet(name) for name in _PUBLISHED}
    | {name + TWIN_SUFFIX: _regnet(name, "torchvision") for name in _TWINS}
    | {name: _regnet(name) for name in _LARGER}
    | {"RegNetX32": _BOOK}
)
_BY_SIZE = {
    (name[6].lower(), _megaflops(name)): name for name in (*_PUBLISHED, *_LARGER)
}


def variant(
    name: str, family: str | None = None
) -> RegNetParameters | AnyNetParameters:
    """Returns the numbers of a network that goes by a name.

    Case does not matter. The spellings, by the example of two networks:

    - pycls and the paper: `"RegNetX-400MF"`, `"RegNetX-1.6GF"`; `"400MF"`, `"0.4GF"`
      or `"4GF"` with `family`, or where only one family has that size.
    - Keras 2: `"RegNetX004"`; timm: `"regnetx_004"`.
    - torchvision: `"regnet_x_400mf"`, `"regnet_x_1_6gf"`. This spelling means
      *torchvision's* network. Three of them have other widths than pycls' of the same
      name (X-400MF, Y-800MF, Y-8GF) because torchvision rounds otherwise. They are
      also `"regnetx_004_tv"` (timm) and `"RegNetX-400MF-torchvision"` (here).
    - `"RegNetY-64GF"`, `"-128GF"`, `"-256GF"`: timm's `"regnety_640"`, `"_1280"`,
      `"_2560"`. `"RegNetX32"`: the two-stage network of Dive into Deep Learning.

    Args:
        name: The name.
        family: `"x"`, `"y"`, or None to take it from the name.

    Returns:
        The numbers; `RegNetX32` is an `AnyNetParameters`, the others are
        `RegNetParameters`.

    Raises:
        ValueError: No network has the name, or one of the other family, or one of
            either family and `family` is None.
    """
    return _VARIANTS[canonical_name(name, family)]


def canonical_name(name: str, family: str | None = None) -> str:
    """Returns the one spelling that this package writes, `"RegNetX-1.6GF"`.

    Takes and refuses what `variant` does.
    """
    if family is not None:
        family = checks.one_of("family", family, ("x", "y"))
    if not isinstance(name, str):
        raise ValueError(f"A network's name must be a string. Received: {name!r}")
    found = _find(name.strip().lower(), family)
    if not found:
        raise ValueError(
            f"There is no network of this name. Near it are: "
            f"{', '.join(_nearest(name, family))}. Received: {name!r}"
        )
    right = [each for each in found if family in (None, _family(each))]
    if not right:
        raise ValueError(
            f"{found[0]} is no RegNet{family.upper()}; this takes names of that family "
            f"only, such as {', '.join(_nearest(name, family))}. Received: {name!r}"
        )
    if len(right) > 1:
        raise ValueError(
            f"Both families have this size: say {' or '.join(right)}. "
            f"Received: {name!r}"
        )
    return right[0]


def variant_names(family: str | None = None) -> tuple[str, ...]:
    """The canonical names of all networks here, or of one family's."""
    if family is not None:
        family = checks.one_of("family", family, ("x", "y"))
    return tuple(name for name in _VARIANTS if family in (None, _family(name)))


def published_names() -> tuple[str, ...]:
    """The canonical names of the paper's 24 networks, X before Y, small to large."""
    return tuple(_PUBLISHED)


def application_name(name: str, family: str | None = None) -> str:
    """The name in `keras_regnet.applications`: `"RegNetX002"` for `"RegNetX-200MF"`.

    Raises:
        ValueError: As `variant`, and for a network that is not one of the 24.
    """
    canonical = canonical_name(name, family)
    if canonical not in _PUBLISHED:
        raise ValueError(
            "keras_regnet.applications has the 24 networks of the paper only, see "
            f"`published_names()`. Received: {name!r}"
        )
    return f"{canonical[:7]}{_megaflops(canonical) // 100:03}"


def _family(canonical: str) -> str:
    return canonical[len("RegNet")].lower()


def _find(name: str, family: str | None) -> list[str]:
    """The canonical names that a lower-case name can mean, of any family."""
    if re.fullmatch(r"regnet[ _-]?x[ _-]?32", name):
        return ["RegNetX32"]
    stem, twin = _SUFFIX.sub("", name), _SUFFIX.search(name) is not None
    if match := _FLOPS.fullmatch(stem):
        letter, number, unit = match.groups()
        number = float(number.replace("_", "."))
        megaflops = number * (1000 if unit == "g" else 1)
    elif match := _CODE.fullmatch(stem):
        letter, number = match.groups()
        megaflops = float(number) * 100
    else:
        return []
    found = [
        each
        for each in (_BY_SIZE.get((f, round(megaflops, 6))) for f in letter or "xy")
        if each
    ]
    if twin:
        return [each + TWIN_SUFFIX for each in found if each in _TWINS]
    if _TORCHVISION.fullmatch(name):
        return [each + TWIN_SUFFIX if each in _TWINS else each for each in found]
    return found


def _nearest(name: str, family: str | None) -> list[str]:
    """Up to four canonical names, the most alike first."""
    names = variant_names(family)
    wanted = re.sub(r"[ _]", "-", name.strip().lower())
    if not wanted.startswith("regnet"):
        wanted = f"regnet{family or 'x'}-{wanted}"

    def likeness(each: str) -> float:
        return difflib.SequenceMatcher(None, wanted, each.lower()).ratio()

    return sorted(names, key=likeness, reverse=True)[:4]
