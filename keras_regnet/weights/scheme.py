"""How a source names and lays out the weights of a RegNet, as tables of names."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

TORCH_LEAVES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}

_PATH = re.compile(r"(?P<layer>stem|head_fc|s(?P<s>\d+)_b(?P<b>\d+))/(?P<rest>.+)")


def _as_they_are(tensors: Mapping[str, Any]) -> Mapping[str, Any]:
    return tensors


@dataclasses.dataclass(frozen=True)
class Scheme:
    """The names and layouts of one source.

    The names go one way, from a path of ours (`s1_b2/conv1/conv/kernel`) to the
    source's: conversion asks the file for each name that the model needs, export
    writes under it.

    Attributes:
        name: Of the source.
        stem: Prefix of the stem's names, by `"conv"` and `"bn"`.
        block: Prefix of a block's names, a format of `stage` and `block`, counted from
            1, and `stage_from_0` and `block_from_0`.
        units: Within a block, by the path of ours.
        head: Prefix of the classifier's names.
        leaves: By the name of the variable.
        separator: Between prefix and leaf.
        torch_layout: Whether kernels are OIHW and dense kernels (outputs, inputs),
            where Keras has HWIO and (inputs, outputs).
        channel_order: Of the images that the stem takes.
        padding: Of the strided convolutions, `"symmetric"` or `"same"`.
        marks: Expressions that are all found in the names of a file of this source,
            and all together in no other's.
        clean: Makes the names of a file those of the tables.
    """

    name: str
    stem: Mapping[str, str]
    block: str
    units: Mapping[str, str]
    head: str
    leaves: Mapping[str, str] = dataclasses.field(default_factory=lambda: TORCH_LEAVES)
    separator: str = "."
    torch_layout: bool = True
    channel_order: str = "rgb"
    padding: str = "symmetric"
    marks: tuple[str, ...] = ()
    clean: Callable[[Mapping[str, Any]], Mapping[str, Any]] = _as_they_are

    def key(self, path: str) -> str | None:
        """The source's name of a variable, or None where it has no such variable."""
        match = _PATH.fullmatch(path)
        if match is None:
            return None
        unit, _, leaf = match["rest"].rpartition("/")
        if match["layer"] == "head_fc":
            prefix = None if unit else self.head
        elif match["layer"] == "stem":
            prefix = self.stem.get(unit)
        else:
            prefix = self.units.get(unit)
            if prefix is not None:
                prefix = self._block(int(match["s"]), int(match["b"])) + prefix
        if prefix is None or leaf not in self.leaves:
            return None
        return f"{prefix}{self.separator}{self.leaves[leaf]}"

    def _block(self, stage: int, block: int) -> str:
        return self.block.format(
            stage=stage, block=block, stage_from_0=stage - 1, block_from_0=block - 1
        )

    def recognises(self, names: Iterable[str]) -> bool:
        """Whether a file with these names is of this source."""
        names = list(names)
        return all(any(re.search(m, n) for n in names) for m in self.marks)

    def to_keras(self, value: np.ndarray) -> np.ndarray:
        """A tensor of the source in Keras' layout."""
        if self.torch_layout and value.ndim == 4:
            return value.transpose(2, 3, 1, 0)
        return value.T if self.torch_layout and value.ndim == 2 else value

    def from_keras(self, value: np.ndarray) -> np.ndarray:
        """The inverse of `to_keras`."""
        if self.torch_layout and value.ndim == 4:
            return np.ascontiguousarray(value.transpose(3, 2, 0, 1))
        if self.torch_layout and value.ndim == 2:
            return np.ascontiguousarray(value.T)
        return value
