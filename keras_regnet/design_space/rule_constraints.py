"""Constraints on the quantized linear rule, and on the total depth."""

import dataclasses
from typing import Any, ClassVar

import numpy as np

from keras_regnet.architecture import fit_quantized_linear
from keras_regnet.design_space.constraint import Constraint, listed, restricted
from keras_regnet.design_space.constraints import Between
from keras_regnet.design_space.ranges import Limits
from keras_regnet.design_space.shape import Subject


@dataclasses.dataclass(frozen=True)
class QuantizedLinear(Constraint):
    """Depths and widths follow from d, w0, wa and wm by equations 2 to 4 (RegNet).

    The ranges of the four are the space's `total_depth`, `w0`, `wa` and `wm`. A network
    holds this by its shape: some numbers within the ranges make its stages, as they
    are after widths were made to fit the groups. Each level of the rule is a stage.
    """

    title: ClassVar[str] = "quantized linear"
    of_rule: ClassVar[bool] = True

    def failure(self, subject: Subject, limits: Limits) -> str | None:
        """See `Constraint`."""
        if subject.find_rule(limits) is not None:
            return None
        depths, widths = listed(subject.depths), listed(subject.widths)
        ranges = (
            f"d of {limits.total_depth}, w0 of {limits.w0}, "
            + ("wa = w0" if limits.slope_is_w0 else f"wa of {limits.wa}")
            + f" and wm of {limits.wm}"
        )
        known = f"; its own numbers are {subject.rule}" if subject.rule else ""
        blocks = [
            width
            for width, depth in zip(subject.widths, subject.depths, strict=True)
            for _ in range(depth)
        ]
        fit = fit_quantized_linear(blocks)
        return (
            f"no {ranges} make depths {depths} and widths {widths}{known}; the nearest "
            f"of all rules has w0 = {fit.w0}, wa = {fit.wa:.4g}, wm = {fit.wm:.4g} and "
            f"e_fit = {fit.error:.3g}"
        )

    def narrow(self, limits: Limits) -> Limits:
        """See `Constraint`."""
        if limits.width_order == "falling":
            raise ValueError(
                "Widths of a quantized linear rule rise: leave one of the two "
                f"constraints out. Received: FallingWidths() and {self}"
            )
        return dataclasses.replace(limits, rule=True)


def _with_rule(limits: Limits, constraint: Constraint) -> None:
    if not limits.rule:
        raise ValueError(
            "This constraint is about the numbers of a quantized linear rule: write "
            f"`space & QuantizedLinear() & ...`. Received: {constraint}"
        )


@dataclasses.dataclass(frozen=True)
class WidthMultiplier(Between):
    """The rule's wm is from `low` to `high`: `WidthMultiplier(2)` is wm = 2."""

    title: ClassVar[str] = "width multiplier"
    of_rule: ClassVar[bool] = True

    def failure(self, subject: Subject, limits: Limits) -> str | None:
        """See `Constraint`."""
        if subject.find_rule(limits) is not None:
            return None
        known = f"; its own numbers are {subject.rule}" if subject.rule else ""
        return f"no rule with wm = {self._wanted()} makes it{known}"

    def narrow(self, limits: Limits) -> Limits:
        """See `Constraint`."""
        _with_rule(limits, self)
        return restricted(limits, "wm", self.low, self.high, str(self))


@dataclasses.dataclass(frozen=True)
class SlopeIsInitialWidth(Constraint):
    """The rule's wa equals its w0."""

    title: ClassVar[str] = "slope is initial width"
    of_rule: ClassVar[bool] = True

    def failure(self, subject: Subject, limits: Limits) -> str | None:
        """See `Constraint`."""
        if subject.find_rule(limits) is not None:
            return None
        known = f"; its own numbers are {subject.rule}" if subject.rule else ""
        return f"no rule with wa = w0 makes it{known}"

    def narrow(self, limits: Limits) -> Limits:
        """See `Constraint`."""
        _with_rule(limits, self)
        both = restricted(limits, "w0", limits.wa.low, limits.wa.high, str(self))
        return dataclasses.replace(both, slope_is_w0=True)


@dataclasses.dataclass(frozen=True)
class TotalDepth(Between):
    """The network has from `low` to `high` blocks: `TotalDepth(12, 28)`."""

    title: ClassVar[str] = "total depth"

    def mask(self, arrays: Any, costs: Any) -> np.ndarray:
        """See `Constraint`."""
        return self._holds(arrays.depths.sum(axis=1))

    def failure(self, subject: Subject, limits: Limits) -> str | None:
        """See `Constraint`."""
        depth = sum(subject.depths)
        if self._holds(depth):
            return None
        return (
            f"d = {listed(subject.depths)} = {depth} blocks, and must be "
            f"{self._wanted()}"
        )

    def narrow(self, limits: Limits) -> Limits:
        """See `Constraint`."""
        if limits.rule:
            return restricted(limits, "total_depth", self.low, self.high, str(self))
        least = limits.stages * limits.depths.low
        most = limits.stages * limits.depths.high
        if self.high < least or self.low > most:
            raise ValueError(
                f"{limits.stages} stages with depths of {limits.depths} have {least} "
                f"to {most} blocks: change these or {self}. Received: {self._wanted()}"
            )
        return limits
