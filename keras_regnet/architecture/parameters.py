"""A RegNet as numbers: the quantized linear rule, and the stages that follow from it.

`AnyNetParameters` and `Stage` (from `stages`) can be imported from here too.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from keras_regnet.architecture import checks, quantization
from keras_regnet.architecture.stages import (
    BLOCKS,
    STEM_STRIDES,
    AnyNetParameters,
    BlockParameters,
    Stage,
)

__all__ = [
    "BLOCKS",
    "STEM_STRIDES",
    "AnyNetParameters",
    "BlockParameters",
    "Derivation",
    "RegNetParameters",
    "Stage",
    "from_dict",
]


@dataclasses.dataclass(frozen=True)
class RegNetParameters:
    """A RegNet as the paper writes it: stages follow from a quantized linear rule.

    Attributes:
        depth: Number of blocks d.
        w0: Width of the first block, a multiple of q.
        wa: Slope of the widths over the blocks, at least 0.
        wm: Factor between the widths of neighbouring stages, above 1.
        group_width: Channels per group g of the 3x3 convolutions.
        bottleneck_ratio: The paper's b: w_b = w / b.
        squeeze_excite_ratio: 0 for a RegNetX; RegNetY has 0.25.
        stem: `"simple"`, `"small"` or `"resnet"`, as in `AnyNetParameters`.
        stem_width: Channels of the stem.
        strides: Stride of every stage, or a tuple with one per stage.
        rounding: `"pycls"` or `"torchvision"`: how widths are made compatible with the
            group width (`quantization.adjust_compatibility`).
        q: Widths before compatibility are multiples of this.

    Raises:
        ValueError: A value out of bounds, or numbers from which no network follows.
    """

    depth: int
    w0: int
    wa: float
    wm: float
    group_width: int
    bottleneck_ratio: float = 1.0
    squeeze_excite_ratio: float = 0.0
    stem: str = "simple"
    stem_width: int = 32
    strides: int | tuple[int, ...] = 2
    rounding: str = "pycls"
    q: int = 8

    def __post_init__(self) -> None:
        strides = self.strides
        if isinstance(strides, (tuple, list)):
            strides = tuple(checks.integer("strides", s, maximum=64) for s in strides)
        else:
            strides = checks.integer("strides", strides, maximum=64)
        checks.set_fields(
            self,
            depth=checks.integer("depth", self.depth, maximum=checks.MAX_DEPTH),
            w0=checks.integer("w0", self.w0),
            wa=checks.real("wa", self.wa, "from 0 to 1000000", 0.0, 1e6),
            wm=checks.real(
                "wm", self.wm, "above 1, at most 1000", math.nextafter(1, 2), 1e3
            ),
            group_width=checks.integer("group_width", self.group_width),
            bottleneck_ratio=float(checks.ratio(self.bottleneck_ratio)),
            squeeze_excite_ratio=checks.squeeze_excite_ratio(self.squeeze_excite_ratio),
            strides=strides,
            rounding=checks.one_of("rounding", self.rounding, quantization.ROUNDINGS),
            q=checks.integer("q", self.q, maximum=1024),
        )
        if self.w0 % self.q:
            raise ValueError(
                f"`w0` must be a multiple of {self.q}. Received: w0={self.w0}"
            )
        self.anynet()

    def explain(self) -> "Derivation":
        """The whole way from the numbers to the stages, equations 2 to 4 and after."""
        u = quantization.continuous_widths(self.depth, self.w0, self.wa)
        s = quantization.exponents(u, self.w0, self.wm)
        quantized = quantization.quantized_widths(s, self.w0, self.wm, self.q)
        runs = quantization.stages_from_widths(quantized.tolist())
        count = len(runs)
        strides = self.strides
        if isinstance(strides, int):
            strides = (strides,) * count
        if len(strides) != count:
            raise ValueError(
                f"`strides` must be one per stage, and these numbers make {count} "
                f"stages. Received: strides={self.strides}"
            )
        widths, groups = quantization.adjust_compatibility(
            [width for width, _ in runs],
            [self.bottleneck_ratio] * count,
            [self.group_width] * count,
            self.rounding,
        )
        stages = tuple(
            Stage(depth, width, stride, group, self.bottleneck_ratio)
            for (_, depth), width, stride, group in zip(
                runs, widths, strides, groups, strict=True
            )
        )
        compatible = tuple(stage.width for stage in stages for _ in range(stage.depth))
        return Derivation(
            self,
            tuple(u.tolist()),
            tuple(s.tolist()),
            tuple(quantized.tolist()),
            compatible,
            stages,
        )

    def anynet(self) -> AnyNetParameters:
        """The network of stages that follows from these numbers."""
        return AnyNetParameters(
            stages=self.explain().stages,
            block="y" if self.squeeze_excite_ratio else "x",
            squeeze_excite_ratio=self.squeeze_excite_ratio,
            stem=self.stem,
            stem_width=self.stem_width,
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON types."""
        values = dataclasses.asdict(self)
        if isinstance(self.strides, tuple):
            values["strides"] = list(self.strides)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "RegNetParameters":
        """Reads what `to_dict` wrote; unknown keys are a ValueError."""
        return checks.read_fields(cls, values)


@dataclasses.dataclass(frozen=True)
class Derivation:
    """How stages follow from a RegNet's numbers; `print` it to read it as a table.

    Attributes:
        parameters: The numbers.
        continuous: u_j of equation 2, per block.
        exponents: s_j of equation 3, rounded, per block.
        quantized: w_j of equation 4 (multiples of q), per block.
        compatible: The widths of the network, changed to fit the groups, per block.
        stages: The stages. Those of equation 4: two neighbours that compatibility has
            made equally wide stay two stages, as in pycls.
    """

    parameters: RegNetParameters
    continuous: tuple[float, ...]
    exponents: tuple[int, ...]
    quantized: tuple[int, ...]
    compatible: tuple[int, ...]
    stages: tuple[Stage, ...]

    def __str__(self) -> str:
        p = self.parameters
        lines = [
            f"u_j = {p.w0} + {p.wa:g} j;  s_j = round(log(u_j / {p.w0}) / "
            f"log {p.wm:g});  w_j = {p.q} round({p.w0} * {p.wm:g}^s_j / {p.q});",
            f"then w_j / {p.bottleneck_ratio:g} to a multiple of the group width "
            f"{p.group_width}, rounded as {p.rounding} does.",
            " block    j       u_j  s_j  eq. 4  final",
        ]
        names = [
            f"s{number}_b{index}"
            for number, stage in enumerate(self.stages, start=1)
            for index in range(1, stage.depth + 1)
        ]
        rows = zip(
            names,
            self.continuous,
            self.exponents,
            self.quantized,
            self.compatible,
            strict=True,
        )
        for j, (name, u, s, quantized, final) in enumerate(rows):
            note = "" if quantized == final else "  (changed for the groups)"
            lines.append(
                f"{name:>6} {j:4} {u:9.2f} {s:4} {quantized:6} {final:6}{note}"
            )
        return "\n".join(lines)


def from_dict(values: Mapping[str, Any]) -> AnyNetParameters | RegNetParameters:
    """Reads the dictionary of either kind; one with `stages` is an AnyNet's."""
    anynet = isinstance(values, Mapping) and "stages" in values
    return (AnyNetParameters if anynet else RegNetParameters).from_dict(values)
