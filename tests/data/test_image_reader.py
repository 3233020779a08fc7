"""An image reader gives what the network was evaluated on, also inside a graph."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_regnet import RegNetX
from keras_regnet.data import ImageReader
from keras_regnet.preprocessing import PreprocessingSpec, preprocessing_for

SPECIFICATION = PreprocessingSpec(32, 40, "bicubic")
READERS = [
    ImageReader("whole", 20, 24, 3),
    ImageReader("centre_crop", 32, 32, 3, 0.8),
    ImageReader("specification", 32, 32, 3, specification=SPECIFICATION),
    ImageReader("whole", 32, 32, 3, specification=SPECIFICATION, normalized=True),
]


def picture(height=70, width=90, channels=3):
    small = np.random.default_rng(0).uniform(0, 255, (6, 6, channels))
    return tf.cast(tf.image.resize(small, (height, width)), tf.uint8)


@pytest.mark.parametrize("reader", READERS)
def test_bytes_and_pixels_are_read_alike_in_a_graph(reader):
    image = picture()
    traced = tf.function(reader, input_signature=[tf.TensorSpec((), tf.string)])
    read = traced(tf.io.encode_png(image)).numpy()
    assert read.shape == (reader.height, reader.width, 3)
    any_size = tf.TensorSpec((None, None, None, 3), tf.uint8)
    pixels = tf.function(reader.pixels, input_signature=[any_size])
    both = pixels(tf.stack([image, image])).numpy()
    np.testing.assert_array_equal(both[0], read)
    np.testing.assert_array_equal(both[1], read)
    assert (read.max() > 10) != reader.normalized


@pytest.mark.parametrize("reader", READERS)
def test_survives_json(reader):
    assert ImageReader.from_dict(json.loads(json.dumps(reader.to_dict()))) == reader


def test_grey_pictures_become_colours_and_colours_grey():
    grey = tf.io.encode_jpeg(picture(channels=1))
    assert ImageReader("whole", 8, 8, 3)(grey).shape == (8, 8, 3)
    assert ImageReader("whole", 8, 8, 1)(tf.io.encode_jpeg(picture())).shape == (
        8,
        8,
        1,
    )


def network(size, channels=3, **options):
    return RegNetX(
        depth=2, w0=16, wa=16, wm=2, group_width=8, stem="small", classes=3,
        input_shape=(size, size, channels), **options,
    )  # fmt: skip


def test_a_model_says_what_it_needs():
    # Pretrained or large: by the specification. Small and self-normalising: whole.
    large = network(128, include_preprocessing=True)
    reader = ImageReader.for_model(large)
    assert (reader.kind, reader.normalized) == ("specification", False)
    assert reader.specification == preprocessing_for(large).specification
    small = network(28, 1, include_preprocessing=True)
    reader = ImageReader.for_model(small)
    assert (reader.kind, reader.height, reader.channels) == ("whole", 28, 1)
    normalized = network(32, preprocessing=SPECIFICATION)
    reader = ImageReader.for_model(normalized)
    assert (reader.kind, reader.normalized) == ("specification", True)
    expected = preprocessing_for(normalized).layer()(picture())
    np.testing.assert_array_equal(reader.pixels(picture()[None])[0], expected)


def test_what_a_run_knows_counts_more():
    model = network(None, include_preprocessing=True)
    reader = ImageReader.for_model(
        model, centre_cropped=True, crop_fraction=0.5, size=48
    )
    assert (reader.kind, reader.height, reader.crop_fraction) == (
        "centre_crop",
        48,
        0.5,
    )
    assert ImageReader.for_model(model, centre_cropped=False).kind == "whole"


def test_a_model_that_says_nothing():
    inputs = keras.Input((200, 200, 3))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))
    reader = ImageReader.for_model(model)
    assert (reader.kind, reader.normalized) == ("centre_crop", False)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "all"}, "kind must be one of"),
        ({"height": 0}, "height must be a positive integer"),
        ({"kind": "centre_crop", "width": 9}, "square images"),
        ({"crop_fraction": 0}, "crop_fraction must lie above 0"),
        ({"normalized": True}, "A specification for 1 channels is needed"),
    ],
)
def test_impossible_values_are_named(values, message):
    right = {"kind": "whole", "height": 8, "width": 8, "channels": 1}
    with pytest.raises(ValueError, match=message):
        ImageReader(**{**right, **values})
    with pytest.raises(ValueError, match="Received: \\['extra', 'kind'\\]"):
        ImageReader.from_dict({"kind": "whole", "extra": 1})
