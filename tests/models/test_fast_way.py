"""What makes training fast, counted in the graph: an upgrade that undoes it fails here.

Stock `keras.layers.Conv2D(groups=...)` compiles every grouped convolution with XLA, and
stock batch normalisation is a dozen of operations.
"""

import collections
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_regnet
from keras_regnet.layers import ConvNormActivation, GroupedConv2D, XBlock, kernels
from keras_regnet.layers.composite import all_layers

pytestmark = pytest.mark.kernels


def compiled(factory, optimizer=None, **arguments):
    settings = {
        "depth": 3,
        "w0": 16,
        "wa": 12,
        "wm": 2.0,
        "group_width": 8,
        "input_shape": (32, 32, 3),
        "classes": 5,
        "classifier_activation": None,
    }
    model = factory(**(settings | arguments))
    model.compile(
        optimizer or keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def training_graph(model):
    """The graph of the step that `fit` runs, before TensorFlow optimises it."""
    data = (tf.zeros((4, 32, 32, 3)), tf.zeros((4,), tf.int32))
    model.optimizer.build(model.trainable_variables)  # a function may make none
    return tf.function(model.train_step).get_concrete_function(data).graph


def counts(graph):
    definition = graph.as_graph_def()
    found = collections.Counter(node.op for node in definition.node)
    for function in definition.library.function:
        found.update(node.op for node in function.node_def)
        if "_XlaMustCompile" in function.attr:
            assert not function.attr["_XlaMustCompile"].b, function.signature.name
    return found


def expected_convolutions(model):
    """Forward ones; and the functions of which there is one for each geometry."""
    layers = [n for n in all_layers(model) if isinstance(n, GroupedConv2D)]
    if kernels.native_is_right("float32"):
        return len(layers), 0
    found, geometries = 0, set()
    for layer in layers:
        width, filters = layer.kernel.shape[2:]
        geometry = (layer.groups, width, filters, layer.strides)
        if layer.groups == 1:
            found += 1
        elif geometry not in geometries:
            geometries.add(geometry)
            # Slices of 16 channels, or 32 where there are fewer than 32.
            channels = width * layer.groups
            found += math.ceil(channels / (16 if channels >= 32 else 32))
    return found, len(geometries)


@pytest.mark.parametrize("kind", ["x", "y"])
def test_a_step_of_fit_has_one_kernel_per_layer(kind):
    model = compiled(keras_regnet.RegNetX if kind == "x" else keras_regnet.RegNetY)
    assert model.jit_compile is False
    found = counts(training_graph(model))
    norms = [v for v in model.trainable_variables if v.path.endswith("conv/kernel")]
    squeezes = [v for v in model.trainable_variables if "/fc" in v.path]
    assert len(squeezes) == (12 if kind == "y" else 0)
    convolutions, _ = expected_convolutions(model)
    assert found["Conv2D"] == found["Conv2DBackpropFilter"] == convolutions
    # One of them, for the images, is pruned when the graph runs.
    assert found["Conv2DBackpropInput"] == convolutions
    # Squeeze-and-excitation and the classifier, forward and twice backward.
    assert found["MatMul"] == 3 * (len(squeezes) // 2 + 1)
    assert found["FusedBatchNormV3"] == len(norms)
    assert found["FusedBatchNormGradV3"] == len(norms)
    assert found["Transpose"] == 0
    # No other normalisation beside the fused one; the mean of the loss is a Sum.
    assert found["Sqrt"] == found["SquaredDifference"] == 0
    # The strided native convolutions are padded, nothing else is.
    strided = [b for b in model.layers if isinstance(b, XBlock) and b.strides == 2]
    native = kernels.native_is_right("float32")
    assert found["Pad"] == (len(strided) if native else 0)


def test_with_our_optimizer_little_else_is_computed():
    """An operation for each variable, and per layer two statistics that are set."""
    model = compiled(keras_regnet.RegNetX, keras_regnet.optimizers.SGD(0.1))
    graph = training_graph(model)
    found = counts(graph)
    assert found["ResourceApplyMomentum"] == len(model.trainable_variables)
    assert found["AssignSubVariableOp"] == 0
    norms = [v for v in model.trainable_variables if v.path.endswith("conv/kernel")]
    fused = [o for o in graph.get_operations() if o.type == "FusedBatchNormV3"]
    assert len(fused) == len(norms)
    for operation in fused:
        factor = operation.get_attr("exponential_avg_factor")
        assert factor == pytest.approx(0.1)
        for statistic in operation.outputs[1:3]:
            (reader,) = statistic.consumers()
            assert reader.type == "StopGradient"  # which costs nothing
            assert [o.type for o in reader.outputs[0].consumers()] == [
                "AssignVariableOp"
            ]


def test_bfloat16_normalises_in_float32_where_its_kernel_is_slow():
    """Channels that are no multiple of 16: oneDNN has no vectorised bfloat16 kernel."""
    model = compiled(keras_regnet.RegNetX, w0=24, dtype="mixed_bfloat16")
    fused = [
        operation
        for operation in training_graph(model).get_operations()
        if operation.type == "FusedBatchNormV3"
    ]
    kinds = {(o.inputs[0].shape[-1] % 16, o.get_attr("T")) for o in fused}
    widths = {operation.inputs[0].shape[-1] for operation in fused}
    assert {width % 16 == 0 for width in widths} == {True, False}, widths
    assert kinds == {(0, tf.bfloat16), (8, tf.float32)}


def test_the_count_sees_what_stock_layers_do():
    inputs = keras.Input((16, 16, 8))
    outputs = keras.layers.Conv2D(8, 3, groups=2)(inputs)
    outputs = keras.layers.GlobalAveragePooling2D()(outputs)
    model = keras.Model(inputs, outputs)
    graph = (
        tf.function(model).get_concrete_function(tf.TensorSpec((1, 16, 16, 8))).graph
    )
    with pytest.raises(AssertionError, match="conv"):
        counts(graph)


@pytest.mark.long
def test_without_xla_the_numbers_are_those_of_the_default_under_it():
    plain, jit = (compiled(keras_regnet.RegNetX, depth=2) for _ in range(2))
    jit.set_weights(plain.get_weights())
    jit.compile(
        keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
    )
    rng = np.random.default_rng(0)
    data = rng.normal(size=(8, 32, 32, 3)).astype("float32"), rng.integers(0, 5, 8)
    losses = [
        model.fit(*data, batch_size=8, epochs=4, shuffle=False, verbose=0).history[
            "loss"
        ]
        for model in (plain, jit)
    ]
    np.testing.assert_allclose(*losses, rtol=2e-3)


def test_inference_has_one_kernel_per_layer_and_no_training_statistics():
    model = compiled(keras_regnet.RegNetX)
    graph = (
        tf.function(lambda x: model(x, training=False))
        .get_concrete_function(tf.zeros((1, 32, 32, 3)))
        .graph
    )
    found = counts(graph)
    norms = [v for v in model.trainable_variables if v.path.endswith("conv/kernel")]
    convolutions, functions = expected_convolutions(model)
    assert found["Conv2D"] == convolutions
    assert found["Sqrt"] > 0  # where the kernel is scaled instead of the outputs
    assert found["FusedBatchNormV3"] == len(norms) - found["Sqrt"] > 0
    assert found["PartitionedCall"] >= functions
    assert found["AssignVariableOp"] == found["Transpose"] == 0
    for operation in graph.get_operations():  # oneDNN's fusion of the two is a trap
        if operation.type == "FusedBatchNormV3":
            before = operation.inputs[0].op
            while before.type == "IdentityN":  # of a gradient of our own
                before = before.inputs[0].op
            assert before.type != "Conv2D"


@pytest.mark.parametrize("size", [32, None], ids=["folded", "apart"])
def test_inference_is_convolution_and_normalisation_with_their_gradients(size):
    model = keras_regnet.RegNetX(
        depth=3, w0=16, wa=12, wm=2.0, group_width=8, input_shape=(size, size, 3)
    )
    rng = np.random.default_rng(0)
    for variable in model.variables:  # random statistics, scales and shifts as well
        variable.assign(variable + rng.uniform(0, 0.5, variable.shape))
    same = keras.Model(model.inputs, model.outputs)
    images = tf.constant(rng.normal(size=(2, 32, 32, 3)), tf.float32)

    def run():
        with tf.GradientTape() as tape:
            outputs = model(images, training=False)
            loss = tf.reduce_sum(outputs[:, 0])
        return outputs, tape.gradient(loss, same.trainable_variables)

    found = tf.function(run)()
    for layer in all_layers(model):
        if isinstance(layer, ConvNormActivation):
            layer._runs_folded = lambda training: False
    expected = tf.function(run)()
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-4)
    for one, other in zip(found[1], expected[1], strict=True):
        scale = np.abs(other).max()
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-4 * scale)
