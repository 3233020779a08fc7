"""The layer around a SavedModel: used, fine-tuned, frozen, saved."""

import keras
import numpy as np
import pytest

from keras_regnet.layers import SavedModelBackbone
from keras_regnet.publishing import load_published, publish
from tests.publishing.conftest import network, pixels

pytestmark = pytest.mark.kernels


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved_model")
    return publish(network(), path, measure_speed=False)


def images_of(count):
    return np.random.RandomState(2).uniform(0, 255, (count, 28, 28, 1))


def learner(layer):
    image = keras.Input((28, 28, 1))
    model = keras.Model(image, keras.layers.Dense(3)(layer(image)))
    model.compile(keras.optimizers.Adam(1e-3), "mse", run_eagerly=True)
    return model


def trained(layer):
    """The names of the weights that a step of training has moved."""
    model = learner(layer)
    old = [np.array(weight) for weight in layer.weights]
    model.fit(images_of(4), np.ones((4, 3)), batch_size=4, verbose=0)
    return {
        weight.name
        for weight, before in zip(layer.weights, old, strict=True)
        if not np.array_equal(weight, before)
    }


STATISTICS = {"moving_mean", "moving_variance"}


@pytest.mark.long
def test_equals_the_network(folder):
    model = load_published(folder, include_top=True)
    images = pixels(model)
    features = keras.Model(model.input, model.get_layer("head_fc").input)
    for native in (False, True):
        layer = SavedModelBackbone(folder, native=native)
        np.testing.assert_allclose(layer(images), features(images), atol=1e-4)
        output = SavedModelBackbone(folder, output="output", native=native)
        np.testing.assert_allclose(output(images), model(images), atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, {"kernel", "gamma", "beta"} | STATISTICS),
        ({"native": True}, {"kernel", "gamma", "beta"} | STATISTICS),
        ({"training_statistics": False}, {"kernel", "gamma", "beta"}),
        ({"trainable": False}, set()),
    ],
)
def test_trains_what_it_says(folder, arguments, expected):
    assert trained(SavedModelBackbone(folder, **arguments)) == expected


def test_weights_have_the_networks_names(folder):
    layer = SavedModelBackbone(folder, name="body")
    paths = {weight.path for weight in layer.weights}
    body = {weight.path for weight in network().weights if "head" not in weight.path}
    assert paths == {f"body/{path}" for path in body}


def test_is_saved_and_loaded_within_a_model(folder, tmp_path):
    layer = SavedModelBackbone(folder, training_statistics=False)
    model = learner(layer)
    images = images_of(4)
    model.fit(images, np.ones((4, 3)), verbose=0)
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="safe_mode=False"):
        keras.saving.load_model(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=False)
    np.testing.assert_allclose(again(images), model(images), atol=1e-5)
    config = again.layers[1].get_config()
    assert config["training_statistics"] is False
    assert config["path"] == str(folder)


def test_impossible_arguments_are_named(folder, tmp_path):
    with pytest.raises(ValueError, match="Received: 'logits'"):
        SavedModelBackbone(folder, output="logits")
    with pytest.raises(ValueError, match=r"with a saved_model\.pb\. Received: path="):
        SavedModelBackbone(tmp_path)
    inputs = keras.Input((4,))
    other = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    other.export(tmp_path / "other", verbose=False)
    with pytest.raises(ValueError, match="one that this package published"):
        SavedModelBackbone(tmp_path / "other")
    (tmp_path / "cut").mkdir()
    whole = (folder / "saved_model.pb").read_bytes()
    (tmp_path / "cut" / "saved_model.pb").write_bytes(whole[:1000])
    with pytest.raises(ValueError, match=r"damaged\. Received: path="):
        SavedModelBackbone(tmp_path / "cut")
