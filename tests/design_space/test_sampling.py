import dataclasses

import pytest

from keras_regnet.architecture import RegNetParameters, complexity
from keras_regnet.design_space import (
    BottleneckRatio,
    MaxActivations,
    MaxParameters,
    QuantizedLinear,
    RisingDepths,
    RisingWidths,
    SlopeIsInitialWidth,
    TotalDepth,
    WidthMultiplier,
    ranges,
    spaces,
)

from .checker import CHECKS, stages_of

WINDOW = (360e6, 400e6)


def check(name, sample, every=1):
    space = spaces.by_name(name)
    for i, network in enumerate(sample):
        stages = stages_of(network)
        assert len(stages) == 4
        assert CHECKS[name](network, stages), network
        if i % every == 0:
            assert space.contains(network), space.contains(network)
            # By its stages alone: the rule has to be found again.
            assert space.contains(network.anynet())
            cost = complexity(network)
            assert sample.flops[i] == cost.multiply_adds
            assert sample.parameters[i] == cost.parameters
            assert sample.activations[i] == cost.activations
    assert len({network.anynet() for network in sample}) == len(sample)


@pytest.mark.parametrize("name", CHECKS)
def test_networks_are_in_their_space(name):
    check(name, spaces.by_name(name).sample(150, seed=5), every=10)


@pytest.mark.parametrize("name", CHECKS)
def test_networks_are_in_the_window(name):
    sample = spaces.by_name(name).sample(12, seed=6, flops=WINDOW)
    check(name, sample)
    assert WINDOW[0] <= sample.flops.min() and sample.flops.max() <= WINDOW[1]
    assert 0 < sample.acceptance < 0.05
    kept = len(sample) + sample.duplicates
    assert kept + sum(sample.rejected.values()) == sample.drawn


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_ten_thousand_networks_are_in_their_space(name):
    check(name, spaces.by_name(name).sample(10_000, seed=7), every=20)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_five_hundred_networks_are_in_the_window(name):
    sample = spaces.by_name(name).sample(500, seed=8, flops=WINDOW)
    check(name, sample)
    assert WINDOW[0] <= sample.flops.min() and sample.flops.max() <= WINDOW[1]


def test_a_seed_means_the_same_networks():
    space = spaces.ANYNETX_C
    few, many = (space.sample(n, seed=3, flops=WINDOW) for n in (5, 20))
    assert few.networks == many.networks[:5]
    assert few.drawn <= many.drawn
    assert space.sample(5, seed=4, flops=WINDOW).networks != few.networks
    assert "20 networks of AnyNetX_C" in str(many)


def test_duplicates_are_dropped():
    space = spaces.anynetx("c", stages=1).replace(
        depths=(1, 2), widths=(8, 16), bottleneck_ratios=1, group_widths=8
    )
    assert (space.degrees_of_freedom, space.size) == (2, 4)
    sample = space.sample(4, seed=0)
    assert len(set(sample)) == 4 and sample.duplicates > 0
    assert sample.acceptance == 1


SMALL = {
    "ranges": ranges.SMALL_IMAGES,
    "stages": 3,
    "stem": "small",
    "stem_width": 16,
    "strides": (1, 2, 2),
    "input_size": 28,
    "input_channels": 1,
    "classes": 10,
}


@pytest.mark.parametrize(
    "name", ["anynetx_a", "anynetx_e", "plain_e", "plain_linear", "regnety", "vionet"]
)
def test_stem_strides_stages_and_images(name):
    space = spaces.by_name(name, **SMALL)
    sample = space.sample(20, seed=1, flops=(2e6, 8e6))
    for network, flops in zip(sample, sample.flops, strict=True):
        anynet = network.anynet()
        assert (anynet.stem, anynet.stem_width) == ("small", 16)
        assert [stage.stride for stage in anynet.stages] == [1, 2, 2]
        assert anynet.block == space.family.block
        assert complexity(network, 28, 1, 10).multiply_adds == flops
        assert space.contains(network) and space.contains(anynet)
        assert space.read(network.to_dict()) == network


def test_images_of_another_size_for_one_sample():
    sample = spaces.ANYNETX_A.sample(
        3, flops=(1e6, 3e6), input_size=(32, 24), input_channels=1, classes=10
    )
    for network, flops in zip(sample, sample.flops, strict=True):
        assert complexity(network, (32, 24), 1, 10).multiply_adds == flops


def test_four_stages_of_the_exercise():
    assert spaces.regnetx(stages=5).sample(3, seed=0)[0].anynet().stages[4:]


def test_all_that_the_paper_adds_to_regnetx():
    space = spaces.by_name("regnetx_constrained")
    assert space.degrees_of_freedom == 5
    for network in space.sample(30, seed=0):
        cost = complexity(network)
        giga = cost.multiply_adds / 1e9
        assert network.bottleneck_ratio == 1 and 2 <= network.wm <= 3
        assert 12 <= network.depth <= 28
        assert cost.parameters <= (3 + 5.5 * giga) * 1e6
        assert cost.activations <= 6.5e6 * giga**0.5


def test_one_slope_and_one_multiplier():
    space = spaces.REGNETX & WidthMultiplier(2) & SlopeIsInitialWidth()
    assert space.degrees_of_freedom == 4
    for network in space.sample(20, seed=0):
        assert network.wm == 2 and network.wa == network.w0
        assert space.contains(network.anynet())


def test_constraints_that_only_throw_draws_away():
    space = spaces.ANYNETX_E & TotalDepth(12, 20) & MaxParameters(4e6)
    space = space & MaxActivations(5e6) & BottleneckRatio(1, 2)
    sample = space.sample(10, seed=0, flops=(None, 400e6))
    assert all(12 <= sum(n.depths) <= 20 for n in sample)
    assert sample.parameters.max() <= 4e6 and sample.activations.max() <= 5e6
    assert {"total depth", "parameter cap"} <= set(sample.rejected)


def test_a_rule_within_other_constraints_holds_all_of_them():
    space = spaces.ANYNETX_E & QuantizedLinear()
    for network in space.sample(10, seed=0, flops=(100e6, 800e6)):
        assert isinstance(network, RegNetParameters)
        for name in ("anynetx_e", "regnetx"):
            assert CHECKS[name](network, stages_of(network))


def test_an_empty_window_is_an_error_that_names_the_nearest():
    with pytest.raises(ValueError, match="above the window") as error:
        spaces.ANYNETX_C.sample(3, flops=(1e3, 2e3), max_draws=40_000)
    text = str(error.value)
    assert "No network of AnyNetX_C" in text and "widen" in text
    assert text.endswith("Received: n=3, flops=(1000, 2000), max_draws=40000")
    with pytest.raises(ValueError, match="below the window"):
        spaces.REGNETX.sample(1, flops=(1e13, 2e13), max_draws=40_000)
    with pytest.raises(ValueError, match="parameter cap"):
        (spaces.ANYNETX_C & MaxParameters(10)).sample(1, max_draws=20_000)


def test_too_few_networks_are_an_error():
    space = spaces.anynetx("c", stages=1).replace(
        depths=(1, 2), widths=(8, 16), bottleneck_ratios=1, group_widths=8
    )
    with pytest.raises(ValueError, match="Only 4 different networks"):
        space.sample(5, max_draws=50_000)
    with pytest.raises(ValueError, match=r"raise `max_draws`.*Received: n=5000"):
        spaces.ANYNETX_A.sample(5000, flops=WINDOW, max_draws=17_000)


@pytest.mark.parametrize(
    "arguments",
    [
        {"n": 0},
        {"n": 1.5},
        {"seed": -1},
        {"flops": (400e6, 360e6)},
        {"flops": 400e6},
        {"flops": (-5, 360e6)},
        {"parameters": ("a", "b")},
        {"input_size": 0},
        {"input_width": 5},
        {"max_draws": 0},
    ],
)
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match="Received: "):
        spaces.ANYNETX_A.sample(**{"n": 1, **arguments})


@pytest.mark.parametrize("block", ["x", "res_basic"])
def test_a_model_of_a_sampled_network_costs_what_was_counted(block):
    changes = {"group_widths": (4, 8)} if block == "x" else {}
    space = spaces.anynetx("a", block=block, **SMALL).replace(
        depths=(1, 2), widths=(8, 16), **changes
    )
    network = space.sample(1, seed=2)[0]
    model = space.build(network)
    assert model.input_shape == (None, 28, 28, 1) and model.output_shape == (None, 10)
    assert model.count_params() == space.family.cost(network).total_parameters


def test_spaces_are_values():
    assert spaces.anynetx("c") == spaces.ANYNETX_C
    again = spaces.ANYNETX_B & spaces.ANYNETX_C.constraints[1]
    assert again.named("AnyNetX_C") == spaces.ANYNETX_C
    assert spaces.ANYNETX_C.replace(stages=3) != spaces.ANYNETX_C
    assert dataclasses.replace(spaces.ANYNETX_C) == spaces.ANYNETX_C
    first, second = spaces.ANYNETX_C.to_dict(), spaces.ANYNETX_D.to_dict()
    assert first["ranges"] == second["ranges"] and first != second
    assert (spaces.ANYNETX_C & RisingWidths() & RisingDepths()).limits == (
        spaces.ANYNETX_E.limits
    )
