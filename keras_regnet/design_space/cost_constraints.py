"""Caps on parameters and activations, fixed or growing with the flops."""

import dataclasses
from typing import Any, ClassVar

import numpy as np

from keras_regnet.architecture import checks
from keras_regnet.design_space.constraint import Constraint
from keras_regnet.design_space.ranges import Limits
from keras_regnet.design_space.shape import Subject


@dataclasses.dataclass(frozen=True)
class _Cap(Constraint):
    """A cost is at most `limit`, or what a curve over the flops says."""

    limit: float | None = None
    cost: ClassVar[str] = "parameters"
    curve: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if self.limit is not None:
            limit = checks.real("limit", self.limit, "above 0", 1e-9, 1e18)
            checks.set_fields(self, limit=limit)

    @staticmethod
    def _curve(gigaflops: Any) -> Any:
        raise NotImplementedError

    def mask(self, arrays: Any, costs: Any) -> np.ndarray:
        """See `Constraint`."""
        return getattr(costs, self.cost) <= self._most(costs)

    def _most(self, costs: Any) -> Any:
        if self.limit is not None:
            return self.limit
        return 1e6 * self._curve(costs.multiply_adds / 1e9)

    def failure(self, subject: Subject, limits: Limits) -> str | None:
        """See `Constraint`."""
        value, most = getattr(subject.cost, self.cost), self._most(subject.cost)
        if value <= most:
            return None
        text = f"{value / 1e6:.2f} million {self.cost} are more than {most / 1e6:.2f}"
        if self.limit is not None:
            return text
        gigaflops = subject.cost.multiply_adds / 1e9
        return f"{text} ({self.curve} with F = {gigaflops:.3f} gigaflops)"


@dataclasses.dataclass(frozen=True)
class MaxParameters(_Cap):
    """At most `limit` trainable parameters.

    Attributes:
        limit: A number, or None for the paper's line over a network's own flops F in
            giga: 3 + 5.5 F million (section 4, fig. 12; pycls, sweep/config.py).
    """

    title: ClassVar[str] = "parameter cap"
    cost: ClassVar[str] = "parameters"
    curve: ClassVar[str] = "3 + 5.5 F"

    @staticmethod
    def _curve(gigaflops: Any) -> Any:
        return 3 + 5.5 * gigaflops


@dataclasses.dataclass(frozen=True)
class MaxActivations(_Cap):
    """At most `limit` activations.

    Attributes:
        limit: A number, or None for the paper's curve over a network's own flops F in
            giga: 6.5 sqrt(F) million (section 4, fig. 12; pycls, sweep/config.py).
    """

    title: ClassVar[str] = "activation cap"
    cost: ClassVar[str] = "activations"
    curve: ClassVar[str] = "6.5 sqrt(F)"

    @staticmethod
    def _curve(gigaflops: Any) -> Any:
        return 6.5 * np.sqrt(gigaflops)
