"""Many networks of equally many stages as arrays: made compatible and counted at once.

The rules and the counts are those of `quantization.adjust_compatibility` and of
`complexity.complexity`, number for number; what is different is that a hundred thousand
networks take a second.
"""

import dataclasses
import math
from fractions import Fraction
from functools import cached_property

import numpy as np

from keras_regnet.architecture import checks
from keras_regnet.architecture.parameters import (
    STEM_STRIDES,
    AnyNetParameters,
    Stage,
)
from keras_regnet.architecture.quantization import ROUNDINGS

_Numbers = np.ndarray | int  # of n networks, or the same of all


@dataclasses.dataclass(frozen=True)
class ComplexityArrays:
    """What each of n networks costs for one image, int64 arrays of shape (n,).

    Attributes:
        multiply_adds: The paper's flops.
        parameters: Trainable parameters.
        activations: Outputs of convolutions, dense layers and max-pooling.
    """

    multiply_adds: np.ndarray
    parameters: np.ndarray
    activations: np.ndarray


def compatible_arrays(
    widths: np.ndarray,
    bottleneck_ratios: np.ndarray,
    group_widths: np.ndarray,
    rounding: str = "pycls",
) -> tuple[np.ndarray, np.ndarray]:
    """`quantization.adjust_compatibility` of every element of equally shaped arrays.

    Args:
        widths: Desired widths, integers.
        bottleneck_ratios: The paper's b.
        group_widths: Desired group widths, integers.
        rounding: `"pycls"` or `"torchvision"`.

    Returns:
        The compatible widths and group widths, int64.

    Raises:
        ValueError: Another rounding, or a ratio that is no small fraction.
    """
    checks.one_of("rounding", rounding, ROUNDINGS)
    widths = np.asarray(widths, dtype=np.int64)
    numerators, denominators = _fractions(bottleneck_ratios)
    bottlenecks = np.maximum(1, widths * denominators // numerators)
    groups = np.minimum(np.asarray(group_widths, dtype=np.int64), bottlenecks)
    divisors = np.lcm(groups, denominators)
    if rounding == "pycls":
        steps = np.round(bottlenecks / divisors).astype(np.int64)
        rounded = np.maximum(divisors, steps * divisors)
    else:
        steps = (2 * bottlenecks + divisors) // 2 // divisors
        rounded = np.maximum(divisors, steps * divisors)
        rounded += np.where(rounded < 0.9 * bottlenecks, divisors, 0)
    return rounded * numerators // denominators, groups


def _fractions(ratios: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numerators and denominators of bottleneck ratios, int64."""
    values, places = np.unique(ratios, return_inverse=True)
    fractions: list[Fraction] = [checks.ratio(value) for value in values.tolist()]
    shape = np.shape(ratios)
    return tuple(
        np.array(part, dtype=np.int64)[places].reshape(shape)
        for part in (
            [fraction.numerator for fraction in fractions],
            [fraction.denominator for fraction in fractions],
        )
    )


@dataclasses.dataclass(frozen=True)
class NetworkArrays:
    """n networks of the same number of stages, the same block, stem and strides.

    Attributes:
        depths: Blocks per stage, int64 of shape (n, stages).
        widths: Channels per stage, likewise.
        bottleneck_ratios: The paper's b, likewise; None for blocks without.
        group_widths: Channels per group; None for one group, and for blocks without.
        strides: One stride per stage, of all networks.
        block: As in `AnyNetParameters`, and the following.
        squeeze_excite_ratio: Of all networks.
        stem: Of all networks.
        stem_width: Of all networks.
    """

    depths: np.ndarray
    widths: np.ndarray
    bottleneck_ratios: np.ndarray | None
    group_widths: np.ndarray | None
    strides: tuple[int, ...]
    block: str = "x"
    squeeze_excite_ratio: float = 0.0
    stem: str = "simple"
    stem_width: int = 32

    def __len__(self) -> int:
        return len(self.depths)

    @cached_property
    def bottleneck_widths(self) -> np.ndarray:
        """w_b = w / b, int64 of shape (n, stages)."""
        if self.bottleneck_ratios is None:
            return self.widths
        numerators, denominators = _fractions(self.bottleneck_ratios)
        return self.widths * denominators // numerators

    def rows(self) -> np.ndarray:
        """All numbers of each network, int64 of shape (n, k): equal for equal ones."""
        columns = [self.depths, self.widths, self.bottleneck_widths]
        if self.group_widths is not None:
            columns.append(self.group_widths)
        return np.concatenate(columns, axis=1)

    def take(self, rows: np.ndarray) -> "NetworkArrays":
        """The networks of some rows."""
        chosen = {
            name: None if getattr(self, name) is None else getattr(self, name)[rows]
            for name in ("depths", "widths", "bottleneck_ratios", "group_widths")
        }
        return dataclasses.replace(self, **chosen)

    def network(self, row: int) -> AnyNetParameters:
        """One of the networks."""
        ratios, groups = self.bottleneck_ratios, self.group_widths
        stages = tuple(
            Stage(
                int(depth),
                int(self.widths[row, i]),
                self.strides[i],
                None if groups is None else int(groups[row, i]),
                1.0 if ratios is None else float(ratios[row, i]),
            )
            for i, depth in enumerate(self.depths[row])
        )
        return AnyNetParameters(
            stages, self.block, self.squeeze_excite_ratio, self.stem, self.stem_width
        )

    def complexity(
        self,
        input_size: int | tuple[int, int] = 224,
        input_channels: int = 3,
        classes: int = 1000,
    ) -> ComplexityArrays:
        """Counts what the networks cost, as `complexity.complexity` counts it.

        Args:
            input_size: Pixels along both sides, or (height, width).
            input_channels: Channels of the image.
            classes: Outputs of the head.

        Returns:
            The counts. They are whole numbers of 64 bits: networks of more than 9e18
            multiply-adds would overflow.
        """
        size = input_size if isinstance(input_size, tuple) else (input_size,) * 2
        sums = _Sums(len(self))
        if self.stem == "resnet":
            size = _smaller(size, 2)
            sums.conv_norm(input_channels * 49, self.stem_width, math.prod(size))
            size = _smaller(size, 2)
            sums.activations += self.stem_width * math.prod(size)
        else:
            size = _smaller(size, STEM_STRIDES[self.stem])
            sums.conv_norm(input_channels * 9, self.stem_width, math.prod(size))
        width_in = np.full(len(self), self.stem_width)
        for i, stride in enumerate(self.strides):
            width, more = self.widths[:, i], self.depths[:, i] - 1
            before, size = math.prod(size), _smaller(size, stride)
            pixels = math.prod(size)
            if self.block != "vanilla":
                projects = (width_in != width) | (stride != 1)
                sums.conv_norm(width_in, width, pixels, times=projects)
            self._branch(sums, i, width_in, before, pixels, 1)
            self._branch(sums, i, width, pixels, pixels, more)
            width_in = width
        sums.dense(width_in, classes)
        return ComplexityArrays(sums.multiply_adds, sums.parameters, sums.activations)

    def _branch(
        self,
        sums: "_Sums",
        i: int,
        width_in: _Numbers,
        before: int,
        pixels: int,
        times: _Numbers,
    ) -> None:
        """Adds `times` equal blocks' branches of stage i, `before` pixels coming in."""
        width = self.widths[:, i]
        if self.block in ("res_basic", "vanilla"):
            sums.conv_norm(9 * width_in, width, pixels, times=times)
            sums.conv_norm(9 * width, width, pixels, times=times)
            return
        inner = self.bottleneck_widths[:, i]
        group = inner if self.group_widths is None else self.group_widths[:, i]
        sums.conv_norm(width_in, inner, before, times=times)
        sums.conv_norm(9 * group, inner, pixels, times=times)
        if self.squeeze_excite_ratio:
            squeezed = np.round(width_in * self.squeeze_excite_ratio).astype(np.int64)
            squeezed = np.maximum(1, squeezed)
            sums.dense(inner, squeezed, times)
            sums.dense(squeezed, inner, times)
        sums.conv_norm(inner, width, pixels, times=times)


def _smaller(size: tuple[int, int], stride: int) -> tuple[int, int]:
    return (size[0] - 1) // stride + 1, (size[1] - 1) // stride + 1


class _Sums:
    """Running sums over the layers of n networks."""

    def __init__(self, count: int) -> None:
        self.multiply_adds = np.zeros(count, dtype=np.int64)
        self.parameters = np.zeros(count, dtype=np.int64)
        self.activations = np.zeros(count, dtype=np.int64)

    def conv_norm(
        self, inputs: _Numbers, width: _Numbers, pixels: int, times: _Numbers = 1
    ) -> None:
        """Convolutions whose outputs see `inputs` numbers each, and their norms."""
        weights = inputs * width
        self.multiply_adds += times * (weights * pixels)
        self.parameters += times * (weights + 2 * width)
        self.activations += times * (width * pixels)

    def dense(self, width_in: _Numbers, width: _Numbers, times: _Numbers = 1) -> None:
        """Dense layers, or 1x1 convolutions on one pixel, with bias."""
        weights = (width_in + 1) * width
        self.multiply_adds += times * weights
        self.parameters += times * weights
        self.activations += times * width
