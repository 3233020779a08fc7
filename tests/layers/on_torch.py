"""The layers on Keras' torch backend; test_torch_backend.py runs this file."""

import keras
import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import keras_regnet
from keras_regnet.layers import (
    BatchNormalization,
    ConvNormActivation,
    GroupedConv2D,
    ResBasicBlock,
    XBlock,
    YBlock,
)
from tests.layers import reference

SMALL = {"depth": 3, "w0": 16, "wa": 24, "wm": 2.5, "group_width": 8}


def randomised(layer, shape):
    layer.build(shape)
    rng = np.random.default_rng(1)
    for variable in layer.variables:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return layer


def images(shape, dtype="float32", seed=0):
    values = np.random.default_rng(seed).normal(1, 2, shape)
    return keras.ops.convert_to_tensor(values, dtype)


def numpy(*values):
    return [keras.ops.convert_to_numpy(keras.ops.cast(v, "float64")) for v in values]


@pytest.mark.parametrize("padding", ["symmetric", "same", "valid"])
@pytest.mark.parametrize(
    ("kernel", "strides", "dilation"), [(3, 1, 1), (3, 2, 1), (3, 1, 2), (1, 2, 1)]
)
@pytest.mark.parametrize("size", [8, 9])
def test_convolutions_are_those_of_keras(padding, kernel, strides, dilation, size):
    arguments = {"strides": strides, "dilation_rate": dilation, "groups": 3}
    ours = GroupedConv2D(12, kernel, padding=padding, **arguments)
    randomised(ours, (2, size, size + 2, 6))
    x = images((2, size, size + 2, 6)).requires_grad_()
    padded = x
    if padding == "symmetric":
        pad = dilation * (kernel - 1) // 2
        padded = torch.nn.functional.pad(x, (0, 0, pad, pad, pad, pad))
    expected = keras.ops.conv(
        padded,
        ours.kernel,
        strides,
        "valid" if padding == "symmetric" else padding,
        "channels_last",
        dilation,
    )
    expected = expected + ours.bias.value
    outputs = ours(x)
    assert tuple(outputs.shape) == ours.compute_output_shape(tuple(x.shape))
    weights = images(outputs.shape, seed=2)
    wanted = [x, ours.kernel.value, ours.bias.value]
    found = torch.autograd.grad((outputs * weights).sum(), wanted)
    right = torch.autograd.grad((expected * weights).sum(), wanted)
    for mine, theirs in zip((outputs, *found), (expected, *right), strict=True):
        np.testing.assert_allclose(*numpy(mine, theirs), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(4, 5, 6, 3), (2, 1, 1, 5), (1, 1, 1, 4)])
def test_batch_statistics_equal_the_definition(shape):
    layer = randomised(BatchNormalization(), shape)
    x = images(shape)
    gamma, beta, old_mean, old_variance = numpy(*layer.variables)
    expected, mean, variance = reference.batch_norm(
        *numpy(x), gamma, beta, 1e-5, (0, 1, 2)
    )
    tolerance = {"rtol": 1e-4, "atol": 1e-3 if shape[0] == 1 else 1e-4}
    np.testing.assert_allclose(*numpy(layer(x, training=True)), expected, **tolerance)
    found = numpy(layer.moving_mean, layer.moving_variance)
    np.testing.assert_allclose(found[0], 0.9 * old_mean + 0.1 * mean, 1e-5)
    np.testing.assert_allclose(found[1], 0.9 * old_variance + 0.1 * variance, 1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64", "mixed_bfloat16"])
@pytest.mark.parametrize("arguments", [{}, {"scale": False}, {"center": False}])
@pytest.mark.parametrize("training", [True, False])
def test_torch_s_kernel_and_the_general_way_agree(
    dtype, arguments, training, monkeypatch
):
    results = []
    for general in (False, True):
        layer = randomised(BatchNormalization(dtype=dtype, **arguments), (8, 4, 4, 6))
        if general:
            monkeypatch.setattr(layer, "_fused_kernel_applies", lambda *_: False)
        x = images((8, 4, 4, 6), layer.compute_dtype).requires_grad_()
        outputs = layer(x, training=training)
        assert keras.backend.standardize_dtype(outputs.dtype) == layer.compute_dtype
        loss = (outputs.to(torch.float64) * images(x.shape, "float64", 2)).sum()
        wanted = [x, *(v.value for v in layer.trainable_variables)]
        gradients = torch.autograd.grad(loss, wanted)
        results.append(
            numpy(outputs, *gradients, layer.moving_mean, layer.moving_variance)
        )
    tolerance = 0.03 if "bfloat16" in dtype else 2e-5
    for ours, theirs in zip(*results, strict=True):
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(ours, theirs, tolerance, tolerance * scale)


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_values_leave_finite_statistics(rows):
    layer = randomised(BatchNormalization(), (None, 1, 1, 2))
    before = numpy(layer.moving_mean, layer.moving_variance)
    layer(images((rows, 1, 1, 2)), training=True)
    after = numpy(layer.moving_mean, layer.moving_variance)
    assert np.isfinite(after).all()
    assert np.array_equal(before, after) == (rows == 0)


def test_statistics_stay_where_they_are_not_to_be_learnt():
    layer = randomised(BatchNormalization(), (4, 5, 6, 3))
    before = numpy(*layer.variables)
    x = images((4, 5, 6, 3))
    # Keras' stateless calls give the new values back, and change no variable.
    state = [[v.value for v in vs] for vs in (layer.trainable_variables,)]
    state.append([v.value for v in layer.non_trainable_variables])
    _, (mean, _) = layer.stateless_call(*state, x, training=True)
    assert not np.allclose(*numpy(mean), before[2])
    layer.trainable = False
    np.testing.assert_array_equal(
        *numpy(layer(x, training=True), layer(x, training=False))
    )
    for old, new in zip(before, numpy(*layer.variables), strict=True):
        np.testing.assert_array_equal(old, new)


BLOCKS = {
    "wide maps": (ConvNormActivation(16, 3, strides=2, groups=4), 9),
    "small maps": (ConvNormActivation(16, 3, groups=2), 1),
    "another activation": (ConvNormActivation(16, activation="swish"), 9),
    "X": (XBlock(24, 8, strides=2, stochastic_depth=0.5), 9),
    "Y": (YBlock(12, 4), 9),
    "basic": (ResBasicBlock(12), 3),
}


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("training", [True, False])
def test_units_are_the_sum_of_their_layers(name, training, monkeypatch):
    """ReLU in place, and normalisation in the kernel, change no number."""
    layer, size = BLOCKS[name]
    results = []
    for apart in (False, True):
        layer = type(layer).from_config(layer.get_config())
        keras.utils.set_random_seed(0)
        randomised(layer, (3, size, size, 12))
        if apart:
            monkeypatch.setattr(ConvNormActivation, "_call_torch", one_by_one)
        x = images((3, size, size, 12)).requires_grad_()
        keras.utils.set_random_seed(1)
        outputs = layer(x, training=training)
        wanted = [x, *(v.value for v in layer.trainable_variables)]
        gradients = torch.autograd.grad((outputs**2).sum(), wanted)
        results.append(
            numpy(
                outputs, *gradients, *(v.value for v in layer.non_trainable_variables)
            )
        )
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, 1e-4, 1e-4 * np.abs(theirs).max())


def one_by_one(self, inputs, training):
    outputs = self.conv(inputs)
    return self.activation(self.bn(outputs, training=training))


class Copies(TorchDispatchMode):
    """The operations on tensors of maps, and which of them only copy."""

    def __init__(self, size):
        super().__init__()
        self.size = size
        self.found = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        outputs = result if isinstance(result, (tuple, list)) else (result,)
        sizes = [t.numel() for t in outputs if isinstance(t, torch.Tensor)]
        if max(sizes, default=0) >= self.size:
            self.found.append(function.overloadpacket.__name__)
        return result


@pytest.mark.parametrize("training", [True, False])
def test_no_map_is_copied(training):
    layer = randomised(YBlock(16, 8, strides=2), (4, 16, 16, 16))
    x = images((4, 16, 16, 16)).requires_grad_(training)
    with Copies(4 * 8 * 8 * 16) as counted, torch.set_grad_enabled(training):
        outputs = layer(x, training=training)
        if training:
            outputs.backward(torch.ones_like(outputs))
    kinds = counted.found
    assert kinds.count("convolution") == 4
    assert kinds.count("native_batch_norm") == (4 if training else 0)
    assert not {"copy_", "clone", "_to_copy", "constant_pad_nd"} & set(kinds), kinds


def test_networks_of_any_size_build_and_run():
    model = keras_regnet.RegNetY(
        **SMALL, include_top=False, input_shape=(None, None, 3), stochastic_depth=0.2
    )
    assert model.output_shape == (None, None, None, model.output_shape[-1])
    for size in (32, 45):
        assert model(images((2, size, size, 3))).shape[1] == -(-size // 16)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float64"])
def test_other_precisions(policy):
    model = keras_regnet.RegNetX(
        **SMALL, input_shape=(32, 32, 3), classes=3, dtype=policy
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = numpy(images((4, 32, 32, 3)))[0], np.arange(4) % 3
    losses = model.fit(x, y, epochs=5, verbose=0).history["loss"]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]


@pytest.mark.parametrize("nesterov", [True, False])
def test_the_optimizer_in_place_is_the_stateless_one(nesterov):
    settings = {"nesterov": nesterov, "weight_decay": 0.1, "norm_weight_decay": 0.0}
    settings["learning_rate_factors"] = {"x/conv2": 0.5}
    layer = randomised(XBlock(8, 4, name="x"), (2, 4, 4, 8))
    optimizer = keras_regnet.optimizers.SGD(0.3, **settings)
    optimizer.build(layer.trainable_variables)
    for _ in range(2):
        gradients = [images(v.shape, seed=3) for v in layer.trainable_variables]
        state = [v.value for v in optimizer.variables]
        weights = [v.value for v in layer.trainable_variables]
        before = numpy(*weights, *state)
        weights, state = optimizer.stateless_apply(state, gradients, weights)
        now = numpy(*layer.trainable_variables, *optimizer.variables)
        for old, new in zip(before, now, strict=True):
            np.testing.assert_array_equal(old, new)
        optimizer.apply(gradients, layer.trainable_variables)
        now = numpy(*layer.trainable_variables, *optimizer.variables)
        for wanted, new in zip(numpy(*weights, *state), now, strict=True):
            np.testing.assert_allclose(new, wanted, rtol=1e-5, atol=1e-5)


def test_a_compiled_training_step_is_refused_by_name():
    inputs = keras.Input((8, 8, 8))
    outputs = keras.layers.GlobalAveragePooling2D()(XBlock(8, 4)(inputs))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse", jit_compile=True)
    with pytest.raises(ValueError, match="Train with jit_compile=False"):
        model.fit(np.zeros((2, 8, 8, 8)), np.zeros((2, 8)), verbose=0)
