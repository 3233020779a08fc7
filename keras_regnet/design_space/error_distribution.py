"""The distribution of a population's errors: EDF, its uncertainty, the best of m."""

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from keras_regnet.architecture import checks


def finite(name: str, values: Any, size: int | None = None) -> np.ndarray:
    """Returns numbers as a float64 vector.

    Args:
        name: The argument's name.
        values: What the caller gave.
        size: How many there must be, if that is known.

    Raises:
        ValueError: None, another number of them, or one that is not finite.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.array(np.nan)
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise ValueError(
            f"`{name}` must be one finite number per network, without those that "
            f"failed. Received: {name}={values!r}"
        )
    if size is not None and array.size != size:
        raise ValueError(
            f"`{name}` must be {size} numbers, one per network. Received: {array.size}"
        )
    return array


@dataclasses.dataclass(frozen=True, eq=False)
class Band:
    """An EDF with its uncertainty, arrays of one length.

    Attributes:
        errors: Ascending, without equal ones.
        edf: F at each: the share of the networks with a smaller or equal error, so
            that a step line drawn `post` is the EDF.
        low: Lower end of the band.
        high: Upper end of the band.
        confidence: Of the band at each error on its own.
    """

    errors: np.ndarray
    edf: np.ndarray
    low: np.ndarray
    high: np.ndarray
    confidence: float


@dataclasses.dataclass(frozen=True, eq=False)
class ErrorDistribution:
    """The errors of a population, weighted or not.

    Attributes:
        errors: One per network.
        weights: One per network, at least 0; None: all count the same.

    Raises:
        ValueError: No errors, one that is not finite, or impossible weights.
    """

    errors: Sequence[float]
    weights: Sequence[float] | None = None

    def __post_init__(self) -> None:
        errors = finite("errors", self.errors)
        weights = np.ones(errors.size)
        if self.weights is not None:
            weights = finite("weights", self.weights, errors.size)
        if weights.min() < 0 or not weights.sum() > 0:
            raise ValueError(
                "`weights` must be at least 0, and not all 0. Received: "
                f"{self.weights!r}"
            )
        order = np.argsort(errors, kind="stable")
        checks.set_fields(self, errors=errors[order], weights=weights[order])

    def __len__(self) -> int:
        return len(self.errors)

    @property
    def effective_size(self) -> float:
        """How many networks of equal weight tell as much: (sum w)^2 / sum w^2."""
        return float(self.weights.sum() ** 2 / (self.weights**2).sum())

    @property
    def mean(self) -> float:
        """The weighted mean error."""
        return float(np.average(self.errors, weights=self.weights))

    @property
    def best(self) -> float:
        """The smallest error of a network with a weight."""
        return float(self.errors[self.weights > 0][0])

    @cached_property
    def _steps(self) -> tuple[np.ndarray, np.ndarray]:
        """The different errors, and the place of the last network with each."""
        values, first = np.unique(self.errors, return_index=True)
        return values, np.append(first[1:], len(self)) - 1

    def at(self, error: Any, strict: bool = True) -> Any:
        """F(e): the weighted share of the networks with an error below e.

        Args:
            error: A number or an array of them.
            strict: Whether an error of exactly e does not count (the paper's F).
        """
        cumulated = np.append(0.0, np.cumsum(self.weights)) / self.weights.sum()
        return cumulated[
            np.searchsorted(self.errors, error, side="left" if strict else "right")
        ]

    def band(
        self, confidence: float = 0.95, repeats: int = 2000, seed: int = 0
    ) -> Band:
        """The EDF with a pointwise bootstrap band.

        Networks are drawn again with replacement, with their weights, `repeats` times;
        the band is the interval that holds `confidence` of the EDFs at each error.

        Args:
            confidence: Of the band.
            repeats: Bootstrap samples.
            seed: Of the bootstrap.
        """
        tails = tail_probabilities(confidence)
        repeats = checks.integer("repeats", repeats, maximum=1_000_000)
        generator = np.random.default_rng(seed)
        values, places = self._steps
        curves = np.empty((repeats, values.size), dtype=np.float64)
        equal = np.full(len(self), 1 / len(self))
        for row in range(repeats):
            counts = generator.multinomial(len(self), equal) * self.weights
            total = np.cumsum(counts)
            curves[row] = total[places] / (total[-1] or 1.0)
        low, high = np.quantile(curves, tails, axis=0)
        return Band(values, self.at(values, strict=False), low, high, confidence)

    def expected_best(self, draws: Any = None) -> np.ndarray:
        """The expected smallest error of m random networks, in closed form.

        Of all choices of m of the n networks, the i-th smallest error is the smallest
        of C(n - i, m - 1); so no draws are needed. It is the unbiased estimate for m
        networks drawn from the space.

        Args:
            draws: The numbers m, from 1 to n; all of them by default.

        Returns:
            One expected error per m.

        Raises:
            ValueError: An m out of bounds, or a distribution with weights.
        """
        n = len(self)
        if np.ptp(self.weights):
            raise ValueError(
                "The expected best of m is of networks that count the same. Received: "
                f"weights={self.weights!r}"
            )
        numbers = range(1, n + 1) if draws is None else np.atleast_1d(draws).tolist()
        result = []
        for number in numbers:
            m = checks.integer("draws", number, maximum=n)
            # The share of the smallest is m / n; of each next one it is smaller by
            # the factor C(n - i - 1, m - 1) / C(n - i, m - 1).
            i = np.arange(1, n)
            factors = np.maximum(0.0, (n - i - m + 1) / (n - i))
            shares = m / n * np.append(1.0, np.cumprod(factors))
            result.append(float(shares @ self.errors))
        return np.array(result)


def tail_probabilities(confidence: float) -> tuple[float, float]:
    """The two ends that leave out the same on both sides: 0.025 and 0.975 for 0.95."""
    confidence = checks.real(
        "confidence", confidence, "between 0 and 1", 1e-6, 1 - 1e-6
    )
    return (1 - confidence) / 2, (1 + confidence) / 2
