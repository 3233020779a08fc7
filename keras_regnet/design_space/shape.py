"""A network's shape, and the search for a quantized linear rule that makes it."""

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np

from keras_regnet.architecture import quantization
from keras_regnet.architecture.arrays import compatible_arrays
from keras_regnet.design_space.draws import RuleNumbers, stages_of_rules
from keras_regnet.design_space.ranges import Limits


@dataclasses.dataclass(frozen=True)
class Rule:
    """The numbers of a quantized linear rule.

    Attributes:
        depth: Total depth d.
        w0: First width.
        wa: Slope.
        wm: Factor between stages.
    """

    depth: int
    w0: int
    wa: float
    wm: float

    def __str__(self) -> str:
        return f"d = {self.depth}, w0 = {self.w0}, wa = {self.wa:g}, wm = {self.wm:g}"


@dataclasses.dataclass(frozen=True)
class Subject:
    """What constraints look at: a network's stages, costs and rule.

    Attributes:
        network: The network.
        depths: Blocks per stage.
        widths: Channels per stage.
        bottleneck_ratios: The paper's b per stage; None for blocks without.
        bottleneck_widths: w_b per stage.
        group_widths: Channels per group and stage, w_b where there is one group; None
            for blocks without groups.
        rounding: How widths were made to fit the groups.
        rule: The rule that the network was made by, where it is known.
        counter: Called with the network for its `Complexity`.
    """

    network: Any
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    bottleneck_ratios: tuple[float, ...] | None
    bottleneck_widths: tuple[int, ...]
    group_widths: tuple[int, ...] | None
    rounding: str
    rule: Rule | None
    counter: Any

    @cached_property
    def cost(self) -> Any:
        """What the network costs: `multiply_adds`, `parameters`, `activations`."""
        return self.counter(self.network)

    def unbroken(self, raw: np.ndarray, stage: int, limits: Limits) -> np.ndarray:
        """Which widths become the stage's when they are made to fit its groups.

        Args:
            raw: Widths as they might have been drawn.
            stage: Index of the stage, from 0.
            limits: For the group widths that may have been drawn.

        Returns:
            Booleans of the shape of `raw`.
        """
        raw = np.asarray(raw, dtype=np.int64)
        if self.group_widths is None:
            return raw == self.widths[stage]
        group = self.group_widths[stage]
        judged = range(len(self.widths)) if limits.shared_groups else (stage,)
        drawn = max(self.group_widths[i] for i in judged)
        if all(self.group_widths[i] == self.bottleneck_widths[i] for i in judged):
            # A group is at most as wide as the bottleneck, so a wider one may have been
            # drawn. The narrowest that can have been stands for all: what a wider one
            # leaves as it is, this one does too.
            allowed = limits.group_widths.array if limits.group_widths else np.array([])
            wider = allowed[allowed >= drawn]
            drawn = int(wider[0]) if wider.size else drawn
        widths, groups = compatible_arrays(
            raw,
            np.full(raw.shape, self.bottleneck_ratios[stage]),
            np.full(raw.shape, drawn),
            self.rounding,
        )
        return (widths == self.widths[stage]) & (groups == group)

    def find_rule(self, limits: Limits) -> Rule | None:
        """A rule within the limits that makes this network, or None.

        The network's own numbers are tried first. Then w0 and wm go through their
        choices (wm from 1.5 to 3 in thousandths, say), and wa through all real numbers
        of its range: for given w0 and wm, the depths hold in one interval of it.
        """
        if len(self.depths) != limits.stages:
            return None
        if sum(self.depths) not in limits.total_depth:
            return None
        own = self.rule
        if own and _within(own, limits) and self._makes(own, limits):
            return own
        w0s = limits.w0.array
        w0s = w0s[self.unbroken(w0s, 0, limits)].astype(np.float64)
        wms = limits.wm.array.astype(np.float64)
        w0, wm = (grid.ravel() for grid in np.meshgrid(w0s, wms, indexing="ij"))
        low, high = self._slopes(w0, wm, limits)
        possible = np.flatnonzero(low <= high)
        w0, wm, low, high = (a[possible] for a in (w0, wm, low, high))
        ladder = quantization.quantized_widths(
            np.arange(limits.stages), w0[:, None], wm[:, None]
        )
        fits = np.ones(len(ladder), dtype=bool)
        for i in range(limits.stages):
            fits &= self.unbroken(ladder[:, i], i, limits)
        w0, wm, low, high = (a[fits] for a in (w0, wm, low, high))
        for row in np.argsort(low - high, kind="stable"):  # the widest interval first
            for slope in ((low[row] + high[row]) / 2, low[row], high[row]):
                rule = Rule(
                    sum(self.depths), int(w0[row]), float(slope), float(wm[row])
                )
                if self._makes(rule, limits):
                    return rule
        return None

    def _slopes(
        self, w0: np.ndarray, wm: np.ndarray, limits: Limits
    ) -> tuple[np.ndarray, np.ndarray]:
        """The interval of wa in which every block is at the level of its stage."""
        low, high = (np.full(w0.shape, float(v)) for v in _ends(limits))
        if limits.slope_is_w0:
            low, high = np.maximum(low, w0), np.minimum(high, w0)
        ends = np.cumsum(self.depths)
        for level, end in enumerate(ends):
            first, last = int(end - self.depths[level]), int(end - 1)
            if first:
                low = np.maximum(low, w0 * (wm ** (level - 0.5) - 1) / first)
            if last:
                high = np.minimum(high, w0 * (wm ** (level + 0.5) - 1) / last)
        return low, high

    def _makes(self, rule: Rule, limits: Limits) -> bool:
        """Whether equations 2 to 4, and the groups, lead to this network."""
        numbers = RuleNumbers(
            np.array([rule.depth]),
            np.array([rule.w0]),
            np.array([rule.wa]),
            np.array([rule.wm]),
        )
        depths, widths, valid = stages_of_rules(numbers, limits.stages)
        return (
            bool(valid[0])
            and tuple(depths[0].tolist()) == self.depths
            and all(
                self.unbroken(widths[:, i], i, limits)[0] for i in range(limits.stages)
            )
        )


def _ends(limits: Limits) -> tuple[float, float]:
    return limits.wa.low - 1e-9, limits.wa.high + 1e-9


def _within(rule: Rule, limits: Limits) -> bool:
    low, high = _ends(limits)
    return (
        rule.w0 in limits.w0
        and low <= rule.wa <= high
        and limits.wm.low - 1e-9 <= rule.wm <= limits.wm.high + 1e-9
        and (not limits.slope_is_w0 or rule.wa == rule.w0)
    )
