"""What moves and what stands still, layer by layer."""

import numpy as np
import pytest
import tensorflow as tf

import keras_regnet
from keras_regnet.transfer.freezing import (
    layer_factors,
    stages_of,
    training_model,
    unfreeze_all,
)
from tests.transfer import small


def moved(unfreeze, train_batch_norm=True, network=None):
    """The layers of which a weight changes in one step, and those with statistics."""
    network = network or small.pretrained()
    model = training_model(network, unfreeze, train_batch_norm)
    before = {variable.path: variable.numpy() for variable in network.weights}
    images = np.random.default_rng(0).uniform(0, 255, (16, 8, 8, 1)).astype("float32")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(model(images, training=True)))
    variables = model.trainable_variables
    for variable, gradient in zip(
        variables, tape.gradient(loss, variables), strict=True
    ):
        assert gradient is not None
        variable.assign(variable - 0.1 * tf.cast(gradient, variable.dtype) - 1e-3)
    changed = {
        variable.path
        for variable in network.weights
        if not np.array_equal(variable, before[variable.path])
    }
    statistics = {path.split("/")[0] for path in changed if "/moving_" in path}
    return {path.split("/")[0] for path in changed}, statistics


def test_the_head_alone():
    assert moved(0) == ({"head_fc"}, set())


def test_the_last_stage():
    layers = {"s2_b1", "s2_b2"}
    assert moved(1) == (layers | {"head_fc"}, layers)


def test_all_stages_are_not_the_stem():
    layers = {"s1_b1", "s2_b1", "s2_b2"}
    assert moved(2) == (layers | {"head_fc"}, layers)


def test_everything():
    layers = {"stem", "s1_b1", "s2_b1", "s2_b2"}
    assert moved("all") == (layers | {"head_fc"}, layers)


@pytest.mark.parametrize("unfreeze", ["all", 1])
def test_frozen_batch_norm(unfreeze):
    network = small.pretrained()
    layers, statistics = moved(unfreeze, False, network)
    assert not statistics
    assert {"s2_b1", "s2_b2", "head_fc"} <= layers
    names = {path for path in (v.path for v in network.weights) if "/bn/" in path}
    assert names  # and none of them moves: scales and shifts neither
    model = training_model(network, unfreeze, False)
    assert not names & {variable.path for variable in model.trainable_variables}


def test_frozen_batch_norm_is_that_of_inference():
    network = small.pretrained()
    images = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 1)).astype("float32")
    frozen = training_model(network, "all", False)(images, training=True)
    expected = training_model(network, "all")(images, training=False)
    np.testing.assert_allclose(frozen, expected, rtol=1e-5, atol=1e-6)


def test_no_branch_is_left_out_of_what_is_frozen():
    network = small.pretrained(stochastic_depth=0.9)
    images = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 1)).astype("float32")
    model = training_model(network, 0)
    expected = model(images, training=False)
    np.testing.assert_array_equal(model(images, training=True), expected)


def test_one_phase_after_another():
    """What was frozen once is trained when it shall be, and the file says nothing."""
    network = small.pretrained()
    assert moved(0, network=network)[0] == {"head_fc"}
    assert "stem" in moved("all", network=network)[0]
    assert "stem" not in moved(1, False, network)[0]
    assert moved("all", network=network)[1] == {"stem", "s1_b1", "s2_b1", "s2_b2"}
    training_model(network, 0)
    unfreeze_all(network)
    assert len(network.trainable_variables) == len(
        small.pretrained().trainable_variables
    )


def test_too_many_stages():
    assert stages_of(small.pretrained()) == 2
    with pytest.raises(ValueError, match=r"at most the 2 stages .* Received: 3"):
        training_model(small.pretrained(), 3)


def test_layer_factors():
    assert layer_factors(small.pretrained(), 0.5) == {
        "head_fc": 1,
        "s2_b2": 0.5,
        "s2_b1": 0.25,
        "s1_b1": 0.125,
        "stem": 0.0625,
    }


@pytest.mark.peers
def test_layer_factors_are_timms():
    from tests.torch_peer import timm

    library = timm()
    from timm.optim import param_groups_layer_decay

    theirs = {}
    model = library.create_model("regnetx_002")
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for group in param_groups_layer_decay(model, layer_decay=0.7):
        for parameter in group["params"]:
            stage, block, *_ = names[id(parameter)].split(".")
            name = {"stem": "stem", "head": "head_fc"}.get(stage, f"{stage}_{block}")
            theirs[name] = group["lr_scale"]
    mine = layer_factors(keras_regnet.RegNetX("200MF"), 0.7)
    assert mine == pytest.approx(theirs)
