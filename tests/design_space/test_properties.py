import numpy as np
import pytest

from keras_regnet.architecture import AnyNetParameters, Stage, variant
from keras_regnet.design_space import (
    MLPParameters,
    best_range,
    correlations,
    fit_error,
    properties,
    spaces,
)
from keras_regnet.design_space.correlation import ranks

from ..architecture.golden import PUBLISHED


def test_properties_of_a_published_network():
    golden = PUBLISHED["RegNetX-200MF"]
    found = properties(variant("RegNetX-200MF"), spaces.REGNETX)
    assert found["flops"] == golden["multiply_adds"]
    assert found["parameters"] == golden["parameters"]
    assert found["activations"] == golden["activations"]
    assert [found[f"d_{i}"] for i in range(1, 5)] == golden["depths"]
    assert [found[f"w_{i}"] for i in range(1, 5)] == golden["widths"]
    assert (found["depth"], found["last_width"]) == (13, 368)
    mean = (24 + 56 + 4 * 152 + 7 * 368) / 13
    assert found["mean_width"] == pytest.approx(mean)
    assert found["width_ratio"] == pytest.approx((368 / 24) ** (1 / 3))
    assert (found["b"], found["g"], found["e_fit"]) == (1, 8, 0)
    assert (found["w0"], found["wa"], found["wm"]) == (24, 36.44, 2.49)


def test_properties_of_other_networks():
    network = AnyNetParameters((Stage(2, 64, 2, 4, 2), Stage(1, 8, 2, 8, 1)))
    found = properties(network, spaces.anynetx("a", stages=2))
    assert (found["b"], found["g"]) == (1.5, 6) and "w0" not in found
    assert found["e_fit"] == fit_error(network, spaces.ANYNETX_A)
    # No rule falls: the best is one width w, with (2 |log w/64| + |log w/8|) / 3.
    assert found["e_fit"] == pytest.approx(np.log(8) / 3)
    found = properties(MLPParameters((1,), (8,)), spaces.mlp(stages=1))
    assert "g" not in found and "width_ratio" not in found and found["depth"] == 1


def monte_carlo_best(values, errors, draws, repeats):
    generator = np.random.default_rng(0)
    chosen = generator.integers(len(errors), size=(repeats, draws))
    best = np.argmin(errors[chosen], axis=1)
    return values[chosen[np.arange(repeats), best]]


def test_best_range_is_what_the_bootstrap_converges_to():
    generator = np.random.default_rng(1)
    values = generator.random(60)
    errors = (values - 0.6) ** 2 + generator.normal(0, 0.02, 60)
    found = best_range(values, errors)
    simulated = monte_carlo_best(values, errors, 15, 40_000)
    # Each end is a value of a network; it may be the neighbour's by chance alone.
    for end, level in ((found.low, 0.025), (found.median, 0.5), (found.high, 0.975)):
        assert end in values
        low, high = np.quantile(simulated, [level - 0.006, level + 0.006])
        assert low <= end <= high
    assert found.low < 0.6 < found.high and abs(found.median - 0.6) < 0.1


def test_best_range_by_hand():
    # Two of four: the best has rank i with 7/16, 5/16, 3/16, 1/16.
    found = best_range([40, 10, 30, 20], [1, 2, 3, 4], fraction=0.5, confidence=0.5)
    # Ascending values 10, 20, 30, 40 with 5/16, 1/16, 3/16, 7/16.
    assert (found.low, found.median, found.high) == (10, 30, 40)
    everything_ties = best_range([1, 2, 3], [5, 5, 5], fraction=1, confidence=0.2)
    assert everything_ties.median == 2


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3, 1, 2], [3, 1, 2]),
        ([5, 5, 1], [2.5, 2.5, 1]),
        ([7], [1]),
        ([2] * 3, [2] * 3),
    ],
)
def test_ranks(values, expected):
    assert ranks(np.array(values)).tolist() == expected


def test_correlations_by_hand():
    errors = [1.0, 2.0, 3.0, 4.0]
    table = {"line": [2, 4, 6, 8], "curve": [-1, -10, -100, -1000], "same": [3] * 4}
    found = correlations(table, errors, repeats=200)
    assert found["line"].pearson == pytest.approx(1)
    assert found["line"].spearman_range == pytest.approx((1, 1))
    assert found["curve"].spearman == pytest.approx(-1)
    assert found["curve"].pearson == pytest.approx(
        np.corrcoef(table["curve"], errors)[0, 1]
    )
    assert np.isnan(found["same"].pearson) and np.isnan(found["same"].spearman_range[0])


def test_correlation_ranges_hold_the_truth_as_often_as_they_say():
    generator = np.random.default_rng(5)
    held = []
    for _ in range(60):
        x = generator.normal(size=60)
        y = 0.6 * x + 0.8 * generator.normal(size=60)
        low, high = correlations({"x": x}, y, repeats=120)["x"].pearson_range
        held.append(low <= 0.6 <= high)
    assert 0.84 < np.mean(held) <= 1


@pytest.mark.peers
def test_correlations_are_scipys():
    stats = pytest.importorskip("scipy.stats")
    generator = np.random.default_rng(6)
    x, y = generator.integers(0, 9, 80), generator.random(80)
    found = correlations({"x": x}, y, repeats=10)["x"]
    assert found.pearson == pytest.approx(stats.pearsonr(x, y).statistic)
    assert found.spearman == pytest.approx(stats.spearmanr(x, y).statistic)


@pytest.mark.parametrize(
    "call",
    [
        lambda: best_range([1, 2], [1]),
        lambda: best_range([1, 2], [1, 2], fraction=0),
        lambda: best_range([1, 2], [1, 2], confidence=1),
        lambda: correlations({"x": [1]}, [1, 2]),
        lambda: correlations({"x": [1, 2]}, [1, np.nan]),
        lambda: correlations({"x": [1, 2]}, [1, 2], repeats=0),
        lambda: fit_error("RegNetX-200MF", spaces.REGNETX),
    ],
)
def test_bad_input(call):
    with pytest.raises(ValueError, match="Received: "):
        call()
