"""The groups of a RegNetY's variables, counted from its numbers."""

import keras
import numpy as np
import pytest

from keras_regnet import RegNet, RegNetParameters
from keras_regnet.optimizers import GROUPS, SGD, RMSprop, group_of, parameter_groups
from keras_regnet.optimizers.groups import factor_of


@pytest.fixture(scope="module")
def network():
    numbers = RegNetParameters(3, 8, 8.0, 2.0, 8, squeeze_excite_ratio=0.25)
    return RegNet(numbers, input_shape=(32, 32, 3), classes=5)


def test_every_variable_is_in_the_group_that_it_should_be(network):
    groups = parameter_groups(network.trainable_variables)
    assert tuple(groups) == GROUPS
    blocks = ("s1_b1", "s2_b1", "s3_b1")  # three stages of one block
    paths = {group: [v.path for v in members] for group, members in groups.items()}
    assert paths["biases"] == ["head_fc/bias"]
    assert paths["squeeze_excite_biases"] == [
        f"{block}/se/{layer}/bias" for block in blocks for layer in ("fc1", "fc2")
    ]
    # The stem, and three convolutions and a shortcut for each block.
    norms = 1 + 4 * 3
    assert len(paths["norms"]) == 2 * norms
    assert len(paths["weights"]) == norms + 2 * 3 + 1
    assert sum(map(len, paths.values())) == len(network.trainable_variables)


def test_parameters_add_up(network):
    groups = parameter_groups(network.trainable_variables)
    count = sum(np.prod(v.shape) for members in groups.values() for v in members)
    assert count == sum(np.prod(v.shape) for v in network.trainable_variables)


@pytest.mark.parametrize(
    ("name", "shape", "group"),
    [
        ("gamma", (3,), "norms"),
        ("bias", (3,), "biases"),
        ("alpha", (3,), "biases"),
        ("kernel", (3, 3), "weights"),
        ("embeddings", (3, 3), "weights"),
    ],
)
def test_variables_of_other_networks(name, shape, group):
    assert group_of(keras.Variable(np.ones(shape), name=name)) == group


def test_factors_by_the_beginnings_of_paths():
    factors = {"s1_b1": 0.5, "s1_b1/conv1": 0.25, "stem": 0.1}
    assert factor_of("s1_b1/conv1/conv/kernel", factors) == 0.25
    assert factor_of("s1_b1/conv2/conv/kernel", factors) == 0.5
    assert factor_of("stem", factors) == 0.1
    assert factor_of("s1_b10/conv1/conv/kernel", factors) == 1


@pytest.mark.parametrize("kind", [SGD, RMSprop])
def test_variables_excluded_from_weight_decay(kind):
    names = ("kernel", "bias", "other")
    variables = [keras.Variable([1.0], name=name) for name in names]
    optimizer = kind(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=variables[2:], var_names=["bi.s"])
    optimizer.build(variables)
    assert optimizer.decays == (0.5, 0.0, 0.0)
    with pytest.raises(ValueError, match="before the optimizer is built"):
        optimizer.exclude_from_weight_decay(var_names=["kernel"])
