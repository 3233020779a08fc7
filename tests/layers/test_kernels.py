"""The kernels of convolution: which is chosen where, and that all compute the same."""

import os
import platform

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.layers import BatchNormalization, GroupedConv2D, kernels
from tests import fork_server
from tests.layers.test_grouped_conv import SHAPES, layer_and_input

pytestmark = pytest.mark.kernels

ONEDNN = os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "1"
X86 = platform.machine() in ("x86_64", "AMD64")


@pytest.fixture(autouse=True)
def on_the_cpu():
    """Also on a machine with a GPU."""
    with tf.device("/CPU:0"):
        yield


def results(function, images, kernel):
    """Outputs of a function of images and a kernel, and both gradients."""
    with tf.GradientTape() as tape:
        tape.watch([images, kernel])
        outputs = function(images, kernel)
        loss = tf.reduce_sum(tf.sin(outputs))
    return [outputs, *tape.gradient(loss, [images, kernel])]


@pytest.mark.parametrize(("channels", "filters", "groups"), SHAPES)
@pytest.mark.parametrize(
    ("size", "stride", "padding", "dilation"),
    [
        (8, 1, "same", 1),
        (7, 1, (2, 2), 2),
        *((size, 2, way, 1) for size in (7, 8) for way in ("same", "valid", (1, 1))),
    ],
)
def test_all_kernels_have_the_same_gradients(
    channels, filters, groups, stride, padding, dilation, size
):
    layer, images = layer_and_input(channels, filters, groups, size=size)
    images, kernel = tf.constant(images), tf.constant(layer.kernel.numpy())
    arguments = ((stride, stride), padding, (dilation, dilation))
    functions = [kernels.sliced_convolution, kernels.sliced_convolution_by_keras]
    if kernels.cpu_has_native_gradient("float32"):
        functions.append(kernels.native_convolution)
    # One group's convolution after the other, of which TensorFlow knows the gradient.
    plain = kernels._plain_convolution

    def one_by_one(images, kernel):
        parts = zip(
            tf.split(images, groups, 3), tf.split(kernel, groups, 3), strict=True
        )
        return tf.concat([plain(a, b, *arguments) for a, b in parts], 3)

    expected = results(one_by_one, images, kernel)
    for function in functions:
        found = results(lambda *x, f=function: f(*x, *arguments), images, kernel)
        assert found[0].shape == expected[0].shape
        for mine, right in zip(found, expected, strict=True):
            np.testing.assert_allclose(mine, right, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("padding", ["same", "valid", (0, 0), (1, 1)])
@pytest.mark.parametrize("filters", [kernels.MIN_PRODUCT_CHANNELS, 160])
def test_wide_pointwise_gradients_are_the_convolutions_own(padding, filters):
    channels = kernels.MIN_PRODUCT_CHANNELS
    images = tf.random.stateless_normal((2, 5, 6, channels), seed=(0, 1))
    kernel = tf.random.stateless_normal((1, 1, channels, filters), seed=(0, 2))
    pads = [[0, 0], *[[each] * 2 for each in padding], [0, 0]]
    pads = pads if isinstance(padding, tuple) else padding.upper()
    own = results(lambda a, b: tf.nn.conv2d(a, b, 1, pads), images, kernel)
    arguments = ((1, 1), padding)

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, channels))])
    def traced(images):
        return results(
            lambda a, b: kernels.convolution(a, b, *arguments), images, kernel
        )

    for mine, right in zip(traced(images), own, strict=True):
        np.testing.assert_allclose(mine, right, rtol=1e-4, atol=1e-4)
    kinds = [
        each.type for each in traced.get_concrete_function().graph.get_operations()
    ]
    assert ("Conv2DBackpropFilter" in kinds) == (padding == (1, 1))


def test_shapes_are_known_where_the_images_are():
    """In a graph, too, where the functions that layers share know no sizes."""
    layer, _ = layer_and_input(40, 40, 5, strides=2)
    layer.form = "portable"
    for size, expected in ((9, 5), (None, None)):
        spec = tf.TensorSpec((None, size, size, 40))
        traced = tf.function(layer).get_concrete_function(spec)
        assert traced.outputs[0].shape.as_list() == [None, expected, expected, 40]
        assert traced(tf.zeros((3, 9, 9, 40))).shape == (3, 5, 5, 40)


def test_equal_layers_share_their_functions():
    layers = [layer_and_input(40, 40, 5)[0] for _ in range(3)]
    for layer in layers:
        layer.form = "portable"

    @tf.function
    def gradients(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = images
            for layer in layers:
                outputs = layer(outputs)
        return tape.gradient(outputs, images)

    graph = gradients.get_concrete_function(tf.TensorSpec((2, 8, 8, 40))).graph
    calls = [o for o in graph.get_operations() if o.type.endswith("PartitionedCall")]
    assert len(calls) == 6
    assert len({call.get_attr("f").name for call in calls}) == 2


@pytest.mark.parametrize("form", ["native", "inference", "portable"])
def test_form_can_be_chosen_for_another_place(form):
    layer, images = layer_and_input(64, 64, 4)
    expected = layer(images)
    layer.form = form
    traced = tf.function(layer).get_concrete_function(tf.TensorSpec(images.shape))
    kinds = [operation.type for operation in traced.graph.get_operations()]
    assert kinds.count("Conv2D") == (0 if form == "portable" else 1)
    assert kinds.count("PartitionedCall") == (1 if form == "portable" else 0)
    if form != "inference" or kernels.cpu_has_native_gradient("float32"):
        np.testing.assert_allclose(traced(images), expected, rtol=1e-5, atol=1e-5)


def test_an_unknown_form_is_named():
    layer, images = layer_and_input(64, 64, 4)
    layer.form = "nativ"
    with pytest.raises(ValueError, match="Received: implementation='nativ'"):
        layer(images)


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


@pytest.mark.long
def test_strided_gradients_of_few_channels_stay_in_their_memory():
    """In a process of its own, which a wrong one would end."""
    done = fork_server.run(["-c", _STRIDED])
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.endswith("fine\n")


def test_compilation_by_xla_is_recognised():
    seen = []

    def function(x):
        seen.append(kernels.inside_xla())
        return x + 1

    tf.function(function)(1.0)
    tf.function(function, jit_compile=True)(1.0)
    inner = tf.function(function)
    tf.function(lambda x: inner(x), jit_compile=True)(2.0)
    assert seen == [False, True, True]
    assert not kernels.inside_xla()


def traced_operations(layer, images, **arguments):
    function = tf.function(lambda x: layer(x), **arguments)
    graph = function.get_concrete_function(tf.constant(images)).graph
    return [operation.type for operation in graph.get_operations()]


def test_kernel_suits_the_place():
    layer, images = layer_and_input(40, 40, 5)
    native = kernels.cpu_has_native_gradient("float32")
    plain = traced_operations(layer, images)
    assert plain.count("Conv2D") == (1 if native else 0)
    assert plain.count("PartitionedCall") == (0 if native else 1)
    # 5 groups of 8 channels, merged by 4: two convolutions
    compiled = traced_operations(layer, images, jit_compile=True)
    assert compiled.count("Conv2D") == 2
    double = layer_and_input(40, 40, 5, dtype="float64")
    assert traced_operations(*double).count("PartitionedCall") == 1


def test_the_device_decides_and_not_what_the_machine_has(monkeypatch):
    """A computation on the CPU of a machine with a GPU takes the CPU's kernels."""
    monkeypatch.setattr(kernels, "_device_outside_graphs", lambda: "/device:GPU:0")
    monkeypatch.setattr(kernels, "cpu_has_native_gradient", lambda dtype: False)
    layer, images = layer_and_input(40, 40, 5)
    norm = BatchNormalization(dtype="mixed_bfloat16")
    norm.build((None, None, None, 40))
    kinds = {}
    for device in ("/CPU:0", "/GPU:0", "/job:localhost/task:0/device:CPU:1", None):

        def function(images, device=device):
            with tf.device(device):
                seen = kernels.device_type(), kernels.inside_xla_on_cpu()
                kinds[device] = [seen[0]]
                outputs = norm(layer(images), training=True)
            return tf.cast(outputs, tf.float32)

        graph = tf.function(function).get_concrete_function(tf.constant(images)).graph
        names = [operation.type for operation in graph.get_operations()]
        (fused,) = (o for o in graph.get_operations() if "FusedBatchNorm" in o.type)
        kinds[device] += [names.count("Conv2D"), fused.get_attr("T").name]
    on_cpu, on_gpu = ["CPU", 0, "float32"], ["GPU", 1, "bfloat16"]
    assert kinds == {
        "/CPU:0": on_cpu,
        "/GPU:0": on_gpu,
        "/job:localhost/task:0/device:CPU:1": on_cpu,
        None: on_gpu,
    }


def test_a_device_around_a_graph_function_counts():
    seen = []

    @tf.function
    def outer(x):
        return tf.function(
            lambda x: seen.append(kernels._device_outside_graphs()) or x
        )(x)

    with tf.device("/CPU:1"):
        outer(1.0)
    assert seen[0].endswith("device:CPU:1")
    assert kernels.device_type() == "CPU" or tf.config.get_visible_devices("GPU")


def test_the_native_kernel_is_never_fused():
    """TensorFlow's optimizer would; without oneDNN the fused kernel refuses groups."""
    layer, images = layer_and_input(40, 40, 5)
    expected = tf.nn.relu(layer(images) + 1.0)
    layer.form = "native"
    found = tf.function(lambda x: tf.nn.relu(tf.nn.bias_add(layer(x), tf.ones(40))))
    np.testing.assert_allclose(found(images), expected, rtol=1e-4, atol=1e-4)


def test_the_gradient_in_a_saved_model_is_portable(tmp_path):
    """Also of a function that was traced, with the native one, long before."""
    layer, images = layer_and_input(40, 40, 5)
    layer.form = "native"
    saved = []
    question = kernels.being_saved

    def asked():
        saved.append(question())
        return saved[-1]

    module = tf.Module()
    module.weights = [variable.value for variable in layer.weights]
    module.call = tf.function(layer, input_signature=[tf.TensorSpec(images.shape)])

    def gradient(call, images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(call(images)))
        return tape.gradient(loss, module.weights[0])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "being_saved", asked)
        if kernels.cpu_has_native_gradient("float32"):
            gradient(module.call, images)
            assert saved == [False]
        saved.clear()
        tf.saved_model.save(module, str(tmp_path))
    assert saved == [True]
    layer.form = "portable"
    expected = gradient(layer, tf.constant(images))
    module = tf.saved_model.load(str(tmp_path))
    found = gradient(module.call, tf.constant(images))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [7, 8])
def test_xla_computes_the_same(size):
    layer, images = layer_and_input(40, 40, 5, size=size, strides=2)

    def convolve(images, kernel):
        return layer.convolution_op(images, kernel)

    arguments = tf.constant(images), tf.constant(layer.kernel.numpy())
    compiled = tf.function(lambda *x: results(convolve, *x), jit_compile=True)
    for mine, right in zip(
        compiled(*arguments), results(convolve, *arguments), strict=True
    ):
        np.testing.assert_allclose(mine, right, rtol=1e-4, atol=1e-4)


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


@pytest.mark.skipif(not X86, reason="oneDNN is TensorFlow's on x86")
def test_probe_agrees_with_what_is_known_of_this_tensorflow():
    assert kernels.cpu_has_native_gradient("float32") == ONEDNN
    assert not kernels.cpu_has_native_gradient("float64")


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
