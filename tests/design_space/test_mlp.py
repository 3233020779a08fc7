import pytest

from keras_regnet.design_space import (
    FallingWidths,
    MaxParameters,
    MLPParameters,
    QuantizedLinear,
    WidthMultiplier,
    spaces,
)


def test_costs_by_hand():
    network = MLPParameters((2, 1), (8, 16))
    space = spaces.mlp(stages=2, input_size=(3, 2), input_channels=2, classes=5)
    assert network.layers == (8, 8, 16)
    cost = space.family.cost(network)
    weights = 12 * 8 + 8 * 8 + 8 * 16 + (16 + 1) * 5
    assert cost.multiply_adds == weights
    assert cost.parameters == weights + 2 * (8 + 8 + 16)
    assert cost.activations == 8 + 8 + 16 + 5


@pytest.mark.parametrize("name", ["mlp", "mlp_rising", "mlp_linear"])
def test_sampled_perceptrons(name):
    space = spaces.by_name(name, classes=7)
    sample = space.sample(40, seed=0, flops=(1e5, 2e6))
    assert len({network.layers for network in sample}) == 40
    for network, flops in zip(sample, sample.flops, strict=True):
        assert space.contains(network)
        assert len(network.depths) == 3
        assert 1e5 <= flops <= 2e6 and flops == space.family.cost(network).multiply_adds
        rises = list(network.widths) == sorted(network.widths)
        assert rises or name == "mlp"
        assert space.read(network.to_dict()) == network


def test_constraints_apply():
    space = spaces.mlp(QuantizedLinear(), WidthMultiplier(2), MaxParameters(1e5))
    sample = space.sample(10, seed=0)
    assert sample.parameters.max() <= 1e5
    for network in sample:
        first, second, third = network.widths
        assert (second, third) == (2 * first, 4 * first)
    wrong = MLPParameters((1, 1, 1), (32, 16, 8))
    assert space.contains(wrong).constraints == ("quantized linear",)
    assert spaces.mlp(FallingWidths()).contains(wrong)


def test_model():
    space = spaces.mlp(stages=2, input_size=4, classes=3)
    network = MLPParameters((2, 1), (8, 16))
    model = space.build(network, classifier_activation=None)
    assert model.input_shape == (None, 4, 4, 1) and model.output_shape == (None, 3)
    trainable = sum(weight.shape.num_elements() for weight in model.trainable_weights)
    assert trainable == space.family.cost(network).parameters


@pytest.mark.parametrize(
    "bad",
    [
        {"depths": (), "widths": ()},
        {"depths": (1,), "widths": (8, 8)},
        {"depths": (0,), "widths": (8,)},
        {"depths": 1, "widths": 8},
    ],
)
def test_bad_input(bad):
    with pytest.raises(ValueError, match="Received: "):
        MLPParameters.from_dict(bad)
    with pytest.raises(ValueError, match="Received: "):
        spaces.mlp().contains(bad)
