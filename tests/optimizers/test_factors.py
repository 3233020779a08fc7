"""A learning rate for each layer, against torch's parameter groups and by formula."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.optimizers import SGD, RMSprop

RATES = [0.1, 0.2, 0.05, 0.02]
FACTORS = {"stem": 0.1, "block": 0.5}
NAMES = ("stem", "block", "head")
OPTIMIZERS = {
    "nesterov": lambda **more: SGD(0.1, 0.9, True, 0.05, **more),
    "momentum": lambda **more: SGD(0.1, 0.9, False, 0.05, **more),
    "plain": lambda **more: SGD(0.1, 0.0, False, 0.05, **more),
    "rmsprop": lambda **more: RMSprop(0.1, momentum=0.9, weight_decay=0.05, **more),
}


def start():
    random = np.random.default_rng(1)
    weights = [random.normal(size=(3, 4)) for _ in NAMES]
    return weights, [[random.normal(size=(3, 4)) for _ in NAMES] for _ in RATES]


def by_us(optimizer, chosen=NAMES, factor=1.0):
    weights, gradients = start()
    places = [NAMES.index(name) for name in chosen]
    layers = []
    for name, place in zip(chosen, places, strict=True):
        layer = keras.layers.Dense(4, use_bias=False, dtype="float64", name=name)
        layer.build((None, 3))
        layer.kernel.assign(weights[place])
        layers.append(layer)
    variables = [layer.kernel for layer in layers]
    optimizer.build(variables)
    for rate, step in zip(RATES, gradients, strict=True):
        optimizer.learning_rate = rate * factor
        optimizer.apply([tf.constant(step[place]) for place in places], variables)
    return [variable.numpy() for variable in variables]


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_each_layer_moves_as_alone_at_its_rate(kind):
    together = by_us(OPTIMIZERS[kind](learning_rate_factors=FACTORS))
    for name, mine in zip(NAMES, together, strict=True):
        (alone,) = by_us(OPTIMIZERS[kind](), [name], FACTORS.get(name, 1.0))
        np.testing.assert_allclose(mine, alone, rtol=1e-6)
    same = by_us(OPTIMIZERS[kind]())
    np.testing.assert_array_equal(together[2], same[2])
    assert np.abs(together[0] - same[0]).max() > 0.01


@pytest.mark.parametrize("nesterov", [True, False])
def test_sgd_by_formula(nesterov):
    """torch.optim.SGD's documentation, with a rate for each group."""
    weights, gradients = start()
    velocities = [np.zeros((3, 4)) for _ in NAMES]
    for rate, step in zip(RATES, gradients, strict=True):
        for place, name in enumerate(NAMES):
            g = step[place] + 0.05 * weights[place]
            velocities[place] = v = 0.9 * velocities[place] + g
            moved = g + 0.9 * v if nesterov else v
            weights[place] = weights[place] - rate * FACTORS.get(name, 1.0) * moved
    optimizer = SGD(0.1, 0.9, nesterov, 0.05, learning_rate_factors=FACTORS)
    for mine, theirs in zip(by_us(optimizer), weights, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)


@pytest.mark.peers
@pytest.mark.parametrize("nesterov", [True, False])
def test_torchs_parameter_groups(nesterov):
    torch = pytest.importorskip("torch")
    weights, gradients = start()
    parameters = [torch.nn.Parameter(torch.tensor(weight)) for weight in weights]
    groups = [{"params": [parameter]} for parameter in parameters]
    peer = torch.optim.SGD(groups, 0.1, 0.9, weight_decay=0.05, nesterov=nesterov)
    for rate, step in zip(RATES, gradients, strict=True):
        for place, name in enumerate(NAMES):
            parameters[place].grad = torch.tensor(step[place])
            peer.param_groups[place]["lr"] = rate * FACTORS.get(name, 1.0)
        peer.step()
    optimizer = SGD(0.1, 0.9, nesterov, 0.05, learning_rate_factors=FACTORS)
    for mine, theirs in zip(by_us(optimizer), parameters, strict=True):
        np.testing.assert_allclose(mine, theirs.detach().numpy(), rtol=1e-6)


def test_serializes():
    optimizer = SGD(learning_rate_factors=FACTORS)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert copy.learning_rate_factors == FACTORS
    assert SGD.from_config({"learning_rate": 0.1}).learning_rate_factors == {}


@pytest.mark.parametrize("factor", [-1, float("nan"), float("inf")])
def test_impossible_factors(factor):
    with pytest.raises(ValueError, match=r"learning_rate_factors .*Received: .*'stem'"):
        SGD(learning_rate_factors={"stem": factor})
