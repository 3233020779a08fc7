"""RMSprop against TensorFlow 1's operation, the formula in numpy, and timm's."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.optimizers import RMSprop

RATES = [0.01, 0.02, 0.03, 0.02, 0.01, 0.005]


def start():
    random = np.random.default_rng(2)
    weights = random.normal(size=(3, 4))
    return weights, [random.normal(size=weights.shape) for _ in RATES]


def by_formula(rho=0.9, momentum=0.9, epsilon=1e-3, weight_decay=0.0):
    w, gradients = start()
    s, v = np.ones_like(w), np.zeros_like(w)
    for rate, gradient in zip(RATES, gradients, strict=True):
        g = gradient + weight_decay * w
        s = rho * s + (1 - rho) * g**2
        v = momentum * v + rate * g / np.sqrt(s + epsilon)
        w = w - v
    return w


def by_us(**arguments):
    weights, gradients = start()
    variable = keras.Variable(weights, dtype="float64", name="kernel")
    optimizer = RMSprop(0.1, **arguments)
    for rate, gradient in zip(RATES, gradients, strict=True):
        optimizer.build([variable])
        optimizer.learning_rate = rate
        optimizer.apply([tf.constant(gradient)], [variable])
    return variable.numpy()


@pytest.mark.parametrize(
    "arguments",
    [{}, {"weight_decay": 0.1}, {"momentum": 0.0}, {"rho": 0.5, "epsilon": 0.1}],
)
def test_formula(arguments):
    # The rate itself is a float32 variable in Keras.
    np.testing.assert_allclose(by_us(**arguments), by_formula(**arguments), rtol=1e-6)


def test_tensorflows_own_operation():
    weights, gradients = start()
    w, s, v = (tf.Variable(a) for a in (weights, np.ones((3, 4)), np.zeros((3, 4))))
    for rate, gradient in zip(RATES, gradients, strict=True):
        tf.raw_ops.ResourceApplyRMSProp(
            var=w.handle,
            ms=s.handle,
            mom=v.handle,
            lr=tf.constant(rate, tf.float64),
            rho=tf.constant(0.9, tf.float64),
            momentum=tf.constant(0.9, tf.float64),
            epsilon=tf.constant(1e-3, tf.float64),
            grad=tf.constant(gradient),
        )
    np.testing.assert_allclose(by_us(), w.numpy(), rtol=1e-6)


def test_keras_own_is_another_one():
    weights, gradients = start()
    variable = keras.Variable(weights, dtype="float64", name="kernel")
    theirs = keras.optimizers.RMSprop(RATES[0], 0.9, 0.9, 1e-3)
    theirs.apply([tf.constant(gradients[0])], [variable])
    one_step = RMSprop(RATES[0])
    mine = keras.Variable(weights, dtype="float64", name="kernel")
    one_step.apply([tf.constant(gradients[0])], [mine])
    assert np.abs(variable.numpy() - mine.numpy()).max() > 1e-2


@pytest.mark.peers
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_timms_own(weight_decay):
    from tests.torch_peer import timm

    timm()
    import torch
    from timm.optim import RMSpropTF

    weights, gradients = start()
    parameter = torch.nn.Parameter(torch.tensor(weights))
    peer = RMSpropTF(
        [parameter], 0.1, eps=1e-3, momentum=0.9, weight_decay=weight_decay
    )
    for rate, gradient in zip(RATES, gradients, strict=True):
        parameter.grad = torch.tensor(gradient)
        peer.param_groups[0]["lr"] = rate
        peer.step()
    np.testing.assert_allclose(
        by_us(weight_decay=weight_decay), parameter.detach().numpy(), rtol=1e-6
    )


def test_serializes():
    optimizer = RMSprop(0.2, 0.8, 0.7, 1e-2, 1e-5, 0.0)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(copy, RMSprop)
    assert copy.get_config() == optimizer.get_config()


@pytest.mark.parametrize(
    "arguments",
    [{"rho": 1.0}, {"momentum": -0.1}, {"epsilon": 0}, {"weight_decay": -1}],
)
def test_impossible_arguments(arguments):
    with pytest.raises(ValueError, match="Received"):
        RMSprop(**arguments)
