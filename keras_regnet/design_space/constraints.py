"""Constraints on stages: what they share, and how they follow each other."""

import dataclasses
import itertools
from typing import Any, ClassVar

import numpy as np

from keras_regnet.architecture import checks
from keras_regnet.design_space.constraint import (
    Constraint,
    contradiction,
    listed,
    restricted,
)
from keras_regnet.design_space.ranges import Limits
from keras_regnet.design_space.shape import Subject


@dataclasses.dataclass(frozen=True)
class SharedBottleneck(Constraint):
    """All stages have the same bottleneck ratio: b_i = b (AnyNetX_B)."""

    title: ClassVar[str] = "shared bottleneck"

    def failure(self, subject: Subject, limits: Limits) -> str | None:
        """See `Constraint`."""
        ratios = subject.bottleneck_ratios
        if ratios is None or len(set(ratios)) == 1:
            return None
        return f"the stages' b are {listed(ratios)}, and must be one"

    def narrow(self, limits: Limits) -> Limits:
        """See `Constraint`."""
        return dataclasses.replace(limits, shared_ratio=True)


@dataclasses.dataclass(frozen=True)
class SharedGroupWidth(Constraint):
    """All stages have the same group width: g_i = g (AnyNetX_C).

    A stage whose bottleneck is narrower than g has one group, as in RegNetX-8.0GF:
    g_i = min(g, w_b).
    """

    title: ClassVar[str] = "shared group width"

    def failure(self, subject: Subject, limits: Limits) -> str | None:
        """See `Constraint`."""
        if subject.group_widths is None or _one_group_width(subject):
            return None
        return (
            f"the stages' g are {listed(subject.group_widths)}, and must be one, but "
            f"for bottlenecks narrower than it ({listed(subject.bottleneck_widths)})"
        )

    def narrow(self, limits: Limits) -> Limits:
        """See `Constraint`."""
        if limits.unshared_groups:
            raise contradiction("UnsharedGroupWidth()", str(self))
        return dataclasses.replace(limits, shared_groups=True)


@dataclasses.dataclass(frozen=True)
class UnsharedGroupWidth(Constraint):
    """Not all stages have the same group width: the opposite of `SharedGroupWidth`."""

    title: ClassVar[str] = "unshared group width"

    def failure(self, subject: Subject, limits: Limits) -> str | None:
        """See `Constraint`."""
        if not _one_group_width(subject):
            return None
        return f"the stages' g are {listed(subject.group_widths)}, which is one"

    def narrow(self, limits: Limits) -> Limits:
        """See `Constraint`."""
        if limits.shared_groups:
            raise contradiction("SharedGroupWidth()", str(self))
        groups = limits.group_widths
        if groups is None or len(groups) < 2 or limits.stages < 2:
            raise ValueError(
                "Unshared group widths need two stages or more, blocks with groups, "
                f"and two group widths to choose from. Received: stages="
                f"{limits.stages}, group_widths={groups}"
            )
        return dataclasses.replace(limits, unshared_groups=True)


def _one_group_width(subject: Subject) -> bool:
    """Whether all g_i are min(g, w_b,i) of one g."""
    group = max(subject.group_widths)
    pairs = zip(subject.group_widths, subject.bottleneck_widths, strict=True)
    return all(g == min(group, inner) for g, inner in pairs)


@dataclasses.dataclass(frozen=True)
class Between(Constraint):
    """Values from `low` to `high`; without `high`, exactly `low`."""

    low: float
    high: float | None = None

    def __post_init__(self) -> None:
        high = self.low if self.high is None else self.high
        for name, value in (("low", self.low), ("high", high)):
            checks.real(name, value, "above 0", 1e-9, 1e9)
        if high < self.low:
            raise ValueError(
                f"`high` must be at least `low`. Received: low={self.low!r}, "
                f"high={self.high!r}"
            )
        checks.set_fields(self, high=high)

    def _holds(self, value: Any) -> Any:
        return (self.low - 1e-9 <= value) & (value <= self.high + 1e-9)

    def _wanted(self) -> str:
        if self.low == self.high:
            return f"{self.low:g}"
        return f"from {self.low:g} to {self.high:g}"


@dataclasses.dataclass(frozen=True)
class BottleneckRatio(Between):
    """Every stage's b is from `low` to `high`: `BottleneckRatio(1)` is b = 1."""

    title: ClassVar[str] = "bottleneck ratio"

    def failure(self, subject: Subject, limits: Limits) -> str | None:
        """See `Constraint`."""
        ratios = subject.bottleneck_ratios or (1.0,)
        if all(self._holds(ratio) for ratio in ratios):
            return None
        return f"b = {listed(ratios)}, and must be {self._wanted()}"

    def narrow(self, limits: Limits) -> Limits:
        """See `Constraint`."""
        if limits.bottleneck_ratios is None and self._holds(1):
            return limits
        if limits.bottleneck_ratios is None:
            raise ValueError(
                f"Blocks without a bottleneck have b = 1. Received: {self}"
            )
        return restricted(limits, "bottleneck_ratios", self.low, self.high, str(self))


@dataclasses.dataclass(frozen=True)
class GroupWidth(Between):
    """Every stage's group width is from `low` to `high`: `GroupWidth(8, 32)`.

    A stage with a bottleneck narrower than `low` may have one group.
    """

    title: ClassVar[str] = "group width"

    def failure(self, subject: Subject, limits: Limits) -> str | None:
        """See `Constraint`."""
        pairs = zip(subject.group_widths, subject.bottleneck_widths, strict=True)
        if all(self._holds(g) or (g == inner and g <= self.high) for g, inner in pairs):
            return None
        return f"g = {listed(subject.group_widths)}, and must be {self._wanted()}"

    def narrow(self, limits: Limits) -> Limits:
        """See `Constraint`."""
        if limits.group_widths is None:
            raise ValueError(f"These networks have no groups. Received: {self}")
        return restricted(limits, "group_widths", self.low, self.high, str(self))


@dataclasses.dataclass(frozen=True)
class _Order(Constraint):
    """A sequence of one number per stage goes up or down."""

    number: ClassVar[str] = "width"
    symbol: ClassVar[str] = "w"
    falling: ClassVar[bool] = False

    def _order(self) -> str:
        return "falling" if self.falling else "rising"

    def mask(self, arrays: Any, costs: Any) -> np.ndarray:
        """See `Constraint`."""
        values = getattr(arrays, f"{self.number}s")
        free = self._order() == "rising but for the last"
        steps = np.diff(values[:, :-1] if free else values, axis=1)
        if not self.falling:
            return (steps >= 0).all(axis=1)
        return (steps <= 0).all(axis=1) & (values[:, 0] > values[:, -1])

    def failure(self, subject: Subject, limits: Limits) -> str | None:
        """See `Constraint`."""
        values = getattr(subject, f"{self.number}s")
        judged = values[:-1] if self._order() == "rising but for the last" else values
        for i, (one, next_) in enumerate(itertools.pairwise(judged), 1):
            if (one < next_) if self.falling else (one > next_):
                verb = "rises above" if self.falling else "falls below"
                return (
                    f"{self.symbol}_{i + 1} = {next_} {verb} {self.symbol}_{i} = {one} "
                    f"({listed(values)})"
                )
        if self.falling and values[0] == values[-1]:
            return f"all {self.symbol} are equal ({listed(values)}), none falls"
        return None

    def narrow(self, limits: Limits) -> Limits:
        """See `Constraint`."""
        field, order = f"{self.number}_order", self._order()
        before = getattr(limits, field)
        if {before, order} == {"rising", "falling"}:
            raise contradiction(f"{before} {self.number}s", str(self))
        if self.falling and self.number == "width" and limits.rule:
            raise contradiction("QuantizedLinear()", str(self))
        values = getattr(limits, f"{self.number}s")
        one = values is not None and len(values) == 1
        if self.falling and (limits.stages < 2 or one):
            raise ValueError(
                f"{self} needs two stages and two {self.number}s to choose from. "
                f"Received: stages={limits.stages}, {self.number}s={values}"
            )
        # Of two orders that do not contradict, the stricter one is drawn by.
        strictness = ("free", "rising but for the last", "rising", "falling")
        stricter = max(before, order, key=strictness.index)
        return dataclasses.replace(limits, **{field: stricter})


@dataclasses.dataclass(frozen=True)
class RisingWidths(_Order):
    """No stage is narrower than the one before: w_{i+1} >= w_i (AnyNetX_D)."""

    title: ClassVar[str] = "rising widths"


@dataclasses.dataclass(frozen=True)
class FallingWidths(_Order):
    """No stage is wider than the one before, the last is narrower than the first."""

    title: ClassVar[str] = "falling widths"
    falling: ClassVar[bool] = True


@dataclasses.dataclass(frozen=True)
class RisingDepths(_Order):
    """No stage has fewer blocks than the one before: d_{i+1} >= d_i (AnyNetX_E).

    Attributes:
        last_stage_free: The last stage may have any depth: "not necessarily in the last
            stage", as the paper says of the best networks. The definition of AnyNetX_E
            asks it of all.
    """

    title: ClassVar[str] = "rising depths"
    number: ClassVar[str] = "depth"
    symbol: ClassVar[str] = "d"
    last_stage_free: bool = False

    def _order(self) -> str:
        return "rising but for the last" if self.last_stage_free else "rising"


@dataclasses.dataclass(frozen=True)
class FallingDepths(_Order):
    """No stage has more blocks than the one before, the last fewer than the first."""

    title: ClassVar[str] = "falling depths"
    number: ClassVar[str] = "depth"
    symbol: ClassVar[str] = "d"
    falling: ClassVar[bool] = True
