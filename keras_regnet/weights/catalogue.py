"""All published weight sets, and the look-up of one by what a user may call it."""

import difflib
import functools
import re

from keras_regnet.architecture import canonical_name, checks
from keras_regnet.architecture.variants import TWIN_SUFFIX
from keras_regnet.weights import (
    catalogue_keras,
    catalogue_pycls,
    catalogue_timm,
    catalogue_torchvision,
)
from keras_regnet.weights.schemes import SCHEMES
from keras_regnet.weights.weight_set import WeightSet, WeightTable


@functools.cache
def catalogue() -> WeightTable:
    """All weight sets, the permissive defaults first."""
    return WeightTable(
        each
        for room in (
            catalogue_timm,
            catalogue_torchvision,
            catalogue_pycls,
            catalogue_keras,
        )
        for each in room.sets()
    )


def list_weights(
    model: str | None = None,
    *,
    source: str | None = None,
    tag: str | None = None,
    permissive: bool | None = None,
) -> WeightTable:
    """The published weight sets; `print` the result to read it as a table.

    Args:
        model: A network by any of its names; its torchvision twin's sets are listed
            too, since `weights=` picks the twin where it is needed.
        source: `"timm"`, `"torchvision"`, `"pycls"` or `"keras_applications"`.
        tag: How they were trained, for example `"tv2_in1k"`.
        permissive: Whether the licence is to be one for every use, or one that is not.

    Returns:
        A tuple of `WeightSet`.

    Raises:
        ValueError: There is no such network or source.
    """
    networks = None
    if model is not None:
        name = canonical_name(model)
        networks = {name, name + TWIN_SUFFIX}
    if source is not None:
        checks.one_of("source", source, tuple(SCHEMES))
    return WeightTable(
        each
        for each in catalogue()
        if networks is None or each.architecture in networks
        if source in (None, each.source)
        if tag is None or tag.lower() == each.tag.lower()
        if permissive in (None, each.permissive)
    )


def find(name: str, architecture: str | None = None) -> WeightSet:
    """The weight set that goes by a name.

    Args:
        name: A whole name such as `"timm/regnety_032.ra_in1k"`; without `timm/`; a tag
            such as `"tv2_in1k"`; or `"imagenet"`, timm's `pycls_in1k` of the 24
            networks and `tv2_in1k` of torchvision's twins. Case does not matter.
        architecture: The canonical name of the network that the weights are for; a tag
            or `"imagenet"` needs it. Where the tag has no weights of it, those of its
            torchvision twin are taken.

    Returns:
        The set, which may be of another network than `architecture` when a whole name
        was given: that is for the caller to compare.

    Raises:
        ValueError: There is no such set; the message lists those that are near.
    """
    wanted = name.strip().lower()
    for each in catalogue():
        if wanted in (each.name.lower(), each.name.lower().removeprefix("timm/")):
            return each
    if architecture is not None:
        if wanted == "imagenet":
            wanted = "tv2_in1k" if architecture.endswith(TWIN_SUFFIX) else "pycls_in1k"
        for network in (architecture, architecture + TWIN_SUFFIX):
            for each in catalogue():
                if (each.architecture, each.tag.lower()) == (network, wanted):
                    return each
    elif wanted == "imagenet" or any(wanted == e.tag.lower() for e in catalogue()):
        raise ValueError(
            f"{name!r} stands for one set of weights for each of the published "
            "networks; this network is none of them. Give a whole name, such as "
            f"'timm/regnety_032.ra_in1k'. Received: {name!r}"
        )
    raise ValueError(
        f"There are no such weights{_for(architecture)}. Near it are: "
        f"{', '.join(_near(wanted, architecture))}. keras_regnet.list_weights() lists "
        "all; a file's path ends in .safetensors, .pth, .pyth, .h5, .weights.h5 or "
        f".keras. Received: {name!r}"
    )


def _for(architecture: str | None) -> str:
    return f" for {architecture}" if architecture else ""


def _near(wanted: str, architecture: str | None) -> list[str]:
    """What may have been meant: whole names, or this network's for a mere tag."""
    names = [each.name for each in catalogue()]
    if architecture and not re.search("[/.]", wanted):
        names = ["imagenet", *(each.name for each in list_weights(architecture))]

    def likeness(name: str) -> float:
        parts = {name.lower(), *re.split(r"[/.]", name.lower())}
        return max(difflib.SequenceMatcher(None, wanted, p).ratio() for p in parts)

    return sorted(names, key=likeness, reverse=True)[:6]
