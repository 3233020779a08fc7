import keras
import numpy as np
import pytest

from keras_regnet.layers import GroupedConv2D
from tests.layers import reference

pytestmark = pytest.mark.kernels

# channels, filters, groups: one group, groups below, at and above the merged width,
# a number of groups that the merging does not divide, more filters than channels
SHAPES = [(6, 4, 1), (24, 24, 3), (40, 40, 5), (66, 66, 2), (96, 48, 3), (16, 32, 8)]


def layer_and_input(channels, filters, groups, size=7, dtype="float32", **arguments):
    layer = GroupedConv2D(filters, 3, groups=groups, dtype=dtype, **arguments)
    images = np.random.default_rng(0).normal(size=(2, size, size + 2, channels))
    layer.build(images.shape)
    return layer, images.astype(dtype)


@pytest.mark.parametrize(("channels", "filters", "groups"), SHAPES)
@pytest.mark.parametrize("stride", [1, 2])
def test_equals_the_definition(channels, filters, groups, stride):
    layer, images = layer_and_input(channels, filters, groups, strides=stride)
    expected = reference.convolution(images, layer.kernel.numpy(), stride, 1)
    expected += layer.bias.numpy()
    outputs = layer(images)
    assert outputs.shape == layer.compute_output_shape(images.shape)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)


def test_dilation_equals_the_definition():
    layer, images = layer_and_input(24, 24, 3, size=9, dilation_rate=2)
    expected = reference.convolution(images, layer.kernel.numpy(), 1, 2, dilation=2)
    np.testing.assert_allclose(layer(images), expected, rtol=1e-4, atol=1e-4)


def test_weights_are_those_of_keras_conv2d():
    ours, images = layer_and_input(24, 48, 3, padding="same")
    theirs = keras.layers.Conv2D(48, 3, groups=3, padding="same")
    theirs.build(images.shape)
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(images), theirs(images), rtol=1e-4, atol=1e-4)


def test_stride_2_window_is_centred_on_even_pixels():
    """An impulse at an even pixel comes out through the middle of the kernel."""
    layer = GroupedConv2D(2, 3, strides=2, groups=2, use_bias=False)
    layer.build((1, 8, 8, 2))
    kernel = np.arange(18).reshape(3, 3, 1, 2).astype("float32")
    layer.kernel.assign(kernel)
    image = np.zeros((1, 8, 8, 2), "float32")
    image[0, 4, 2] = 1
    outputs = np.asarray(layer(image))
    assert outputs.shape == (1, 4, 4, 2)
    expected = np.zeros((1, 4, 4, 2))
    expected[0, 2, 1] = kernel[1, 1, 0]
    np.testing.assert_array_equal(outputs, expected)


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_keras_paddings_are_keras_own(padding):
    ours, images = layer_and_input(24, 24, 3, strides=2, padding=padding)
    theirs = keras.layers.Conv2D(24, 3, strides=2, groups=3, padding=padding)
    theirs.build(images.shape)
    theirs.set_weights(ours.get_weights())
    assert ours.compute_output_shape(images.shape) == theirs(images).shape
    np.testing.assert_allclose(ours(images), theirs(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"padding": "reflect"}, "padding='reflect'"),
        ({"data_format": "channels_first"}, "data_format='channels_first'"),
        ({"groups": 5}, "groups"),
    ],
)
def test_impossible_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        GroupedConv2D(24, 3, **arguments)


def test_input_smaller_than_the_kernel_is_named():
    layer = GroupedConv2D(4, 3, padding="valid")
    with pytest.raises(ValueError, match="smaller than the 3-pixel kernel"):
        layer.build((1, 2, 2, 4))
