"""Drawing the numbers of many networks at once, by a law that is written down.

The law: every number that is free is drawn on its own from its range (`Choices`);
depths and widths that must rise or fall are drawn by the law of independent draws
*given that* they do (`draw_ascending`); what is shared is drawn once. No number depends
on what a network costs.
"""

import dataclasses

import numpy as np

from keras_regnet.architecture import quantization
from keras_regnet.design_space.choices import Choices, draw_ascending
from keras_regnet.design_space.ranges import Limits


@dataclasses.dataclass(frozen=True)
class RuleNumbers:
    """The quantized linear rule of each of n networks, arrays of shape (n,).

    Attributes:
        depth: Total depth d.
        w0: First width.
        wa: Slope.
        wm: Factor between stages.
    """

    depth: np.ndarray
    w0: np.ndarray
    wa: np.ndarray
    wm: np.ndarray


@dataclasses.dataclass(frozen=True)
class Draws:
    """The numbers of n networks, before widths are made to fit the groups.

    Attributes:
        depths: Of shape (n, stages), int64.
        widths: Likewise.
        bottleneck_ratios: Likewise, float64; None where there are none.
        group_widths: Likewise, int64; None where there are none.
        rule: The numbers that depths and widths follow from, or None.
        numbers: Which of the draws, counted from 0, each network is, ascending: those
            that made another number of stages are left out.
        drawn: How many were drawn.
    """

    depths: np.ndarray
    widths: np.ndarray
    bottleneck_ratios: np.ndarray | None
    group_widths: np.ndarray | None
    rule: RuleNumbers | None
    numbers: np.ndarray
    drawn: int

    def take(self, rows: np.ndarray) -> "Draws":
        """The networks of some rows; `drawn` stays."""

        def chosen(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else values[rows]

        rule = self.rule and RuleNumbers(
            *(chosen(getattr(self.rule, f.name)) for f in dataclasses.fields(self.rule))
        )
        return Draws(
            chosen(self.depths),
            chosen(self.widths),
            chosen(self.bottleneck_ratios),
            chosen(self.group_widths),
            rule,
            self.numbers[rows],
            self.drawn,
        )


def draw(limits: Limits, generator: np.random.Generator, count: int) -> Draws:
    """Draws the numbers of `count` networks.

    Args:
        limits: What they range over.
        generator: The source of chance.
        count: How many.

    Returns:
        The numbers; fewer than `count` rows where some rules make another number of
        stages than `limits.stages`.
    """
    shape = (count, limits.stages)
    ratios = _per_stage(
        limits.bottleneck_ratios, limits.shared_ratio, generator, shape, np.float64
    )
    groups = _per_stage(
        limits.group_widths, limits.shared_groups, generator, shape, np.int64
    )
    if not limits.rule:
        depths = _sequences(limits.depths, limits.depth_order, generator, shape)
        widths = _sequences(limits.widths, limits.width_order, generator, shape)
        return Draws(depths, widths, ratios, groups, None, np.arange(count), count)
    w0 = limits.w0.draw(generator, count)
    rule = RuleNumbers(
        limits.total_depth.draw(generator, count),
        w0,
        w0.astype(float) if limits.slope_is_w0 else limits.wa.draw(generator, count),
        limits.wm.draw(generator, count),
    )
    depths, widths, valid = stages_of_rules(rule, limits.stages)
    draws = Draws(depths, widths, ratios, groups, rule, np.arange(count), count)
    return draws.take(np.flatnonzero(valid))


def stages_of_rules(
    rule: RuleNumbers, stages: int, q: int = 8
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Equations 2 to 4 for many networks.

    Args:
        rule: The numbers.
        stages: How many stages there shall be.
        q: The divisor of equation 4.

    Returns:
        Depths and widths of shape (n, stages), and which rows are valid: they have
        exactly as many stages, and every level s = 0, 1, ... is one of them (pycls
        samples no others).
    """
    w0, wm = rule.w0[:, None].astype(np.float64), rule.wm[:, None]
    blocks = np.arange(int(rule.depth.max(initial=1)), dtype=np.float64)
    levels = quantization.exponents(w0 + rule.wa[:, None] * blocks, w0, wm)
    levels = np.where(blocks < rule.depth[:, None], levels, -1)
    ladder = np.arange(stages)
    depths = np.stack([(levels == level).sum(axis=1) for level in ladder], axis=1)
    widths = quantization.quantized_widths(ladder, w0, wm, q)
    valid = (levels.max(axis=1) == stages - 1) & (depths > 0).all(axis=1)
    valid &= (np.diff(widths, axis=1) > 0).all(axis=1)
    return depths, widths, valid


def _per_stage(
    values: Choices | None,
    shared: bool,
    generator: np.random.Generator,
    shape: tuple[int, int],
    dtype: type,
) -> np.ndarray | None:
    if values is None:
        return None
    drawn = values.draw(generator, (shape[0], 1) if shared else shape)
    return np.broadcast_to(drawn, shape).astype(dtype)


def _sequences(
    values: Choices, order: str, generator: np.random.Generator, shape: tuple[int, int]
) -> np.ndarray:
    """One value per stage; those that may not be equal throughout still can be."""
    count, stages = shape
    if order == "free" or stages == 1:
        return values.draw(generator, shape)
    if order == "rising but for the last":
        rising = draw_ascending(values, generator, count, stages - 1)
        return np.column_stack([rising, values.draw(generator, count)])
    rising = draw_ascending(values, generator, count, stages)
    return rising[:, ::-1] if order == "falling" else rising
