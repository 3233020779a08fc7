"""What a constraint is."""

import dataclasses
from typing import Any, ClassVar

import numpy as np

from keras_regnet.design_space.ranges import Limits
from keras_regnet.design_space.shape import Subject


@dataclasses.dataclass(frozen=True)
class Constraint:
    """A condition on networks; `space & constraint` is the space of those that hold it.

    A constraint judges a network (`failure`). It may also tell the draw (`narrow`),
    and judge many networks at once (`mask`), so that sampling is faster: every network
    drawn is judged all the same.

    Attributes:
        title: The name that failures go by.
        of_rule: Whether it is about the numbers of the quantized linear rule.
    """

    title: ClassVar[str] = "constraint"
    of_rule: ClassVar[bool] = False

    def failure(self, subject: Subject, limits: Limits) -> str | None:
        """Why a network does not satisfy this, with the values; None if it does.

        Args:
            subject: The network.
            limits: What may be drawn, narrowed by this constraint and those before.
        """
        raise NotImplementedError

    def narrow(self, limits: Limits) -> Limits:
        """What may be drawn, with this constraint.

        Raises:
            ValueError: Nothing can be drawn any more.
        """
        return limits

    def mask(self, arrays: Any, costs: Any) -> np.ndarray | None:
        """Which of many networks hold this; None: arrays do not tell.

        Args:
            arrays: `NetworkArrays` or `MLPArrays`, of n networks.
            costs: Their `ComplexityArrays`.

        Returns:
            Booleans of shape (n,).
        """
        return None

    def to_dict(self) -> dict[str, Any]:
        """The constraint's class and its numbers, as plain JSON types."""
        return {"constraint": type(self).__name__, **dataclasses.asdict(self)}

    def __str__(self) -> str:
        numbers = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        ]
        return f"{type(self).__name__}({', '.join(numbers)})"


def contradiction(first: str, second: str) -> ValueError:
    """The error of two constraints that no network can hold together."""
    return ValueError(
        f"No network can satisfy both: leave one of them out. Received: {first} and "
        f"{second}"
    )


def restricted(limits: Limits, name: str, low: float, high: float, who: str) -> Limits:
    """Limits with one range cut down to low ... high.

    Raises:
        ValueError: Nothing of the range is left.
    """
    values = getattr(limits, name).between(low, high)
    if values is None:
        raise ValueError(
            f"{who} leaves nothing of the space's `{name}`, {getattr(limits, name)}: "
            "change one of the two (`space.replace` changes ranges). Received: "
            f"{low:g} to {high:g}"
        )
    return dataclasses.replace(limits, **{name: values})


def listed(values: Any) -> str:
    """Per-stage values as the project writes them: 24-56-152-368."""
    return "-".join(f"{value:g}" for value in values)
