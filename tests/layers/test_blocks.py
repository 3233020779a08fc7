import keras
import numpy as np
import pytest

from keras_regnet.layers import (
    ConvNormActivation,
    ResBasicBlock,
    SqueezeExcite,
    VanillaBlock,
    XBlock,
    YBlock,
)

pytestmark = pytest.mark.kernels

IMAGES = np.random.default_rng(0).normal(size=(2, 9, 8, 12)).astype("float32")

LAYERS = [
    ConvNormActivation(16, 3, strides=2, groups=4, activation="swish"),
    SqueezeExcite(3),
    XBlock(24, 8, strides=2, stochastic_depth=0.1),
    XBlock(16, 4, bottleneck_ratio=2.0, dilation_rate=2, projection=True),
    YBlock(24, 8, squeeze_excite_ratio=0.5),
    ResBasicBlock(12),
    VanillaBlock(20, strides=2),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_config_round_trips_and_each_is_usable_alone(layer, tmp_path):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    inputs = keras.Input((None, None, 12))
    outputs = keras.layers.GlobalMaxPooling2D()(again(inputs))
    model = keras.Model(inputs, outputs)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model(IMAGES), loaded(IMAGES))
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(model(IMAGES), clone(IMAGES))
    copy = keras.Model.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(model(IMAGES), copy(IMAGES))


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_promised_shape_is_the_computed_one(layer):
    layer = type(layer).from_config(layer.get_config())
    promised = layer.compute_output_shape(IMAGES.shape)
    assert layer(IMAGES).shape == promised
    assert layer.compute_output_shape(IMAGES.shape) == promised


def paths(layer):
    layer.build((None, 8, 8, 12))
    return {
        variable.path.split("/", 1)[1]: tuple(variable.shape)
        for variable in layer.trainable_variables
        if not variable.path.endswith(("gamma", "beta"))
    }


def test_x_block_has_the_weights_of_the_paper():
    assert paths(XBlock(24, 8, strides=2)) == {
        "conv1/conv/kernel": (1, 1, 12, 24),
        "conv2/conv/kernel": (3, 3, 8, 24),
        "conv3/conv/kernel": (1, 1, 24, 24),
        "downsample/conv/kernel": (1, 1, 12, 24),
    }


def test_y_block_squeezes_to_a_quarter_of_its_input():
    assert paths(YBlock(24, 8, bottleneck_ratio=0.5)) == {
        "conv1/conv/kernel": (1, 1, 12, 48),
        "conv2/conv/kernel": (3, 3, 8, 48),
        "se/fc1/kernel": (1, 1, 48, 3),
        "se/fc1/bias": (3,),
        "se/fc2/kernel": (1, 1, 3, 48),
        "se/fc2/bias": (48,),
        "conv3/conv/kernel": (1, 1, 48, 24),
        "downsample/conv/kernel": (1, 1, 12, 24),
    }


def test_plain_blocks():
    assert paths(ResBasicBlock(12)) == {
        "conv1/conv/kernel": (3, 3, 12, 12),
        "conv2/conv/kernel": (3, 3, 12, 12),
    }
    assert paths(VanillaBlock(20, strides=2)) == {
        "conv1/conv/kernel": (3, 3, 12, 20),
        "conv2/conv/kernel": (3, 3, 20, 20),
    }


def test_initialisation_is_the_official_one():
    block = YBlock(256, 64)
    block.build((None, 8, 8, 256))
    grouped = block.conv2.conv.kernel.numpy()
    # normal, variance 2 / (3 * 3 * filters), the fan not divided by the groups
    assert grouped.std() == pytest.approx(np.sqrt(2 / (9 * 256)), rel=0.02)
    assert np.abs(grouped).max() > 3.5 * grouped.std()  # not truncated
    bias = block.se.fc1.bias.numpy()
    assert np.abs(bias).max() <= 1 / np.sqrt(256)
    assert bias.std() == pytest.approx(1 / np.sqrt(3 * 256), rel=0.2)
    assert (block.conv3.bn.gamma.numpy() == 1).all()


@pytest.mark.parametrize("as_convolutions", [False, True])
def test_squeeze_excite_equals_its_definition(as_convolutions):
    layer = SqueezeExcite(3)
    layer.as_convolutions = as_convolutions
    layer.build(IMAGES.shape)
    k1, b1, k2, b2 = (v.numpy().squeeze() for v in layer.variables)
    hidden = np.maximum(IMAGES.mean((1, 2)) @ k1 + b1, 0)
    gates = 1 / (1 + np.exp(-(hidden @ k2 + b2)))
    np.testing.assert_allclose(
        layer(IMAGES), IMAGES * gates[:, None, None], rtol=1e-5, atol=1e-6
    )


def test_a_residual_block_adds_its_input():
    block = XBlock(12, 4)
    block.build(IMAGES.shape)
    block.conv3.bn.gamma.assign(np.zeros(12))
    np.testing.assert_allclose(block(IMAGES), np.maximum(IMAGES, 0), atol=1e-6)


def test_stochastic_depth_leaves_out_whole_examples():
    images = np.repeat(IMAGES[:1], 400, axis=0)
    block = XBlock(12, 4, stochastic_depth=0.25)
    block.build(images.shape)
    block.conv3.bn.gamma.assign(np.zeros(12))
    block.conv3.bn.beta.assign(np.ones(12))
    outputs = np.asarray(block(images, training=True))
    shortcut = np.maximum(images, 0)
    left_out = (np.abs(outputs - shortcut) < 1e-6).all((1, 2, 3))
    assert 60 < left_out.sum() < 140
    # The others' branch is scaled, so that the mean stays.
    np.testing.assert_allclose(
        outputs[~left_out], np.maximum(images[~left_out] + 1 / 0.75, 0), rtol=1e-5
    )
    np.testing.assert_allclose(block(images[:2]), np.maximum(images[:2] + 1, 0), 1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: XBlock(24, 7), "group_width=7"),
        (lambda: XBlock(24, 8, bottleneck_ratio=0), "bottleneck_ratio=0"),
        (lambda: XBlock(0, 8), "filters=0"),
        (lambda: XBlock(24, 8, stochastic_depth=1.0), "stochastic_depth=1.0"),
        (lambda: YBlock(24, 8, squeeze_excite_ratio=0), "squeeze_excite_ratio=0"),
        (lambda: VanillaBlock(24, stochastic_depth=0.1), "stochastic_depth=0.1"),
        (lambda: SqueezeExcite(0), "width=0"),
        (lambda: XBlock(24, 8, projection=False)(IMAGES), "projection=False"),
    ],
)
def test_impossible_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=f"Received: .*{message}"):
        make()
