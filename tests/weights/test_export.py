"""Back to torch, and the conversion without torch: names, layouts, exact values."""

import keras
import numpy as np
import pytest

import keras_regnet
from keras_regnet.weights import (
    load_weights,
    to_timm_state_dict,
    to_torchvision_state_dict,
)
from tests.small_networks import randomise, tiny
from tests.torch_peer import logits, random_timm_model, relative_difference, timm


@pytest.mark.parametrize("export", [to_timm_state_dict, to_torchvision_state_dict])
def test_a_file_without_torch_and_back(export, tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    model, other = randomise(tiny()), tiny()
    path = tmp_path / "model.safetensors"
    safetensors.save_file(export(model, "numpy"), path)
    load_weights(other, path)
    for one, two in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(one, two)
    names = {one.path for one in model.weights}
    again = export(other, "numpy")
    assert len(again) == len(names) + sum(n.endswith("moving_mean") for n in names)


def test_names_and_layouts():
    state = to_timm_state_dict(tiny(), "numpy")
    assert state["stem.conv.weight"].shape == (8, 3, 3, 3)
    # Group width 4 of 8 channels: torch has (outputs, inputs per group, 3, 3).
    assert state["s1.b1.conv2.conv.weight"].shape == (8, 4, 3, 3)
    assert state["s1.b1.se.fc1.bias"].shape == (2,)
    assert state["head.fc.weight"].shape[0] == 5
    assert state["s1.b1.conv1.bn.num_batches_tracked"] == 0
    state = to_torchvision_state_dict(tiny(), "numpy")
    assert {"stem.0.weight", "trunk_output.block1.block1-0.f.b.1.running_var"} < set(
        state
    )


def anynet(**arguments):
    stages = (keras_regnet.Stage(1, 8, 2, 8),)
    parameters = keras_regnet.AnyNetParameters(stages, **arguments)
    return keras_regnet.AnyNet(parameters, input_shape=(32, 32, 3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tiny(padding="same"), "Received: regnety with padding='same' in stem"),
        (lambda: anynet(block="vanilla"), "s1_b1. Received: anynet"),
        (lambda: anynet(block="res_basic"), "s1_b1. Received: anynet"),
        (lambda: anynet(stem="resnet"), "stem. Received: anynet"),
        (
            lambda: keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]),
            "dense.*Received: sequential",
        ),
    ],
)
def test_what_torch_has_no_network_for_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        to_timm_state_dict(make(), "numpy")


@pytest.mark.peers
@pytest.mark.parametrize("name", ["regnetx_002", "regnety_008_tv"])
def test_round_trip_through_timm_is_exact(name, tmp_path):
    import torch

    theirs = random_timm_model(name)
    torch.save(theirs.state_dict(), tmp_path / "model.pth")
    ours = keras_regnet.RegNet(
        name, weights=tmp_path / "model.pth", classifier_activation=None
    )
    state = to_timm_state_dict(ours)
    assert sorted(state) == sorted(theirs.state_dict())
    for key, value in theirs.state_dict().items():
        assert state[key].dtype == value.dtype and torch.equal(state[key], value), key
    other = timm().create_model(name, pretrained=False).eval()
    other.load_state_dict(state)
    images = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype("float32")
    np.testing.assert_array_equal(logits(other, images), logits(theirs, images))


@pytest.mark.peers
def test_a_network_trained_here_goes_to_torchvision():
    timm()
    from torchvision import models

    ours = keras_regnet.RegNetX(
        "regnet_x_400mf", input_shape=(64, 64, 3), classifier_activation=None
    )
    ours.compile("sgd", "mse")
    rng = np.random.default_rng(0)
    images = rng.normal(size=(4, 64, 64, 3)).astype("float32")
    ours.fit(images, rng.normal(size=(4, 1000)), epochs=1, verbose=0)
    theirs = models.regnet_x_400mf().eval()
    theirs.load_state_dict(to_torchvision_state_dict(ours))
    expected = ours.predict(images, verbose=0)
    assert relative_difference(logits(theirs, images), expected) < 1e-4
