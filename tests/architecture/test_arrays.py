import numpy as np
import pytest

from keras_regnet.architecture import (
    AnyNetParameters,
    Stage,
    adjust_compatibility,
    complexity,
    variant,
)
from keras_regnet.architecture.arrays import NetworkArrays, compatible_arrays

from .golden import PUBLISHED

RATIOS = (1, 2, 4, 0.25, 1 / 3, 1.5)
GROUPS = (1, 2, 6, 8, 24, 32, 112)


@pytest.mark.parametrize("rounding", ["pycls", "torchvision"])
def test_compatibility_of_many_is_that_of_one(rounding):
    generator = np.random.default_rng(0)
    widths = generator.integers(1, 300, (400, 3)) * generator.choice([1, 8], (400, 1))
    ratios, groups = (
        generator.choice(RATIOS, (400, 3)),
        generator.choice(GROUPS, (400, 3)),
    )
    new_widths, new_groups = compatible_arrays(widths, ratios, groups, rounding)
    for row in range(400):
        expected = adjust_compatibility(
            widths[row].tolist(), ratios[row].tolist(), groups[row].tolist(), rounding
        )
        assert tuple(new_widths[row].tolist()) == expected[0]
        assert tuple(new_groups[row].tolist()) == expected[1]


def random_arrays(generator, block, count=40):
    stages = int(generator.integers(1, 6))
    shape = (count, stages)
    depths = generator.integers(1, 7, shape)
    widths = 8 * generator.integers(1, 40, shape)
    ratios = groups = None
    if block in ("x", "y"):
        ratios = generator.choice((1, 2, 4, 0.5), shape)
        widths, groups = compatible_arrays(
            widths, ratios, generator.choice((1, 4, 8, 24), shape)
        )
    return NetworkArrays(
        depths,
        widths,
        ratios,
        groups,
        strides=tuple(generator.integers(1, 4, stages).tolist()),
        block=block,
        squeeze_excite_ratio=0.25 if block == "y" else 0.0,
        stem=str(generator.choice(("simple", "small", "resnet"))),
        stem_width=int(generator.integers(1, 50)),
    )


@pytest.mark.parametrize("block", ["x", "y", "res_basic", "vanilla"])
def test_counts_of_many_are_those_of_one(block):
    generator = np.random.default_rng(1)
    for _ in range(6):
        arrays = random_arrays(generator, block)
        size = tuple(generator.integers(17, 100, 2).tolist())
        counts = arrays.complexity(size, input_channels=2, classes=7)
        for row in range(len(arrays)):
            one = complexity(arrays.network(row), size, 2, 7)
            assert counts.multiply_adds[row] == one.multiply_adds
            assert counts.parameters[row] == one.parameters
            assert counts.activations[row] == one.activations


@pytest.mark.parametrize("name", PUBLISHED)
def test_published(name):
    network = variant(name).anynet()
    arrays = NetworkArrays(
        np.array([network.depths]),
        np.array([network.widths]),
        np.array([[stage.bottleneck_ratio for stage in network.stages]]),
        np.array([[stage.group_width for stage in network.stages]]),
        strides=(2, 2, 2, 2),
        block=network.block,
        squeeze_excite_ratio=network.squeeze_excite_ratio,
    )
    assert arrays.network(0) == network
    counts, golden = arrays.complexity(), PUBLISHED[name]
    for key in ("multiply_adds", "parameters", "activations"):
        assert getattr(counts, key).tolist() == [golden[key]], key


def test_rows_are_taken():
    arrays = random_arrays(np.random.default_rng(2), "x", count=5)
    some = arrays.take(np.array([3, 1]))
    assert len(some) == 2 and some.network(0) == arrays.network(3)


def test_one_group_where_no_group_width_is_given():
    arrays = NetworkArrays(
        np.array([[1, 2]]), np.array([[8, 24]]), None, None, strides=(1, 2)
    )
    network = AnyNetParameters((Stage(1, 8, 1), Stage(2, 24, 2)))
    assert arrays.network(0) == network
    assert (
        arrays.complexity(32).multiply_adds[0] == complexity(network, 32).multiply_adds
    )
