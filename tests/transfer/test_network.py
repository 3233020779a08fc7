"""The network for new images and classes, with the body of another."""

import dataclasses

import keras
import numpy as np
import pytest

from keras_regnet.transfer import new_network, open_source
from tests.transfer import small


def features(network, images):
    body = keras.Model(network.inputs, network.get_layer("avg_pool").output)
    return body.predict(images, verbose=0)


def source(tmp_path, **options):
    return open_source(small.saved(tmp_path, **options))


def test_the_body_is_the_sources_and_the_head_is_new(tmp_path):
    found = source(tmp_path)
    network = new_network(found, (8, 8, 1), 7, resize_size=9)
    for variable in network.weights:
        if variable.path.startswith("head_fc"):
            assert variable.shape[-1] == 7
        else:
            np.testing.assert_array_equal(variable, found.body[variable.path])
    assert network.get_layer("head_fc").kernel.numpy().std() == pytest.approx(
        0.01, rel=0.3
    )
    images = np.random.default_rng(0).uniform(0, 255, (3, 8, 8, 1)).astype("float32")
    np.testing.assert_array_equal(
        features(network, images), features(found.model, images)
    )
    np.testing.assert_allclose(network(images).numpy().sum(-1), 1, rtol=1e-6)
    specification = network.get_layer("preprocessing").specification
    assert (specification.image_size, specification.resize_size) == (8, 9)
    assert (
        specification.mean == found.model.get_layer("preprocessing").specification.mean
    )


def test_from_scratch_the_body_is_new(tmp_path):
    found = source(tmp_path)
    network = new_network(found, (8, 8, 1), 5, pretrained=False)
    kernel = network.get_layer("stem").weights[0]
    assert not np.array_equal(kernel, found.body[kernel.path])
    assert not network.get_layer("stem").weights[-1].numpy().std()  # variances of 1


def test_another_size(tmp_path):
    network = new_network(source(tmp_path), (24, 16, 1), 3)
    assert network.input_shape == (None, 24, 16, 1)
    with pytest.raises(ValueError, match="at least 2 pixels"):
        new_network(source(tmp_path), (1, 1, 1), 3)


def test_a_grey_picture_in_three_channels_is_what_it_was_in_one(tmp_path):
    found = source(tmp_path)
    network = new_network(found, (8, 8, 3), 5)
    grey = np.random.default_rng(0).uniform(0, 255, (3, 8, 8, 1)).astype("float32")
    np.testing.assert_allclose(
        features(network, np.repeat(grey, 3, -1)),
        features(found.model, grey),
        rtol=1e-4,
        atol=1e-5,
    )


def test_a_network_for_colours_made_one_for_grey(tmp_path):
    found = source(tmp_path, channels=3)
    network = new_network(found, (8, 8, 1), 5)
    np.testing.assert_allclose(
        network.get_layer("stem").weights[0].numpy()[..., 0, :],
        found.body["stem/conv/kernel"].numpy().sum(2),
        rtol=1e-5,
        atol=1e-7,
    )
    assert len(network.get_layer("preprocessing").specification.mean) == 1


def test_channels_that_cannot_be_adapted(tmp_path):
    found = source(tmp_path, channels=2)
    with pytest.raises(ValueError, match=r"of 2 channels; .* Received: images of 3"):
        new_network(found, (8, 8, 3), 5)


def test_weights_that_do_not_fit_are_named(tmp_path):
    found = source(tmp_path)
    wide = dataclasses.replace(small.PARAMETERS, stem_width=16)
    with pytest.raises(ValueError, match=r"for stem/conv/kernel. Received: shape .*8"):
        new_network(dataclasses.replace(found, parameters=wide), (8, 8, 1), 5)
    short = dataclasses.replace(small.PARAMETERS, stages=small.PARAMETERS.stages[:1])
    with pytest.raises(ValueError, match=r"has no place. Received: \['s2_b1"):
        new_network(dataclasses.replace(found, parameters=short), (8, 8, 1), 5)
