"""Weights that let two populations be compared at equal complexity."""

import dataclasses
from typing import Any

import numpy as np

from keras_regnet.architecture import checks
from keras_regnet.design_space.error_distribution import finite


@dataclasses.dataclass(frozen=True, eq=False)
class MatchedWeights:
    """Weights that give two populations the same distribution of a cost.

    Attributes:
        first: One weight per network of the first population, with sum 1.
        second: Likewise of the second.
        edges: The edges of the bins of costs.
        used: How many bins both populations had networks in: the others' have weight 0.
    """

    first: np.ndarray
    second: np.ndarray
    edges: np.ndarray
    used: int


def matched_weights(first: Any, second: Any, bins: int = 10) -> MatchedWeights:
    """Weights so that two populations are compared at equal flops.

    Costs are cut into bins with about as many networks of the two in each; every bin
    that both have networks in gets the same weight, shared equally by its networks
    (after Radosavovic et al., "On Network Design Spaces for Visual Recognition", 2019).
    The weights are those of `ErrorDistribution`.

    Args:
        first: The cost of each network of the first population.
        second: Of the second.
        bins: How many bins.

    Raises:
        ValueError: No bin has networks of both: the costs do not overlap.
    """
    costs = finite("first", first), finite("second", second)
    bins = checks.integer("bins", bins, maximum=100_000)
    # Both count the same in the edges, also where one has many more networks.
    pooled = np.concatenate(costs)
    shares = np.concatenate([np.full(c.size, 0.5 / c.size) for c in costs])
    order = np.argsort(pooled, kind="stable")
    cumulated = np.cumsum(shares[order])
    inner = np.searchsorted(cumulated, np.arange(1, bins) / bins - 1e-12)
    inner_edges = np.unique(pooled[order][inner])
    places = [np.searchsorted(inner_edges, c, side="left") for c in costs]
    counts = [np.bincount(p, minlength=inner_edges.size + 1) for p in places]
    used = (counts[0] > 0) & (counts[1] > 0)
    if not used.any():
        raise ValueError(
            "The costs of the two populations do not overlap, so that no weights make "
            "them equal: sample both in one window. Received: "
            f"{costs[0].min():g} to {costs[0].max():g} and "
            f"{costs[1].min():g} to {costs[1].max():g}"
        )
    weights = [
        np.where(used[p], 1 / (used.sum() * np.maximum(1, c[p])), 0.0)
        for p, c in zip(places, counts, strict=True)
    ]
    edges = np.concatenate([[pooled.min()], inner_edges, [pooled.max()]])
    return MatchedWeights(*weights, edges, int(used.sum()))
