import itertools

import numpy as np
import pytest

from keras_regnet.design_space import ErrorDistribution


def test_edf_by_hand():
    distribution = ErrorDistribution([30, 10, 20, 20])
    assert distribution.at(20) == 0.25 and distribution.at(20, strict=False) == 0.75
    assert distribution.at([5, 10, 10.5, 99]).tolist() == [0, 0, 0.25, 1]
    assert (distribution.best, distribution.mean, len(distribution)) == (10, 20, 4)
    assert distribution.effective_size == 4


def test_weighted_edf_by_hand():
    distribution = ErrorDistribution([30, 10, 20], weights=[1, 0, 3])
    assert distribution.at([10.5, 25, 31]).tolist() == [0, 0.75, 1]
    assert distribution.best == 20 and distribution.mean == 22.5
    assert distribution.effective_size == pytest.approx(16 / 10)


def test_weights_are_repetitions():
    errors = [1, 2, 5]
    weighted = ErrorDistribution(errors, weights=[1, 3, 2])
    repeated = ErrorDistribution([1, 2, 2, 2, 5, 5])
    grid = np.linspace(0, 6, 25)
    assert weighted.at(grid) == pytest.approx(repeated.at(grid))


def test_band_has_the_deviation_of_the_binomial():
    """Bootstrap counts below e are binomial: 95 % is about 1.96 deviations."""
    errors = np.random.default_rng(0).normal(40, 5, 200)
    band = ErrorDistribution(errors).band(repeats=4000, seed=1)
    assert np.array_equal(band.errors, np.sort(errors))
    assert band.edf == pytest.approx(np.arange(1, 201) / 200)
    deviation = np.sqrt(band.edf * (1 - band.edf) / 200)
    middle = slice(20, 180)
    expected = 2 * 1.96 * deviation[middle]
    assert (band.high - band.low)[middle] == pytest.approx(expected, rel=0.12)
    assert (band.low <= band.edf).all() and (band.edf <= band.high).all()
    again = ErrorDistribution(errors).band(repeats=4000, seed=1)
    assert np.array_equal(again.low, band.low)
    narrow = ErrorDistribution(errors).band(confidence=0.5, repeats=500)
    assert (narrow.high - narrow.low).mean() < 0.5 * (band.high - band.low).mean()


def test_band_covers_the_law_as_often_as_it_says():
    generator = np.random.default_rng(2)
    covered = []
    for _ in range(80):
        band = ErrorDistribution(generator.random(60)).band(repeats=300)
        place = np.searchsorted(band.errors, 0.5, side="right") - 1
        covered.append(band.low[place] <= 0.5 <= band.high[place])
    assert 0.88 < np.mean(covered) <= 1


def test_weighted_band_where_only_networks_without_weight_are_drawn():
    band = ErrorDistribution([1, 2], weights=[0, 1]).band(repeats=50)
    assert np.isfinite(band.low).all() and band.edf.tolist() == [0, 1]


def test_expected_best_is_the_mean_over_all_choices():
    errors = [7.0, 3.0, 5.0, 5.0, 11.0, 4.0]
    expected = [
        np.mean([min(chosen) for chosen in itertools.combinations(errors, m)])
        for m in range(1, 7)
    ]
    distribution = ErrorDistribution(errors)
    assert distribution.expected_best() == pytest.approx(expected)
    assert distribution.expected_best([2, 6]) == pytest.approx([expected[1], 3.0])
    assert distribution.expected_best(3) == pytest.approx([expected[2]])


def test_expected_best_of_many():
    errors = np.arange(1, 5001, dtype=float)
    # Of m out of 1 ... n the expected smallest is (n + 1) / (m + 1).
    best = ErrorDistribution(errors).expected_best([1, 32, 2500])
    assert best == pytest.approx([5001 / 2, 5001 / 33, 5001 / 2501])


@pytest.mark.parametrize(
    "make",
    [
        lambda: ErrorDistribution([]),
        lambda: ErrorDistribution([1, np.nan]),
        lambda: ErrorDistribution(["a"]),
        lambda: ErrorDistribution([[1, 2]]),
        lambda: ErrorDistribution([1, 2], weights=[1]),
        lambda: ErrorDistribution([1, 2], weights=[0, 0]),
        lambda: ErrorDistribution([1, 2], weights=[-1, 2]),
        lambda: ErrorDistribution([1, 2]).band(confidence=95),
        lambda: ErrorDistribution([1, 2]).band(repeats=0),
        lambda: ErrorDistribution([1, 2]).expected_best(3),
        lambda: ErrorDistribution([1, 2]).expected_best(0),
        lambda: ErrorDistribution([1, 2], weights=[1, 2]).expected_best(),
    ],
)
def test_bad_input(make):
    with pytest.raises(ValueError, match="Received: "):
        make()
