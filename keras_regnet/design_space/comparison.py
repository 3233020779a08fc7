"""Whether two populations' errors differ: the two-sample Kolmogorov-Smirnov test."""

import dataclasses
import math

import numpy as np

from keras_regnet.architecture import checks
from keras_regnet.design_space.error_distribution import ErrorDistribution


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How far two EDFs are apart.

    Attributes:
        distance: D, the greatest vertical distance of the EDFs.
        at: The error where it is.
        better: 0 where the first population has more networks below that error, 1 where
            the second has, None where the EDFs are equal.
        p_value: Probability of a distance at least as great if both populations came
            from one law.
        detectable: The smallest distance that would be significant with these sizes;
            above 1 where none would.
        significance: The level that `detectable` is for.
        sizes: The sizes that count; effective ones, rounded down, where there are
            weights: then the probabilities are approximate.
    """

    distance: float
    at: float
    better: int | None
    p_value: float
    detectable: float
    significance: float
    sizes: tuple[int, int]

    @property
    def significant(self) -> bool:
        """Whether the distance is at least the smallest detectable one."""
        return self.p_value <= self.significance

    @property
    def p_text(self) -> str:
        """The p value as one reads it: two digits, and none of what is tiny."""
        return "< 0.0001" if self.p_value < 1e-4 else f"{self.p_value:.2g}"

    @property
    def probability(self) -> str:
        """The p value in a sentence: `"p = 0.23"`, `"p < 0.0001"`."""
        return f"p {self.p_text}" if self.p_value < 1e-4 else f"p = {self.p_text}"

    def __str__(self) -> str:
        verdict = "differ" if self.significant else "cannot be told apart"
        return (
            f"D = {self.distance:.3f} at an error of {self.at:.4g}, "
            f"{self.probability}: the populations {verdict} (with {self.sizes[0]} and "
            f"{self.sizes[1]} networks a distance from {self.detectable:.3f} on is "
            f"significant at {self.significance:g})"
        )


def compare(
    first: ErrorDistribution, second: ErrorDistribution, significance: float = 0.05
) -> Comparison:
    """The two-sample Kolmogorov-Smirnov comparison, with exact probabilities.

    Probabilities are exact for errors without ties, and on the safe side with them.

    Args:
        first: One population.
        second: The other.
        significance: At which level `detectable` is.
    """
    errors = np.union1d(first.errors, second.errors)
    gaps = first.at(errors, strict=False) - second.at(errors, strict=False)
    place = int(np.argmax(np.abs(gaps)))
    distance = float(abs(gaps[place]))
    sizes = tuple(max(1, int(d.effective_size + 1e-9)) for d in (first, second))
    return Comparison(
        distance,
        float(errors[place]),
        None if distance < 1e-12 else int(gaps[place] < 0),
        kolmogorov_smirnov_tail(distance, *sizes),
        detectable_distance(*sizes, significance),
        significance,
        sizes,
    )


def kolmogorov_smirnov_tail(distance: float, n: int, m: int) -> float:
    """P(D >= distance) for two samples of sizes n and m from one continuous law.

    Sorted together, every order of the two samples is equally likely: a random path
    from (0, 0) to (n, m). The probability that it never leaves the band
    |i / n - j / m| < distance is summed up along the path's steps (Hodges, 1958).

    Args:
        distance: From 0 to 1.
        n: Size of one sample.
        m: Size of the other.
    """
    n, m = (checks.integer(k, v) for k, v in (("n", n), ("m", m)))
    if distance <= 0:
        return 1.0
    limit = distance - 1e-9
    inside = np.zeros(n + 1)  # by i, for the current i + j
    inside[0] = 1.0
    i = np.arange(n + 1)
    for step in range(1, n + m + 1):
        j = step - i
        left = n + m - step + 1  # elements not yet placed before this step
        stay = inside * np.maximum(0, m - j + 1) / left
        move = np.zeros(n + 1)
        move[1:] = inside[:-1] * (n - i[1:] + 1) / left
        allowed = (j >= 0) & (j <= m) & (np.abs(i / n - j / m) < limit)
        inside = np.where(allowed, stay + move, 0.0)
    return float(min(1.0, max(0.0, 1.0 - inside[n])))


def detectable_distance(n: int, m: int, significance: float = 0.05) -> float:
    """The smallest distance of two EDFs that is significant with these sample sizes.

    Args:
        n: Size of one sample.
        m: Size of the other.
        significance: Level of the test.

    Returns:
        A multiple of 1 / lcm(n, m); above 1 where even a distance of 1 is not
        significant.
    """
    n, m = (checks.integer(k, v) for k, v in (("n", n), ("m", m)))
    significance = checks.real("significance", significance, "from 0 to 1", 0.0, 1.0)
    steps = math.lcm(n, m)
    low, high = 0, steps + 1  # in steps: not significant, significant
    while high - low > 1:
        middle = (low + high) // 2
        if kolmogorov_smirnov_tail(middle / steps, n, m) <= significance:
            high = middle
        else:
            low = middle
    return high / steps
