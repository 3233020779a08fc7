"""The law of the sampler: closed forms, and plain rejection written a second time."""

from itertools import combinations_with_replacement, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_regnet.design_space import (
    Choices,
    FallingDepths,
    log_uniform,
    spaces,
    uniform,
)
from keras_regnet.design_space.choices import draw_ascending, ordered_weights


def frequencies(values, support):
    return np.array([(values == value).sum() for value in support])


def chi_square(counts, probabilities):
    expected = counts.sum() * probabilities
    return float(((counts - expected) ** 2 / expected).sum())


def test_law_of_choices():
    depths = log_uniform(1, 16)
    expected = [0.2, *(np.log2(k / (k - 1)) / 5 for k in range(2, 17))]
    assert depths.probabilities == pytest.approx(expected)
    widths = log_uniform(8, 1024, 8)
    assert widths.probabilities[:2] == pytest.approx([1 / 8, 1 / 8])
    assert len(widths) == 128 and widths.probabilities.sum() == pytest.approx(1)
    drawn = depths.draw(np.random.default_rng(0), 20_000)
    # 15 degrees of freedom: 37.7 is the 99.9th percentile.
    assert chi_square(frequencies(drawn, depths.values), np.array(expected)) < 37.7
    assert uniform(1.5, 3, 0.001).values[:3] == (1.5, 1.501, 1.502)
    assert len(log_uniform(8, 256, 0.1)) == 2481


@settings(max_examples=25, deadline=None)
@given(
    weights=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    length=st.integers(1, 3),
)
def test_ascending_sequences_have_the_law_of_rejection(weights, length):
    chances = np.array(weights) / sum(weights)
    values = Choices(tuple(range(1, len(weights) + 1)))
    values.__dict__["probabilities"] = chances  # any law
    exact = {
        sequence: np.prod([chances[v - 1] for v in sequence])
        for sequence in product(values.values, repeat=length)
        if list(sequence) == sorted(sequence)
    }
    kept = sum(exact.values())
    assert ordered_weights(chances, length)[0].sum() == pytest.approx(kept)
    drawn = draw_ascending(values, np.random.default_rng(1), 4000, length)
    counts = {
        tuple(row): 0 for row in combinations_with_replacement(values.values, length)
    }
    for row in drawn.tolist():
        counts[tuple(row)] += 1
    for sequence, count in counts.items():
        chance = exact[sequence] / kept
        deviation = max(1.0, (4000 * chance * (1 - chance)) ** 0.5)
        assert abs(count - 4000 * chance) < 6 * deviation


COUNT = 2000
CRITICAL = 1.95 * (2 / COUNT) ** 0.5  # of the distance, at 0.1 %
TIES = 4 * 0.5 * (2 / COUNT) ** 0.5  # four deviations of a difference of shares


def rejected_draws(generator, count, rising):
    """Depths and widths of AnyNetX_C, drawn and thrown away until they rise."""
    depth_law = np.array([0.2, *(np.log2(k / (k - 1)) / 5 for k in range(2, 17))])
    width_law = np.array([1 / 8, *(np.log2(k / (k - 1)) / 8 for k in range(2, 129))])
    found = []
    while sum(map(len, found)) < count:
        depths = 1 + generator.choice(16, (50_000, 4), p=depth_law)
        widths = 8 + 8 * generator.choice(128, (50_000, 4), p=width_law)
        keep = np.ones(50_000, dtype=bool)
        if "w" in rising:
            keep &= (np.diff(widths) >= 0).all(axis=1)
        if "d" in rising:
            keep &= (np.diff(depths) >= 0).all(axis=1)
        if "-d" in rising:  # the last is free
            keep = (np.diff(widths) >= 0).all(axis=1)
            keep &= (np.diff(depths[:, :3]) >= 0).all(axis=1)
        if "f" in rising:
            keep = (np.diff(depths) <= 0).all(axis=1) & (depths[:, 0] > depths[:, 3])
        found.append(np.concatenate([depths, widths], axis=1)[keep])
    return np.concatenate(found)[:count]


def distance(first, second):
    """The greatest distance of two empirical distributions."""
    values = np.union1d(first, second)
    one, two = (
        np.searchsorted(np.sort(v), values, side="right") / len(v)
        for v in (first, second)
    )
    return np.abs(one - two).max()


@pytest.mark.parametrize(
    ("space", "rising"),
    [
        (spaces.ANYNETX_C, ""),
        (spaces.ANYNETX_D, "w"),
        (spaces.ANYNETX_E, "wd"),
        (spaces.anynetx("e", last_stage_free=True), "-d"),
        (spaces.ANYNETX_C & FallingDepths(), "f"),
    ],
    ids=["C", "D", "E", "E, last free", "falling"],
)
def test_the_sampler_has_the_law_of_rejection(space, rising):
    # One group everywhere, so that widths are what was drawn.
    space = space.replace(bottleneck_ratios=1, group_widths=1)
    sample = space.sample(COUNT, seed=11)
    sampled = np.array([(*n.depths, *n.widths) for n in sample])
    wanted = rejected_draws(np.random.default_rng(12), COUNT, rising)
    for column in range(8):
        assert distance(sampled[:, column], wanted[:, column]) < CRITICAL, column
    for pair in ((0, 1), (2, 3), (4, 5), (6, 7)):  # how often neighbours are equal
        shares = [np.mean(a[:, pair[0]] == a[:, pair[1]]) for a in (sampled, wanted)]
        assert abs(shares[0] - shares[1]) < TIES


def test_sorted_draws_would_have_another_law():
    """What the test above would notice: ties are too few after sorting."""
    generator = np.random.default_rng(13)
    free = np.sort(rejected_draws(generator, COUNT, "")[:, :4])
    wanted = rejected_draws(generator, COUNT, "wd")[:, :4]
    assert distance(free[:, 3], wanted[:, 3]) > CRITICAL
    ties = [np.mean(depths[:, 0] == depths[:, 1]) for depths in (free, wanted)]
    assert abs(ties[0] - ties[1]) > TIES
