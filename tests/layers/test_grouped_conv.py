import functools
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.layers import GroupedConv2D
from keras_regnet.layers import grouped_conv_tensorflow as kernel_file
from keras_regnet.layers.grouped_conv_portable import portable_grouped_convolution
from tests.layers import reference

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


@pytest.mark.parametrize(("channels", "filters", "groups"), SHAPES)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [7, 8])
def test_all_forms_have_the_same_gradients(channels, filters, groups, stride, size):
    layer, images = layer_and_input(
        channels, filters, groups, size=size, strides=stride
    )
    images = tf.constant(images)
    kernel = tf.constant(layer.kernel.numpy())
    padding = "SAME" if stride == 1 else "VALID"
    results = []
    for function in (
        kernel_file.native_grouped_convolution,
        portable_grouped_convolution,
        functools.partial(portable_grouped_convolution, compiled_by_xla=True),
    ):
        with tf.GradientTape() as tape:
            tape.watch([images, kernel])
            outputs = function(
                images, kernel, (stride, stride), padding.lower(), (1, 1)
            )
            loss = tf.reduce_sum(tf.sin(outputs))
        results.append([outputs, *tape.gradient(loss, [images, kernel])])
    for native, portable, compiled in zip(*results, strict=True):
        np.testing.assert_allclose(native, portable, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(native, compiled, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("form", "convolutions"), [("native", 1), ("inference", 1), ("portable", 2)]
)
def test_form_can_be_chosen_for_another_place(form, convolutions):
    layer, images = layer_and_input(64, 64, 4)
    expected = layer(images)
    layer.form = form
    traced = tf.function(layer).get_concrete_function(tf.TensorSpec(images.shape))
    kinds = [operation.type for operation in traced.graph.get_operations()]
    assert kinds.count("Conv2D") == convolutions
    np.testing.assert_allclose(traced(images), expected, rtol=1e-5, atol=1e-5)


_STRIDED = """
import numpy as np, tensorflow as tf
from keras_regnet.layers import GroupedConv2D
for channels in (4, 8, 12):
    layer = GroupedConv2D(16, 1, strides=2, use_bias=False)
    images = tf.random.normal((61, 48, 48, channels))
    layer.build(images.shape)
    with tf.GradientTape() as tape:
        outputs = layer(images)
    upstream = images[:, ::2, ::2, :1] * tf.ones((16,))
    gradient = tape.gradient(outputs, layer.kernel.value, upstream)
    pixels = tf.reshape(images[:, ::2, ::2], (-1, channels))
    expected = tf.matmul(pixels, tf.reshape(upstream, (-1, 16)), transpose_a=True)
    np.testing.assert_allclose(gradient[0, 0], expected, rtol=1e-3, atol=0.5)
print("fine")
"""


def test_strided_gradients_of_few_channels_stay_in_their_memory():
    """In a process of its own, which a wrong one would end."""
    done = subprocess.run(
        [sys.executable, "-c", _STRIDED], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.endswith("fine\n")


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


def test_compilation_by_xla_is_recognised():
    seen = []

    def function(x):
        seen.append(kernel_file.inside_xla())
        return x + 1

    tf.function(function)(1.0)
    tf.function(function, jit_compile=True)(1.0)
    inner = tf.function(function)
    tf.function(lambda x: inner(x), jit_compile=True)(2.0)
    assert seen == [False, True, True]
    assert not kernel_file.inside_xla()


def traced_operations(layer, images, **arguments):
    function = tf.function(lambda x: layer(x), **arguments)
    graph = function.get_concrete_function(tf.constant(images)).graph
    return [operation.type for operation in graph.get_operations()]


def test_kernel_suits_the_place():
    layer, images = layer_and_input(40, 40, 5)
    plain = traced_operations(layer, images)
    assert plain.count("Conv2D") == 1
    assert not any("PartitionedCall" in name for name in plain)
    # 5 groups of 8 channels, merged by 4: two convolutions
    compiled = traced_operations(layer, images, jit_compile=True)
    assert compiled.count("Conv2D") == 2
    half = layer_and_input(40, 40, 5, dtype="float64")
    assert traced_operations(*half).count("Conv2D") == 2


def test_xla_computes_the_same():
    layer, images = layer_and_input(40, 40, 5, strides=2)
    compiled = tf.function(lambda x: layer(x), jit_compile=True)(images)
    np.testing.assert_allclose(compiled, layer(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("strides", [1, 2, (1, 2)])
@pytest.mark.parametrize("size", [7, 8])
def test_a_pointwise_convolution_is_a_matrix_product_under_xla(size, strides):
    layer = GroupedConv2D(6, 1, strides=strides)
    images = np.random.default_rng(0).normal(size=(2, size, size + 1, 8))
    images = tf.constant(images.astype("float32"))
    layer.build(images.shape)
    assert traced_operations(layer, images, jit_compile=True).count("Conv2D") == 0
    assert traced_operations(layer, images).count("Conv2D") == 1

    def gradients(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = layer(images)
            loss = tf.reduce_sum(tf.sin(outputs))
        return outputs, *tape.gradient(loss, [images, layer.kernel.value])

    compiled = tf.function(gradients, jit_compile=True)(images)
    for mine, expected in zip(compiled, gradients(images), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-4)


def test_probe_agrees_with_what_is_known_of_this_tensorflow():
    assert kernel_file.cpu_has_native_gradient("float32")
    assert not kernel_file.cpu_has_native_gradient("float64")


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_gradients_in_other_precisions(dtype):
    single, images = layer_and_input(24, 24, 3, strides=2)
    other = GroupedConv2D(24, 3, strides=2, groups=3, dtype=dtype)
    other.build(images.shape)
    other.set_weights(single.get_weights())
    gradients = []
    for layer in (single, other):
        with tf.GradientTape() as tape:
            outputs = tf.cast(layer(images), "float32")
            loss = tf.reduce_sum(outputs * outputs)
        gradients.append(tape.gradient(loss, layer.kernel.value).numpy())
    scale = np.abs(gradients[0]).max()
    np.testing.assert_allclose(*gradients, rtol=0, atol=0.02 * scale)


WITHOUT_ONEDNN = """
import json, sys
import keras, numpy as np, tensorflow as tf
import keras_regnet
from keras_regnet.layers import grouped_conv_tensorflow as kernel_file
from keras_regnet.layers.grouped_conv_portable import portable_grouped_convolution
keras.utils.set_random_seed(3)
model = keras_regnet.RegNetY(depth=3, w0=16, wa=16, wm=2.0, group_width=8,
                             input_shape=(32, 32, 3), classes=4)
rng = np.random.default_rng(0)
x, y = rng.normal(size=(16, 32, 32, 3)).astype("float32"), rng.integers(0, 4, 16)
model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
losses = model.fit(x, y, epochs=3, batch_size=16, shuffle=False,
                   verbose=0).history["loss"]
print(json.dumps({"losses": losses, "outputs": model.predict(x, verbose=0).tolist(),
                  "native": kernel_file.cpu_has_native_gradient("float32")}))
"""


def test_trains_the_same_without_onednn():
    results = []
    for value in ("1", "0"):
        run = subprocess.run(
            [sys.executable, "-c", WITHOUT_ONEDNN],
            env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": value},
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr[-2000:]
        results.append(json.loads(run.stdout))
    with_onednn, without = results
    assert with_onednn["native"]
    assert not without["native"]
    np.testing.assert_allclose(with_onednn["losses"], without["losses"], rtol=1e-3)
    assert with_onednn["losses"][-1] < with_onednn["losses"][0]
    np.testing.assert_allclose(
        with_onednn["outputs"], without["outputs"], rtol=0, atol=2e-3
    )


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
