"""Two populations side by side: as they were sampled, and at equal cost."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

from keras_regnet.architecture import checks
from keras_regnet.design_space.comparison import Comparison, compare
from keras_regnet.design_space.error_distribution import ErrorDistribution
from keras_regnet.design_space.matching import matched_weights
from keras_regnet.design_space.results import PopulationResults
from keras_regnet.design_space.sample import MEASURES


@dataclasses.dataclass(frozen=True, eq=False)
class Pair:
    """Two populations.

    Attributes:
        first: One.
        second: The other.
        cost: Of what they are to have equally much: `"flops"`, `"parameters"` or
            `"activations"`.
    """

    first: PopulationResults
    second: PopulationResults
    cost: str = "flops"

    def __post_init__(self) -> None:
        checks.one_of("cost", self.cost, tuple(MEASURES))

    def comparison(self, significance: float = 0.05) -> Comparison:
        """Of the networks as they were sampled; see `compare`."""
        both = self.first.distribution, self.second.distribution
        return compare(*both, significance)

    def matched(self) -> tuple[ErrorDistribution, ErrorDistribution] | None:
        """The errors weighted so that the costs agree; None where none do."""
        both = self.first, self.second
        try:
            weights = matched_weights(*(each.table[self.cost] for each in both))
        except ValueError:  # there is no bin of costs with networks of both
            return None
        return (
            ErrorDistribution(self.first.errors, weights.first),
            ErrorDistribution(self.second.errors, weights.second),
        )

    def matched_comparison(self, significance: float = 0.05) -> Comparison | None:
        """Of the networks weighted so that the costs agree; None where none do."""
        both = self.matched()
        return None if both is None else compare(*both, significance)


def pairs(results: Sequence[PopulationResults], cost: str = "flops") -> Iterator[Pair]:
    """All pairs, in the spaces' order."""
    for first, second in itertools.combinations(results, 2):
        yield Pair(first, second, cost)
