"""How every property of the networks of a population goes with their error."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_regnet.architecture import checks
from keras_regnet.design_space.error_distribution import finite, tail_probabilities


@dataclasses.dataclass(frozen=True)
class Correlation:
    """How a property goes with the error; NaN where one of them is constant.

    Attributes:
        pearson: Of the values: from -1 to 1.
        pearson_range: (low, high) of the bootstrap.
        spearman: Of the ranks: from -1 to 1.
        spearman_range: (low, high) of the bootstrap.
        confidence: Of the ranges.
    """

    pearson: float
    pearson_range: tuple[float, float]
    spearman: float
    spearman_range: tuple[float, float]
    confidence: float


def correlations(
    table: Mapping[str, Any],
    errors: Any,
    confidence: float = 0.95,
    repeats: int = 1000,
    seed: int = 0,
) -> dict[str, Correlation]:
    """The correlation of every property with the error.

    Args:
        table: Values of each property by its name, one per network.
        errors: The error of each network.
        confidence: Of the bootstrap ranges.
        repeats: Bootstrap samples: networks drawn again with replacement.
        seed: Of the bootstrap; all properties see the same samples.

    Returns:
        By the property's name.
    """
    errors = finite("errors", errors)
    tails = tail_probabilities(confidence)
    repeats = checks.integer("repeats", repeats, maximum=1_000_000)
    generator = np.random.default_rng(seed)
    samples = generator.integers(errors.size, size=(repeats, errors.size))
    error_ranks = [ranks(errors[sample]) for sample in samples]
    result = {}
    for name, column in table.items():
        values = finite(name, column, errors.size)
        pearson, spearman = np.empty(repeats), np.empty(repeats)
        for i, sample in enumerate(samples):
            drawn = values[sample]
            pearson[i] = _pearson(drawn, errors[sample])
            spearman[i] = _pearson(ranks(drawn), error_ranks[i])
        result[name] = Correlation(
            _pearson(values, errors),
            _range(pearson, tails),
            _pearson(ranks(values), ranks(errors)),
            _range(spearman, tails),
            confidence,
        )
    return result


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1; equal values share the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]


def _pearson(first: np.ndarray, second: np.ndarray) -> float:
    if not (np.ptp(first) and np.ptp(second)):
        return float("nan")
    first, second = first - first.mean(), second - second.mean()
    return float(first @ second / np.sqrt((first @ first) * (second @ second)))


def _range(values: np.ndarray, tails: tuple[float, float]) -> tuple[float, float]:
    """Quantiles of the bootstrap samples in which there is a correlation."""
    values = values[np.isfinite(values)]
    if not values.size:
        return float("nan"), float("nan")
    return tuple(np.quantile(values, tails).tolist())
