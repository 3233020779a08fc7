import functools
import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_regnet
from keras_regnet.architecture import AnyNetParameters, Stage

GOLDEN = Path(__file__).parents[1] / "golden"
SMALL = AnyNetParameters((Stage(1, 16, 2, 8), Stage(2, 24, 2, 8)))


def small(**arguments):
    arguments = {"input_shape": (32, 32, 3), "classes": 5} | arguments
    return keras_regnet.AnyNet(SMALL, **arguments)


@pytest.mark.parametrize(
    "block", ["x", "y", "res_basic", "vanilla"], ids=lambda name: name
)
@pytest.mark.parametrize("stem", ["simple", "small", "resnet"])
def test_the_counter_counts_what_keras_counts(block, stem):
    parameters = AnyNetParameters(
        (Stage(1, 16, 2, 8), Stage(2, 24, 1, 8)),
        block=block,
        squeeze_excite_ratio=0.25 if block == "y" else 0.0,
        stem=stem,
        stem_width=12,
    )
    for include_top in (True, False):
        model = keras_regnet.AnyNet(
            parameters, input_shape=(32, 32, 1), classes=7, include_top=include_top
        )
        counted = keras_regnet.complexity(
            parameters, 32, input_channels=1, classes=7, include_top=include_top
        )
        trainable = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
        assert counted.parameters == trainable
        assert counted.total_parameters == model.count_params()


def graph_multiply_adds(model, shape):
    """Multiply-adds and output values of the convolutions in TensorFlow's own graph."""
    graph = (
        tf.function(lambda x: model(x, training=True))  # statistics apart
        .get_concrete_function(tf.TensorSpec((1, *shape)))
        .graph
    )
    multiply_adds = activations = 0
    for operation in graph.get_operations():
        if operation.type in ("Conv2D", "MatMul"):
            outputs = int(np.prod(operation.outputs[0].shape))
            kernel = operation.inputs[1].shape
            multiply_adds += outputs * int(np.prod(kernel[:-1]))
            activations += outputs
        if operation.type == "BiasAdd":
            multiply_adds += int(np.prod(operation.outputs[0].shape))
    return multiply_adds, activations


@pytest.mark.parametrize("name", ["RegNetX-200MF", "RegNetY-400MF"])
def test_the_counter_counts_what_the_graph_computes(name):
    model = keras_regnet.RegNet(name)
    counted = keras_regnet.complexity(keras_regnet.variant(name))
    multiply_adds, activations = graph_multiply_adds(model, (224, 224, 3))
    assert counted.activations == activations
    # The official count takes the classifier's bias as one multiply-add a class.
    assert counted.multiply_adds == multiply_adds


def test_models_have_the_published_number_of_parameters():
    published = json.loads((GOLDEN / "published.json").read_text())
    for name in ("RegNetX-200MF", "RegNetY-400MF"):
        model = keras_regnet.RegNet(name, input_shape=(64, 64, 3))
        assert model.count_params() == published[name]["total_parameters"]


def test_names_and_paths_are_those_agreed():
    model = small()
    assert [layer.name for layer in model.layers[1:]] == [
        "stem",
        "s1_b1",
        "s2_b1",
        "s2_b2",
        "avg_pool",
        "head_fc",
        "predictions",
    ]
    found = {variable.path for variable in model.variables}
    assert {
        "stem/conv/kernel",
        "s1_b1/conv1/conv/kernel",
        "s2_b1/downsample/bn/moving_variance",
        "head_fc/bias",
    } <= found
    assert model.get_layer("s2_b2").output.shape == (None, 4, 4, 24)


def test_summary_is_short_and_expands():
    model = small()
    lines = []
    model.summary(print_fn=lines.append)
    text = "\n".join(lines)
    assert "s2_b1 (XBlock)" in text
    assert "conv2" not in text
    lines.clear()
    model.summary(print_fn=lines.append, expand_nested=True)
    text = "\n".join(lines)
    assert text.count("conv2 (ConvNormActivation)") == 3
    assert text.count("bn (BatchNormalization)") == 12


@pytest.mark.parametrize("activation", ["softmax", None, "sigmoid"])
def test_classifier_activation_is_applied(activation):
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3))
    outputs = np.asarray(small(classifier_activation=activation)(images))
    logits = small(classifier_activation=None)
    logits.set_weights(small(classifier_activation=activation).get_weights())
    if activation == "softmax":
        np.testing.assert_allclose(outputs.sum(-1), 1, rtol=1e-5)
    elif activation == "sigmoid":
        assert ((outputs > 0) & (outputs < 1)).all()
        assert abs(outputs.sum(-1) - 1).min() > 1e-3
    else:
        assert (outputs < 0).any()


def test_preprocessing_normalises_by_the_standard_deviation():
    plain, full = small(), small(include_preprocessing=True)
    full.set_weights(plain.get_weights())
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3))
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = plain((pixels / 255 - mean) / std)
    np.testing.assert_allclose(full(pixels.astype("float32")), expected, rtol=1e-4)
    np.testing.assert_allclose(
        full.predict(pixels.astype("uint8"), verbose=0), expected, rtol=1e-4
    )


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channel_counts(channels):
    shape = (40, 32, channels)
    model = small(input_shape=shape, include_preprocessing=True)
    assert model(np.zeros((1, *shape))).shape == (1, 5)


@pytest.mark.parametrize("pooling", [None, "avg", "max"])
def test_without_the_classifier(pooling):
    model = small(include_top=False, pooling=pooling)
    expected = (None, 24) if pooling else (None, 4, 4, 24)
    assert model.output_shape == expected
    assert keras_regnet.AnyNet(SMALL, include_top=False).input_shape == (
        None,
        None,
        None,
        3,
    )
    assert keras_regnet.AnyNet(SMALL).input_shape == (None, 224, 224, 3)


def test_feature_maps_are_keyed_by_stride():
    model = keras_regnet.RegNetX(
        "200MF", include_top=False, feature_maps=True, input_shape=(64, 96, 3)
    )
    shapes = {key: tuple(value.shape[1:]) for key, value in model.output.items()}
    assert shapes == {
        "P1": (32, 48, 32),
        "P2": (16, 24, 24),
        "P3": (8, 12, 56),
        "P4": (4, 6, 152),
        "P5": (2, 3, 368),
    }
    same = model.get_layer("s3_b4").output
    assert model.output["P4"] is same


@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_every_nth_pixel_of_a_dilated_map_is_the_strided_one(output_stride):
    arguments = {
        "include_top": False,
        "feature_maps": True,
        "input_shape": (96, 96, 3),
        "depth": 6,
        "w0": 16,
        "wa": 16,
        "wm": 1.8,
        "group_width": 8,
    }
    strided = keras_regnet.RegNetX(**arguments)
    dense = keras_regnet.RegNetX(**arguments, output_stride=output_stride)
    dense.set_weights(strided.get_weights())
    images = np.random.default_rng(0).normal(size=(1, 96, 96, 3)).astype("float32")
    expected, actual = strided(images), dense(images)
    assert list(expected) == ["P1", "P2", "P3", "P4", "P5"]
    *others, deepest = list(expected)[: int(np.log2(output_stride))]
    assert list(actual) == [*others, deepest]  # of two of one stride the deeper one
    for key, value in actual.items():
        assert value.shape[1] == 96 // 2 ** int(key[1])
    for ours, theirs in [*zip(others, others, strict=True), (deepest, "P5")]:
        step = actual[ours].shape[1] // expected[theirs].shape[1]
        np.testing.assert_allclose(
            np.asarray(actual[ours])[:, ::step, ::step],
            expected[theirs],
            rtol=1e-3,
            atol=1e-4,
        )


@pytest.mark.parametrize("stem", ["simple", "small", "resnet"])
@pytest.mark.parametrize("strides", [(3, 2), (3, 4), (1, 3), (5, 1)])
@pytest.mark.parametrize("output_stride", [None, 8])
def test_feature_maps_are_keyed_by_their_true_stride(stem, strides, output_stride):
    stages = tuple(
        keras_regnet.Stage(1, width, stride, 8)
        for width, stride in zip((16, 24), strides, strict=True)
    )
    model = keras_regnet.AnyNet(
        keras_regnet.AnyNetParameters(stages, stem=stem, stem_width=8),
        include_top=False,
        feature_maps=True,
        output_stride=output_stride,
        input_shape=(240, 240, 3),
    )
    # The sizes say the strides: 240 has all of them as divisors.
    found = {key: 240 / value.shape[1] for key, value in model.output.items()}
    powers = {2**power: f"P{power}" for power in range(6)}
    assert found == {
        powers.get(int(stride), f"stride{int(stride)}"): stride
        for stride in found.values()
    }
    stride = {"simple": 2, "small": 1, "resnet": 4}[stem]
    wanted = [stride]
    for each in strides:
        if output_stride and stride * each > output_stride:
            break  # this one and those after it are dilations
        stride *= each
        wanted.append(stride)
    assert sorted(found.values()) == sorted(set(wanted))


@functools.cache
def losses_in_float32():
    return losses_of_training("float32")[1]


def losses_of_training(policy, **arguments):
    keras.utils.set_random_seed(0)
    model = small(dtype=policy, include_preprocessing=True, **arguments)
    keras.utils.set_random_seed(1)
    if not arguments:  # Random numbers of another precision are other numbers.
        model.set_weights(small(include_preprocessing=True).get_weights())
    rng = np.random.default_rng(0)
    images, labels = rng.uniform(0, 255, (32, 32, 32, 3)), rng.integers(0, 5, 32)
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy"
    )
    return model, model.fit(images, labels, epochs=8, verbose=0).history["loss"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("policy", "tolerance"),
    [("mixed_bfloat16", 0.03), ("mixed_float16", 0.01), ("float64", 1e-3)],
)
def test_precisions_train_as_float32_does(policy, tolerance):
    model, losses = losses_of_training(policy)
    half = policy.startswith("mixed")
    expected = "float32" if half else policy
    assert model.get_layer("head_fc").compute_dtype == expected
    assert model.get_layer("predictions").compute_dtype == expected
    assert model.get_layer("s1_b1").conv2.conv.compute_dtype == policy.split("_")[-1]
    single = losses_in_float32()
    assert single[-1] < single[0] - 0.05
    np.testing.assert_allclose(losses, single, rtol=tolerance)


def test_dropout_and_stochastic_depth_act_in_training_only():
    model, losses = losses_of_training(None, dropout=0.5, stochastic_depth=0.5)
    assert np.isfinite(losses).all()
    rates = [model.get_layer(n).stochastic_depth for n in ("s1_b1", "s2_b1", "s2_b2")]
    assert rates == [0.0, 0.25, 0.5]
    assert model.get_layer("head_dropout").rate == 0.5
    images = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3))
    np.testing.assert_array_equal(model(images), model(images))
    first, second = (np.asarray(model(images, training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 1e-3


def test_input_tensor_is_used():
    tensor = keras.Input((48, 48, 3))
    model = small(input_tensor=tensor * 2.0, input_shape=None)
    assert model.input_shape == (None, 48, 48, 3)
    plain = small(input_shape=(48, 48, 3))
    plain.set_weights(model.get_weights())
    images = np.random.default_rng(0).normal(size=(1, 48, 48, 3))
    np.testing.assert_allclose(model(images), plain(2 * images), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_weights_from_a_file(suffix, tmp_path):
    path = tmp_path / f"model{suffix}"
    model = small()
    if suffix == ".keras":
        model.save(path)
    else:
        model.save_weights(path)
    images = np.random.default_rng(0).normal(size=(1, 32, 32, 3))
    keras.utils.set_random_seed(99)
    np.testing.assert_array_equal(small(weights=path)(images), model(images))
    with pytest.raises(ValueError, match="of another network"):
        keras_regnet.RegNetX("200MF", weights=path)


def test_blocks_and_models_repeat_under_a_seed():
    keras.utils.set_random_seed(5)
    first = small().get_weights()
    keras.utils.set_random_seed(5)
    for one, other in zip(first, small().get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": 0}, "classes=0"),
        ({"pooling": "mean"}, "pooling='mean'"),
        ({"input_shape": (7, 32, 3)}, r"at least 8 pixels.*\(7, 32, 3\)"),
        ({"input_shape": (32, 32)}, r"input_shape=\(32, 32\)"),
        ({"output_stride": 4}, "output_stride=4"),
        ({"feature_maps": True}, "include_top=True"),
        ({"weights": "imagenet"}, "none of them.*Received: 'imagenet'"),
        ({"weights": __file__}, "no such weights.*a file's path ends in"),
        ({"weights": "absent.keras"}, r"no file|absent\.keras"),
        ({"stochastic_depth": 1.5}, "stochastic_depth"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        small(**arguments)
