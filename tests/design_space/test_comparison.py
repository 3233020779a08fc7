import itertools

import numpy as np
import pytest

from keras_regnet.design_space import (
    ErrorDistribution,
    compare,
    detectable_distance,
    matched_weights,
)
from keras_regnet.design_space.comparison import kolmogorov_smirnov_tail


def brute_force_tail(distance, n, m):
    """Over all orders of n and m values."""
    far = total = 0
    for chosen in itertools.combinations(range(n + m), n):
        is_first = np.zeros(n + m)
        is_first[list(chosen)] = 1
        gaps = np.cumsum(is_first) / n - np.cumsum(1 - is_first) / m
        far += np.abs(gaps).max() >= distance - 1e-12
        total += 1
    return far / total


@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 3), (4, 6), (5, 3), (6, 1)])
def test_probabilities_are_those_of_all_orders(n, m):
    for i, j in itertools.product(range(n + 1), range(m + 1)):
        distance = abs(i / n - j / m)
        expected = brute_force_tail(distance, n, m)
        assert kolmogorov_smirnov_tail(distance, n, m) == pytest.approx(expected)


def test_detectable_distances_of_the_tables():
    """Critical values of the two-sided test at 5 % for equal sizes, in n-ths.

    Massey, 1952: D >= 5 / 5, 7 / 10, 9 / 20 and 10 / 25 (two-sided, 5 %).
    """
    for n, count in ((5, 5), (10, 7), (20, 9), (25, 10)):
        assert detectable_distance(n, n) == pytest.approx(count / n)
    assert detectable_distance(2, 2) > 1
    # The limit law: 1.358 * sqrt((n + m) / (n * m)).
    assert detectable_distance(500, 500) == pytest.approx(
        1.358 * (2 / 500) ** 0.5, 0.03
    )
    smaller = detectable_distance(64, 64)
    assert kolmogorov_smirnov_tail(smaller, 64, 64) <= 0.05
    assert kolmogorov_smirnov_tail(smaller - 1 / 64, 64, 64) > 0.05


@pytest.mark.peers
def test_probabilities_are_scipys():
    stats = pytest.importorskip("scipy.stats")
    generator = np.random.default_rng(0)
    for n, m in ((64, 64), (64, 80), (500, 499), (7, 300)):
        for shift in (0, 0.3, 1):
            first, second = generator.random(n), generator.random(m) + shift / 3
            found = compare(ErrorDistribution(first), ErrorDistribution(second))
            peer = stats.ks_2samp(first, second, method="exact")
            assert found.distance == pytest.approx(peer.statistic)
            assert found.p_value == pytest.approx(peer.pvalue, rel=1e-6, abs=1e-9)
            assert found.at == peer.statistic_location


def test_comparison_by_hand():
    better, worse = ErrorDistribution([1, 2, 3, 4]), ErrorDistribution([3.5, 5, 6, 7])
    found = compare(better, worse)
    assert (found.distance, found.at, found.better) == (0.75, 3, 0)
    assert compare(worse, better).better == 1
    assert found.p_value == pytest.approx(brute_force_tail(0.75, 4, 4))
    assert not found.significant and "cannot be told apart" in str(found)
    assert found.sizes == (4, 4) and found.detectable == 1
    same = compare(better, better)
    assert (same.distance, same.better, same.p_value) == (0, None, 1)
    assert same.probability == "p = 1" and found.probability == "p = 0.23"
    far = compare(ErrorDistribution(range(50)), ErrorDistribution(range(50, 100)))
    assert far.probability == "p < 0.0001"


def test_a_difference_is_found_and_chance_is_not():
    generator = np.random.default_rng(3)
    first = ErrorDistribution(generator.normal(40, 3, 100))
    second = ErrorDistribution(generator.normal(43, 3, 100))
    found = compare(first, second)
    assert found.significant and found.better == 0 and "differ" in str(found)
    false_alarms = [
        compare(*(ErrorDistribution(generator.random(30)) for _ in "ab")).significant
        for _ in range(80)
    ]
    assert np.mean(false_alarms) < 0.09


def test_weights_count_with_their_effective_size():
    first = ErrorDistribution(np.arange(10), weights=[1] * 4 + [0] * 6)
    found = compare(first, ErrorDistribution(np.arange(10)))
    assert found.sizes == (4, 10) and found.distance == pytest.approx(0.6)


def test_matched_weights_by_hand():
    # Edges at the median of the two together: 20 belongs to the lower bin.
    weights = matched_weights([10, 10, 10, 30], [20, 40], bins=2)
    assert weights.used == 2
    assert weights.first == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2])
    assert weights.second == pytest.approx([1 / 2, 1 / 2])


def test_matched_populations_differ_no_more():
    """Errors that follow from the costs alone are equal at equal costs."""
    generator = np.random.default_rng(4)
    costs = generator.uniform(100, 400, 400), 400 - 300 * generator.random(400) ** 2
    errors = [60 - cost / 20 + generator.normal(0, 1, 400) for cost in costs]
    plain = compare(*map(ErrorDistribution, errors))
    weights = matched_weights(*costs, bins=20)
    matched = compare(
        ErrorDistribution(errors[0], weights.first),
        ErrorDistribution(errors[1], weights.second),
    )
    assert weights.first.sum() == pytest.approx(1) == weights.second.sum()
    means = [
        np.average(c, weights=w)
        for c, w in zip(costs, weights_of(weights), strict=True)
    ]
    assert abs(means[0] - means[1]) < 3 < abs(costs[0].mean() - costs[1].mean())
    assert plain.significant and not matched.significant
    assert matched.distance < plain.distance / 2


def weights_of(weights):
    return weights.first, weights.second


def test_bins_of_one_population_do_not_count():
    weights = matched_weights([1, 2, 3, 4], [3, 4, 5, 6], bins=6)
    assert weights.first[:2].tolist() == [0, 0] == weights.second[2:].tolist()
    assert weights.first.sum() == pytest.approx(1) == weights.second.sum()


@pytest.mark.parametrize(
    "call",
    [
        lambda: matched_weights([1, 2], [5, 6], bins=2),
        lambda: matched_weights([], [5, 6]),
        lambda: matched_weights([1, np.inf], [5, 6]),
        lambda: matched_weights([1], [1], bins=0),
        lambda: detectable_distance(0, 5),
        lambda: detectable_distance(5, 5, significance=5),
        lambda: kolmogorov_smirnov_tail(0.5, 2.5, 3),
    ],
)
def test_bad_input(call):
    with pytest.raises(ValueError, match="Received: "):
        call()
