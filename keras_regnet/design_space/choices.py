"""What one number of a network may be, and how likely each value is drawn."""

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np

from keras_regnet.architecture import checks

LAWS = ("uniform", "log-uniform")
_MAX_VALUES = 100_000


@dataclasses.dataclass(frozen=True)
class Choices:
    """The values that a number may take, ascending, with the law of drawing one.

    `"uniform"` gives all values the same probability. `"log-uniform"` is pycls' (its
    sampler draws from a continuous log-uniform law and rounds up): a value's
    probability is proportional to the logarithm of its ratio to the value before; the
    first value v has a share of log(v / (v - s)), with s the distance to the second
    value, but at most v / 2. For 1 to 16 that is 1/5 for 1, and log2(k / (k - 1)) / 5
    for a k above 1.

    Attributes:
        values: The values, positive, strictly ascending.
        law: `"uniform"` or `"log-uniform"`.

    Raises:
        ValueError: No values, or not ascending, or not positive, or an unknown law.
    """

    values: tuple[float, ...]
    law: str = "uniform"

    def __post_init__(self) -> None:
        values = self.values
        if not isinstance(values, (tuple, list)) or not 0 < len(values) <= _MAX_VALUES:
            raise ValueError(
                f"`values` must be a tuple of 1 to {_MAX_VALUES} numbers. "
                f"Received: values={values!r}"
            )
        values = tuple(_plain(value) for value in values)
        if any(low >= high for low, high in itertools.pairwise(values)):
            raise ValueError(
                f"`values` must ascend strictly. Received: values={values!r}"
            )
        checks.set_fields(self, values=values)
        checks.one_of("law", self.law, LAWS)

    def __len__(self) -> int:
        return len(self.values)

    def __contains__(self, value: float) -> bool:
        place = int(np.searchsorted(self.array, value - 1e-9))
        return place < len(self) and abs(self.values[place] - value) <= 1e-9

    def __str__(self) -> str:
        if len(self) <= 8:
            return ", ".join(f"{value:g}" for value in self.values)
        text = f"{self.low:g} to {self.high:g}"
        step = self._step()
        if step == 1:
            return text
        return f"{text} in steps of {step:g}" if step else f"{len(self)} of {text}"

    @property
    def low(self) -> float:
        """The smallest value."""
        return self.values[0]

    @property
    def high(self) -> float:
        """The largest value."""
        return self.values[-1]

    @cached_property
    def array(self) -> np.ndarray:
        """The values as an array: int64 where all are whole, else float64."""
        return np.array(self.values)

    @cached_property
    def probabilities(self) -> np.ndarray:
        """The probability of each value, float64, with sum 1."""
        if self.law == "uniform" or len(self) == 1:
            return np.full(len(self), 1 / len(self))
        values = self.array.astype(np.float64)
        first = values[0] - min(values[1] - values[0], values[0] / 2)
        shares = np.log(values / np.append(first, values[:-1]))
        return shares / shares.sum()

    def draw(
        self, generator: np.random.Generator, shape: int | tuple[int, ...]
    ) -> np.ndarray:
        """Independent draws in an array of a shape."""
        cumulated = np.cumsum(self.probabilities)
        places = np.searchsorted(cumulated, generator.random(shape), side="right")
        return self.array[np.minimum(places, len(self) - 1)]

    def between(self, low: float, high: float) -> "Choices | None":
        """The values from `low` to `high` with the same law; None where none is left.

        The probabilities are those of the law over the values that are left.
        """
        left = tuple(v for v in self.values if low - 1e-9 <= v <= high + 1e-9)
        return Choices(left, self.law) if left else None

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types; long grids by their ends and their step."""
        step = self._step()
        if len(self) > 8 and step:
            ends = {"low": self.low, "high": self.high, "step": step}
            return {"law": self.law, **ends}
        return {"law": self.law, "values": list(self.values)}

    def _step(self) -> float | None:
        """The distance of neighbours where it is always the same."""
        if len(self) < 2:
            return None
        steps = np.diff(self.array)
        step = round(float(steps[0]), 9)
        return step if np.allclose(steps, step, rtol=0, atol=1e-9) else None


def uniform(low: float, high: float, step: float = 1) -> Choices:
    """low, low + step, ... up to high, equally likely."""
    return Choices(_grid(low, high, step))


def log_uniform(low: float, high: float, step: float = 1) -> Choices:
    """low, low + step, ... up to high, log-uniform: see `Choices`."""
    return Choices(_grid(low, high, step), "log-uniform")


def choices(value: Any, name: str = "choices") -> Choices:
    """Makes `Choices` of what a caller may give.

    Args:
        value: `Choices`; one number; or several numbers, equally likely.
        name: The argument's name, for errors.

    Raises:
        ValueError: Anything else.
    """
    if isinstance(value, Choices):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Choices((value,))
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return Choices(tuple(sorted(set(value))))
    raise ValueError(
        f"`{name}` must be a number, some numbers, or what `uniform` and "
        f"`log_uniform` return. Received: {name}={value!r}"
    )


def _grid(low: float, high: float, step: float) -> tuple[float, ...]:
    """Exact multiples, as decimals: no sums of rounding errors."""
    low, high, step = (
        checks.real(name, value, "above 0", 1e-9, 1e9)
        for name, value in (("low", low), ("high", high), ("step", step))
    )
    if high < low:
        raise ValueError(
            f"`high` must be at least `low`. Received: low={low:g}, high={high:g}"
        )
    first, step_ = Decimal(repr(low)), Decimal(repr(step))
    count = int((Decimal(repr(high)) - first) / step_) + 1
    if count > _MAX_VALUES:
        raise ValueError(
            f"A grid has at most {_MAX_VALUES} values. Received: low={low:g}, "
            f"high={high:g}, step={step:g}"
        )
    return tuple(_plain(first + i * step_) for i in range(count))


def _plain(value: Any) -> float:
    """An int where the number is whole, else a float."""
    number = checks.real("values", value, "above 0", 1e-9, 1e9)
    return int(number) if number == int(number) else number


def ordered_weights(weights: Sequence[float], length: int) -> list[np.ndarray]:
    """Weights of ascending sequences, by the place and the value they begin with.

    Element i, k is the sum, over all sequences of places i, i + 1, ... length - 1
    that begin with value k and never fall, of the product of the values' weights.
    With weights of 1 it is the number of such sequences.
    """
    weights = np.asarray(weights)
    tables = [weights]
    for _ in range(length - 1):
        tails = np.cumsum(tables[0][::-1])[::-1]
        tables.insert(0, weights * tails)
    return tables


def draw_ascending(
    values: Choices, generator: np.random.Generator, count: int, length: int
) -> np.ndarray:
    """Draws sequences that never fall, by exactly the law of plain rejection.

    That law is: draw `length` independent values, keep them if they do not fall.
    (Sorting independent draws is another law: of sequences with equal values it makes
    too few.) Here the first value is drawn by the weight of all sequences that begin
    with it, and each next one likewise among those that are not smaller, so that no
    draw is thrown away.

    Returns:
        Array of shape (count, length).
    """
    places = np.zeros(count, dtype=np.int64)
    columns = []
    for table in ordered_weights(values.probabilities, length):
        cumulated = np.cumsum(table)
        below = cumulated[places] - table[places]
        target = below + generator.random(count) * (cumulated[-1] - below)
        found = np.searchsorted(cumulated, target, side="right")
        places = np.clip(found, places, len(values) - 1)
        columns.append(values.array[places])
    return np.stack(columns, axis=1)
