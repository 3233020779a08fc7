"""What the numbers of a space range over: the paper's values, and wider ones.

A network has numbers of two kinds: those of each stage (depth, width, bottleneck ratio
and group width), and, where widths follow the quantized linear rule, those of the rule
(total depth, w0, wa, wm).
"""

import dataclasses
import math
from typing import Any

from keras_regnet.architecture import checks
from keras_regnet.design_space.choices import (
    Choices,
    choices,
    log_uniform,
    uniform,
)

ORDERS = ("free", "rising", "rising but for the last", "falling")


@dataclasses.dataclass(frozen=True)
class Ranges:
    """The values that each number may have. None: this number is not drawn.

    Attributes:
        depths: Blocks of a stage.
        widths: Channels of a stage, before they are made to fit the groups.
        bottleneck_ratios: The paper's b; None for blocks without a bottleneck.
        group_widths: Channels of a group; None for blocks without groups.
        total_depth: The rule's d, blocks of all stages.
        w0: The rule's first width.
        wa: The rule's slope.
        wm: The rule's factor between stages.
    """

    depths: Choices | None
    widths: Choices | None
    bottleneck_ratios: Choices | None
    group_widths: Choices | None
    total_depth: Choices
    w0: Choices
    wa: Choices
    wm: Choices

    def __post_init__(self) -> None:
        for field in dataclasses.fields(Ranges):
            value = getattr(self, field.name)
            optional = field.name in (
                "depths",
                "widths",
                "bottleneck_ratios",
                "group_widths",
            )
            if value is not None or not optional:
                checks.set_fields(self, **{field.name: choices(value, field.name)})
        for name in ("depths", "widths", "group_widths", "total_depth", "w0"):
            values = getattr(self, name)
            if values and not all(isinstance(value, int) for value in values.values):
                raise ValueError(
                    f"`{name}` must be whole numbers. Received: {name}={values}"
                )
        if not self.wm.low > 1:
            raise ValueError(f"`wm` must be above 1. Received: wm={self.wm}")
        for ratio in (self.bottleneck_ratios or Choices((1,))).values:
            checks.ratio(ratio)


PAPER = Ranges(
    depths=log_uniform(1, 16),
    widths=log_uniform(8, 1024, 8),
    bottleneck_ratios=Choices((1, 2, 4)),
    group_widths=Choices((1, 2, 4, 8, 16, 32)),
    total_depth=uniform(1, 63),
    w0=log_uniform(8, 256, 8),
    wa=log_uniform(8, 256, 0.1),
    wm=log_uniform(1.5, 3, 0.001),
)
"""Section 3.2 and 3.3 of the paper, for 200 to 800 megaflops.

The steps of wa and wm, the lower end of wa, and the laws of the rule's numbers are
pycls'; the paper gives none."""

MEDIUM = dataclasses.replace(
    PAPER,
    depths=log_uniform(1, 20),
    widths=log_uniform(8, 2048, 8),
    group_widths=Choices(tuple(range(16, 65, 8))),
)
"""About 3.2 gigaflops: 16 <= g <= 64 in steps of 8 (appendix D), and w <= 2048."""

LARGE = dataclasses.replace(
    PAPER,
    depths=log_uniform(1, 24),
    widths=log_uniform(8, 4096, 8),
    group_widths=Choices(tuple(range(8, 257, 8))),
    w0=log_uniform(8, 512, 8),
)
"""Up to 32 gigaflops: the 24 published networks lie in it. g <= 256 in steps of 8."""

SMALL_IMAGES = dataclasses.replace(
    PAPER,
    depths=log_uniform(1, 8),
    widths=log_uniform(8, 256, 8),
    group_widths=Choices((1, 2, 4, 8, 16)),
    total_depth=uniform(3, 24),
    w0=log_uniform(8, 64, 8),
    wa=log_uniform(4, 64, 0.1),
)
"""Images of 28 or 32 pixels: networks of up to some ten megaflops."""

MLP = dataclasses.replace(
    PAPER,
    depths=log_uniform(1, 4),
    widths=log_uniform(8, 1024, 8),
    bottleneck_ratios=None,
    group_widths=None,
    total_depth=uniform(3, 12),
)
"""Multilayer perceptrons: runs of equally wide layers, no bottlenecks, no groups."""


PRESETS = {
    "paper": PAPER,
    "medium": MEDIUM,
    "large": LARGE,
    "small_images": SMALL_IMAGES,
    "mlp": MLP,
}
"""The ranges by their names."""


@dataclasses.dataclass(frozen=True)
class Limits(Ranges):
    """All that the draw of a network knows: ranges, and what constraints narrowed.

    Attributes:
        stages: Number of stages.
        rule: Whether depths and widths follow the quantized linear rule.
        slope_is_w0: Whether wa = w0.
        shared_ratio: Whether b is drawn once for all stages.
        shared_groups: Whether g is drawn once for all stages.
        unshared_groups: Whether one g for all stages is forbidden.
        depth_order: One of `ORDERS`.
        width_order: One of `ORDERS`.
    """

    stages: int = 4
    rule: bool = False
    slope_is_w0: bool = False
    shared_ratio: bool = False
    shared_groups: bool = False
    unshared_groups: bool = False
    depth_order: str = "free"
    width_order: str = "free"

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.set_fields(
            self, stages=checks.integer("stages", self.stages, maximum=64)
        )
        if not self.rule and (self.depths is None or self.widths is None):
            raise ValueError(
                "Without the quantized linear rule the stages' depths and widths need "
                f"ranges. Received: depths={self.depths}, widths={self.widths}"
            )

    @classmethod
    def of(cls, ranges: Ranges, **values: Any) -> "Limits":
        """Some ranges, and nothing narrowed."""
        fields = {f.name: getattr(ranges, f.name) for f in dataclasses.fields(Ranges)}
        return cls(**fields, **values)

    def degrees_of_freedom(self) -> int:
        """How many numbers are drawn that can have more than one value."""
        if self.rule:
            names = ["total_depth", "w0", "wm"] + ["wa"] * (not self.slope_is_w0)
        else:
            names = ["depths", "widths"] * self.stages
        names += ["bottleneck_ratios"] * (1 if self.shared_ratio else self.stages)
        names += ["group_widths"] * (1 if self.shared_groups else self.stages)
        ranges = [getattr(self, name) for name in names]
        return sum(values is not None and len(values) > 1 for values in ranges)

    def size(self) -> int:
        """How many combinations of numbers can be drawn, exactly.

        Rising and falling sequences are counted with those of equal values. (The paper
        divides by 4! instead, which is as if there were none.) Of the rule, every
        combination counts, also one that makes another number of stages.
        """
        if self.rule:
            product = len(self.total_depth) * len(self.w0) * len(self.wm)
            product *= 1 if self.slope_is_w0 else len(self.wa)
        else:
            product = self._sequences(self.depths, self.depth_order)
            product *= self._sequences(self.widths, self.width_order)
        if self.bottleneck_ratios is not None:
            count = len(self.bottleneck_ratios)
            product *= count ** (1 if self.shared_ratio else self.stages)
        if self.group_widths is not None:
            count = len(self.group_widths)
            groups = count if self.shared_groups else count**self.stages
            product *= groups - count if self.unshared_groups else groups
        return product

    def _sequences(self, values: Choices, order: str) -> int:
        count, length = len(values), self.stages
        if order == "free":
            return count**length
        if order == "rising but for the last":
            return count * math.comb(count + length - 2, length - 1)
        sequences = math.comb(count + length - 1, length)
        return sequences - (count if order == "falling" else 0)
