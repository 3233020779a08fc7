"""Where the best networks of a population have a property."""

import dataclasses
from typing import Any

import numpy as np

from keras_regnet.architecture import checks
from keras_regnet.design_space.error_distribution import finite, tail_probabilities


@dataclasses.dataclass(frozen=True)
class BestRange:
    """Where the best networks have a property.

    Attributes:
        low: Lower end of the interval.
        median: The most likely value of the best network.
        high: Upper end of the interval.
        confidence: Of the interval.
    """

    low: float
    median: float
    high: float
    confidence: float


def best_range(
    values: Any, errors: Any, fraction: float = 0.25, confidence: float = 0.95
) -> BestRange:
    """The empirical bootstrap of the paper's section 3.1, in closed form.

    A share of the n networks is drawn with replacement, and the value of the one with
    the smallest error kept; over all such draws these values have a distribution. The
    network with the i-th smallest error is the best of m draws with probability
    ((n - i + 1) / n)^m - ((n - i) / n)^m, so that no draws are needed: this is what
    infinitely many repeats lead to. Networks with equal errors share theirs.

    Args:
        values: The property of each network.
        errors: The error of each network.
        fraction: The share that is drawn.
        confidence: Of the interval: 0.95 is from the 2.5th percentile to the 97.5th.

    Raises:
        ValueError: Lists of different lengths, or a number out of bounds.
    """
    errors = finite("errors", errors)
    values, n = finite("values", values, errors.size), errors.size
    fraction = checks.real("fraction", fraction, "above 0, at most 1", 1e-9, 1.0)
    draws = max(1, round(fraction * n))
    order = np.argsort(errors, kind="stable")
    remaining = np.arange(n, -1, -1) / n
    chances = -np.diff(remaining**draws)
    _, ties, counts = np.unique(errors[order], return_inverse=True, return_counts=True)
    chances = (np.bincount(ties, weights=chances) / counts)[ties]
    by_value = np.argsort(values[order], kind="stable")
    cumulated = np.cumsum(chances[by_value])
    low, high = tail_probabilities(confidence)
    quantiles = np.searchsorted(cumulated, np.array([low, 0.5, high]) - 1e-12)
    ends = values[order][by_value][np.minimum(quantiles, n - 1)]
    return BestRange(*ends.tolist(), confidence)
