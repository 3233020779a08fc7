"""What fine-tuning can begin with."""

import json

import keras
import numpy as np
import pytest

from keras_regnet import publishing
from keras_regnet.data import DataConfig, ImageReader
from keras_regnet.preprocessing import PreprocessingSpec
from keras_regnet.preprocessing.normalization import normalize
from keras_regnet.transfer import open_source
from tests.transfer import small


def test_a_keras_file(tmp_path):
    source = open_source(small.saved(tmp_path))
    assert source.parameters == small.PARAMETERS
    assert source.image_shape == (8, 8, 1)
    assert source.image_size == 8
    assert source.class_names is None
    assert "stem/conv/kernel" in source.body
    assert not [path for path in source.body if path.startswith("head_fc")]


def test_the_digest_is_that_of_the_body(tmp_path):
    source = open_source(small.saved(tmp_path))
    before = source.digest
    again = open_source(tmp_path / "source.keras")
    again.model.get_layer("head_fc").bias.assign(np.ones(5))
    assert again.digest == before
    other = open_source(tmp_path / "source.keras")
    mean = other.body["s2_b2/conv1/bn/moving_mean"]
    mean.assign(mean + 1e-6)
    assert other.digest != before


def test_a_run_directory(tmp_path):
    small.pretrained().save(tmp_path / "model.keras")
    names = ["ant", "bee", "cat", "dog", "eel"]
    data = DataConfig(image_size=8).to_dict()
    configuration = {"class_names": names, "data": data}
    (tmp_path / "config.json").write_text(json.dumps({"configuration": configuration}))
    assert open_source(tmp_path).class_names == tuple(names)


def test_what_data_were_normalised_with(tmp_path):
    """A network without a normalisation of its own got images that had one."""
    small.pretrained(include_preprocessing=False).save(tmp_path / "model.keras")
    with pytest.warns(UserWarning, match="does not say how its images are normalised"):
        assert open_source(tmp_path / "model.keras").arguments["preprocessing"] is None
    data = DataConfig(image_size=8, normalize=True, mean=(0.3,), std=(0.4,))
    configuration = {"data": data.to_dict()}
    (tmp_path / "config.json").write_text(json.dumps({"configuration": configuration}))
    specification = open_source(tmp_path).arguments["preprocessing"]
    assert (specification.mean, specification.std) == ((0.3,), (0.4,))
    # What the data got counts, whatever the weights were once made for.
    own = PreprocessingSpec(8, 8, mean=(0.7,), std=(0.6,))
    network = small.pretrained(include_preprocessing=False, preprocessing=own)
    network.save(tmp_path / "model.keras")
    specification = open_source(tmp_path).arguments["preprocessing"]
    assert (specification.mean, specification.std) == ((0.3,), (0.4,))
    # A run on plain pixels: new networks normalise, and leave them as they are.
    configuration = {"data": DataConfig(image_size=8).to_dict()}
    (tmp_path / "config.json").write_text(json.dumps({"configuration": configuration}))
    specification = open_source(tmp_path).arguments["preprocessing"]
    pixels = np.full((1, 8, 8, 1), 200.0)
    np.testing.assert_allclose(normalize(pixels, specification), pixels, rtol=1e-6)
    (tmp_path / "config.json").unlink()
    path = tmp_path / "model.keras"
    assert open_source(path).arguments["preprocessing"].mean == (0.7,)


def test_a_published_model(tmp_path, monkeypatch, no_saved_model):
    """By path and by name; one without a classifier too."""
    network = small.pretrained(include_top=False, pooling="avg")
    publishing.publish(network, tmp_path, name="features", measure_speed=False)
    source = open_source(tmp_path / "features")
    assert source.class_names is None
    assert source.parameters == small.PARAMETERS
    monkeypatch.setenv("KERAS_REGNET_SAVED_MODELS", str(tmp_path))
    again = open_source("features")
    assert again.digest == source.digest
    body = {variable.path: variable.numpy() for variable in network.weights}
    for path, variable in again.body.items():
        np.testing.assert_array_equal(variable, body[path])


@pytest.mark.long
def test_a_published_model_s_own_images(tmp_path, no_saved_model):
    """What it was published with counts also where the network has no word of it."""
    reader = ImageReader(
        "whole",
        8,
        8,
        1,
        specification=PreprocessingSpec(8, 8, mean=(0.3,), std=(0.4,)),
        normalized=True,
    )
    network = small.pretrained(include_preprocessing=False)
    path = publishing.publish(
        network, tmp_path, name="own", reader=reader, measure_speed=False
    )
    specification = open_source(path).arguments["preprocessing"]
    assert (specification.mean, specification.std) == ((0.3,), (0.4,))
    card = (path / "model_card.md").read_text()
    assert "then (pixels / 255 - 0.3) / 0.4, before the model" in card
    publishing.publish(network, tmp_path, name="plain", measure_speed=False)
    specification = open_source(tmp_path / "plain").arguments["preprocessing"]
    pixels = np.full((1, 8, 8, 1), 200.0)
    np.testing.assert_allclose(normalize(pixels, specification), pixels, rtol=1e-6)


def test_what_is_no_source(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere.keras \(no such file\)"):
        open_source(tmp_path / "nowhere.keras")
    with pytest.raises(
        ValueError, match=r"no such published model.* Received: 'no_such_name'"
    ):
        open_source("no_such_name")
    inputs = keras.Input((8, 8, 1))
    outputs = keras.layers.Dense(3)(keras.layers.Flatten()(inputs))
    keras.Model(inputs, outputs).save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match="one of this package's networks"):
        open_source(tmp_path / "other.keras")
