"""fuse: the same outputs without batch normalisation; merged groups likewise."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_regnet
from keras_regnet.layers import ConvNormActivation, GroupedConv2D
from keras_regnet.layers.composite import all_layers
from keras_regnet.publishing.copying import set_form
from keras_regnet.publishing.fusion import fuse
from keras_regnet.publishing.group_blocks import block_groups
from tests.publishing import networks
from tests.torch_peer import relative_difference


def outputs(model, images):
    return keras.tree.flatten(
        keras.tree.map_structure(np.asarray, model(images, training=False))
    )


def check_fused(model, fused, images, tolerance=1e-5):
    expected = outputs(model, images)
    found = outputs(fused, images)
    for ours, theirs in zip(found, expected, strict=True):
        assert np.ptp(theirs) > 0.01
        assert relative_difference(ours, theirs) < tolerance
    kinds = {type(layer).__name__ for layer in all_layers(fused)}
    assert "BatchNormalization" not in kinds
    assert not any("moving" in variable.path for variable in fused.variables)


def with_stages(kind):
    return {
        "x": lambda: networks.two_stages("x"),
        "y": lambda: networks.two_stages("y", include_preprocessing=True),
        "res_basic": lambda: networks.two_stages("res_basic", "resnet"),
        "vanilla": lambda: networks.two_stages("vanilla", "small"),
        "grey": networks.grey,
        "same padding": lambda: networks.two_stages("y", padding="same"),
        "features": lambda: networks.two_stages(include_top=False, pooling="avg"),
        "feature maps": lambda: networks.two_stages(
            include_top=False, feature_maps=True
        ),
        "dilated": lambda: networks.trained(
            keras_regnet.AnyNet(
                keras_regnet.AnyNetParameters(
                    tuple(keras_regnet.Stage(1, 16 * n, 2, 8) for n in (1, 2, 3)),
                    stem_width=8,
                ),
                include_top=False,
                output_stride=8,
            )
        ),
        "dropouts": lambda: networks.two_stages(dropout=0.5, stochastic_depth=0.3),
    }[kind]()


@pytest.mark.kernels
@pytest.mark.parametrize(
    "kind",
    [
        "x",
        "y",
        "res_basic",
        "vanilla",
        "grey",
        "same padding",
        "features",
        "feature maps",
        "dilated",
        "dropouts",
    ],
)
def test_outputs_are_the_models(kind):
    model = with_stages(kind)
    fused = fuse(model)
    check_fused(model, fused, networks.images_for(model))
    assert fused.name == model.name
    assert [layer.name for layer in fused.layers] == [n.name for n in model.layers]
    assert fused.trainable_variables == []
    assert networks.convolutions(fused) == networks.convolutions(model)


def test_the_model_stays_as_it_was():
    model = networks.two_stages()
    images = networks.images_for(model)
    before = outputs(model, images)[0]
    paths = [variable.path for variable in model.trainable_variables]
    fused = fuse(model)
    for variable in fused.variables:
        variable.assign(variable * 0)
    assert [variable.path for variable in model.trainable_variables] == paths
    np.testing.assert_array_equal(outputs(model, images)[0], before)


def test_what_was_fused_is_saved_and_fuses_again(tmp_path):
    model = networks.grey(classifier_activation="softmax")
    fused = fuse(model)
    images = networks.images_for(model)
    fused.save(tmp_path / "fused.keras")
    again = keras.models.load_model(tmp_path / "fused.keras")
    np.testing.assert_array_equal(again(images), fused(images))
    assert again.trainable_variables == []
    check_fused(model, fuse(again), images)
    assert keras_regnet.preprocessing_for(again).specification.channels == 1


@pytest.mark.kernels
def test_the_form_of_a_fused_models_convolutions_can_be_chosen():
    model = networks.two_stages(input_shape=(None, None, 3))
    fused = fuse(model)
    images = networks.images_for(model)
    for form in ("portable", "native", "auto"):
        set_form(fused, form)
        grouped = [n for n in all_layers(fused) if isinstance(n, GroupedConv2D)]
        assert {layer.form for layer in grouped} == {form}
        check_fused(model, fused, images)


def test_a_part_of_a_network():
    model = networks.two_stages()
    part = keras.Model(model.input, model.get_layer("s2_b1").output)
    check_fused(part, fuse(part), networks.images_for(model))


def test_networks_inside_a_users_model():
    backbone = networks.two_stages(include_top=False, pooling="avg")
    backbone.compile("sgd", lambda truth, guess: 0.0)
    inputs = keras.Input((32, 32, 3), name="photograph")
    x = keras.layers.Rescaling(0.5)(inputs)
    # The same network twice: it stays one network.
    x = backbone(x, training=False) + backbone(keras.ops.flip(x, 2), training=False)
    model = keras.Model(inputs, keras.layers.Dense(3, name="top")(x))
    model.compile("adam", lambda truth, guess: 0.0)
    fused = fuse(model)
    check_fused(model, fused, networks.images_for(model))
    assert fused.count_params() < model.count_params()
    assert [each.name for each in fused.inputs] == ["photograph"]
    assert len(fused.variables) == len(fuse(backbone).variables) + 2


def test_a_sequential_model():
    top = [keras.layers.Dropout(0.5), keras.layers.Dense(3)]
    backbone = networks.two_stages(include_top=False, pooling="max")
    model = keras.Sequential([keras.Input((32, 32, 3)), backbone, *top])
    check_fused(model, fuse(model), networks.images_for(model))


@pytest.mark.parametrize(
    ("policy", "tolerance"),
    [("mixed_bfloat16", 5e-2), ("mixed_float16", 1e-2), ("float64", 1e-12)],
)
def test_other_precisions(policy, tolerance):
    model = networks.two_stages(dtype=policy)
    images = networks.images_for(model)
    fused = fuse(model)
    check_fused(model, fused, images, tolerance)
    assert fused.get_layer("s1_b1").dtype_policy.name == policy
    full = fuse(model, dtype="float32")
    reference = networks.two_stages()
    reference.set_weights(model.get_weights())
    check_fused(reference, full, images)
    kinds = {layer.dtype_policy.name for layer in all_layers(full)}
    assert kinds == {"float32"}


def test_statistics_of_tiny_variance_are_folded_exactly():
    unit = ConvNormActivation(8, 3, groups=2, activation=None)
    model = keras.Sequential([keras.Input((9, 9, 4)), unit])
    unit.bn.moving_variance.assign(np.logspace(-12, 6, 8))
    unit.bn.moving_mean.assign(np.linspace(-3, 3, 8))
    images = networks.images_for(model)
    expected = outputs(model, images)[0]
    found = outputs(fuse(model), images)[0]
    for channel in range(8):  # each by itself: their magnitudes differ
        ours, theirs = found[..., channel], expected[..., channel]
        assert relative_difference(ours, theirs) < 1e-5


def test_a_configuration_from_before_there_was_fusion():
    config = ConvNormActivation(8, 3).get_config()
    del config["fused"]
    assert not ConvNormActivation.from_config(config).fused
    path = Path(__file__).parents[1] / "fixtures" / "regnety_0.1.0.keras"
    stored = json.loads(path.with_suffix(".json").read_text())
    model = keras.models.load_model(path)
    assert stored
    check_fused(model, fuse(model), networks.images_for(model))


def test_what_cannot_be_fused_is_refused():
    inputs = keras.Input((8, 8, 4))
    x = keras.layers.BatchNormalization(name="alone")(inputs)
    with pytest.raises(ValueError, match=r"Received: .*'alone'.*BatchNormalization"):
        fuse(keras.Model(inputs, x))
    inner = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization()])
    wrapped = keras.layers.TimeDistributed(inner, name="wrapped")
    with pytest.raises(ValueError, match=r"Received: .*'wrapped'"):
        inputs = keras.Input((3, 4))
        fuse(keras.Model(inputs, wrapped(inputs)))
    with pytest.raises(ValueError, match=r"built functional.*Received: .*Sequential"):
        fuse(keras.Sequential([keras.layers.Dense(2)]))

    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    own = Own()
    own(np.ones((1, 2)))
    with pytest.raises(ValueError, match=r"functional.*Received: .*Own"):
        fuse(own)
    with pytest.raises(ValueError, match=r"Received: model=3"):
        fuse(3)
    with pytest.raises(ValueError, match=r"Received: dtype='float16'"):
        fuse(networks.two_stages(), dtype="float16")


def test_a_fused_network_is_not_rebuilt_from_arguments():
    with pytest.raises(ValueError, match=r"batch normal.*Received: .*fused"):
        keras_regnet.models.arguments_of(fuse(networks.two_stages()))


@pytest.mark.kernels
@pytest.mark.parametrize(
    ("block", "group_width", "widths", "expected"),
    [
        ("y", 8, (16, 24), {"s1_b1": 8, "s2_b1": 16, "s2_b2": 16}),  # 24 become 32
        ("x", 24, (48, 120), {"s1_b1": 24, "s2_b1": 48, "s2_b2": 48}),
    ],
)
def test_merged_groups_compute_the_same(block, group_width, widths, expected):
    model = networks.two_stages(block, widths=widths, group_width=group_width)
    blocked = block_groups(fuse(model))
    check_fused(model, blocked, networks.images_for(model))
    # One group would be left of the first stage's two, and stays two.
    assert {name: blocked.get_layer(name).group_width for name in expected} == expected
    assert networks.convolutions(blocked) == networks.convolutions(model)
    grouped = networks.grouped_convolutions(model)
    assert networks.grouped_convolutions(blocked) == grouped


@pytest.mark.parametrize(
    ("group_width", "widths"),
    [(16, (32, 48)), (40, (160, 160)), (2, (16, 32)), (32, (32, 32))],
)
def test_groups_that_fit_or_would_be_too_wide_stay(group_width, widths):
    model = networks.two_stages("x", widths=widths, group_width=group_width)
    fused = fuse(model)
    blocked = block_groups(fused)
    shapes = [variable.shape for variable in fused.variables]
    assert [variable.shape for variable in blocked.variables] == shapes


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x_200mf", "x_400mf", "y_200mf", "y_400mf"])
def test_published_networks(name):
    model = networks.published(name)
    images = networks.images_for(model, 2)
    fused = fuse(model)
    check_fused(model, fused, images)
    check_fused(model, block_groups(fused), images)
