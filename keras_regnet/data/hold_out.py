"""Which images are held out where a data set has no part to evaluate on."""

import hashlib
import warnings
from collections.abc import Sequence

import numpy as np

LABELS_READ = 2**34
"""Bytes of records up to which all of them are read, once, for their labels."""

RULE = "a random share of each class, spread over all records"
"""What a run on records notes: before, the last records were held out."""


def count_held_out(size: int, fraction: float) -> int:
    """How many of a class are held out, at least one."""
    return max(1, round(size * fraction))


def held_out(
    names: Sequence[str], labels: Sequence[int] | None, fraction: float, seed: int
) -> np.ndarray:
    """Chooses a share of each class at random: the least hashes of seed and name.

    So the choice depends on nothing but the names, and an image that is added moves
    no others.

    Args:
        names: One for each image, all different.
        labels: Their classes; None where they are unknown: then it is a share of all.
            A class with one image keeps it for training.
        fraction: The share.
        seed: Another one is another choice.

    Returns:
        bool `(len(names),)`, true where an image is held out.

    Raises:
        ValueError: There are too few images.
    """
    ranks = [
        hashlib.sha256(f"{seed}/{name}".encode(errors="surrogateescape")).digest()[:8]
        for name in names
    ]
    groups = np.zeros(len(names), np.int64) if labels is None else np.asarray(labels)
    order = np.lexsort((np.frombuffer(b"".join(ranks), ">u8"), groups))
    chosen = np.zeros(len(names), bool)
    for members in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        count = min(count_held_out(len(members), fraction), len(members) - 1)
        chosen[members[: max(count, 0)]] = True
    if not chosen.any():
        raise ValueError(
            "There are too few images to hold some out. Expected at least 2 of a "
            f"class. Received: {len(names)}"
        )
    if labels is not None:
        counts = np.unique(groups[groups >= 0], return_counts=True)[1]
        if single := int((counts == 1).sum()):
            warnings.warn(
                f"{single} of {len(counts)} classes have one image alone, which is for "
                "training: nothing is held out of them to evaluate on",
                stacklevel=2,
            )
    return chosen
