"""The optimizer that a configuration makes, and whom it decays."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.optimizers import SGD, RMSprop
from keras_regnet.training.config import OPTIMIZERS
from keras_regnet.training.optimizers import build_optimizer, make_optimizer
from keras_regnet.training.strategies import make_strategy
from tests.training import toys


def decayed(config, strategy=None):
    """What a step with a gradient of zero leaves of variables that were 1."""
    strategy = strategy or tf.distribute.get_strategy()
    with strategy.scope():
        variables = [
            keras.Variable(np.ones(shape), name=name)
            for name, shape in (("kernel", (2, 2)), ("bias", (2,)), ("gamma", (2,)))
        ]
        optimizer = make_optimizer(config, variables)
        optimizer.build(variables)

    def step():
        optimizer.apply([tf.zeros_like(v.value) for v in variables], variables)

    tf.function(lambda: strategy.run(step))()
    return [float(np.mean(variable.numpy())) for variable in variables]


def test_a_nested_network_of_float16_has_its_loss_scaled():
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    wrapped = keras.Sequential(
        [
            keras.Input((4,)),
            keras.Sequential(
                [keras.Input((4,)), keras.layers.Dense(3, dtype="mixed_float16")],
            ),
            keras.layers.Dense(3),
        ]
    )
    for model, scales in ((wrapped, True), (inner, False)):
        strategy = tf.distribute.get_strategy()
        optimizer = build_optimizer(toys.config(), model, strategy)
        assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer) == scales


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_decay_by_group(optimizer):
    fields = {"optimizer": optimizer, "weight_decay": 0.5, "momentum": 0.5}
    kernel, bias, gamma = decayed(toys.config(**fields))
    assert kernel < 0.99
    assert kernel == pytest.approx(bias) == pytest.approx(gamma)
    fields |= {"norm_weight_decay": 0.0, "bias_weight_decay": 0.0}
    assert decayed(toys.config(**fields)) == [pytest.approx(kernel), 1.0, 1.0]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_decay_by_group_on_two_replicas(optimizer):
    config = toys.config(optimizer=optimizer, weight_decay=0.5, bias_weight_decay=0.0)
    strategy = make_strategy("mirrored")
    assert strategy.num_replicas_in_sync == 2
    assert decayed(config, strategy) == pytest.approx(decayed(config))


def test_numbers_reach_the_optimizer():
    made = make_optimizer(
        toys.config(learning_rate=0.3, momentum=0.8, nesterov=False), []
    )
    assert isinstance(made, SGD)
    assert (made.momentum, made.nesterov) == (0.8, False)
    assert float(made.learning_rate) == pytest.approx(0.3)
    made = make_optimizer(
        toys.config(optimizer="rmsprop", second_moment_decay=0.8, epsilon=0.1), []
    )
    assert isinstance(made, RMSprop)
    assert (made.rho, made.epsilon, made.momentum) == (0.8, 0.1, 0.9)
    made = make_optimizer(toys.config(optimizer="adamw"), [])
    assert isinstance(made, keras.optimizers.AdamW)
    assert (made.beta_1, made.beta_2, made.epsilon) == (0.9, 0.999, 1e-8)
    made = make_optimizer(toys.config(optimizer="lamb", epsilon=1e-3), [])
    assert isinstance(made, keras.optimizers.Lamb)
    assert made.epsilon == 1e-3


@pytest.mark.peers
def test_torchs_adamw():
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(0)
    weights, gradients = random.normal(size=(3, 4)), random.normal(size=(5, 3, 4))
    variable = keras.Variable(weights, dtype="float64", name="kernel")
    config = toys.config(optimizer="adamw", learning_rate=0.01, weight_decay=0.1)
    made = make_optimizer(config, [variable])
    parameter = torch.nn.Parameter(torch.tensor(weights))
    peer = torch.optim.AdamW([parameter], 0.01, weight_decay=0.1)
    for gradient in gradients:
        made.apply([tf.constant(gradient)], [variable])
        parameter.grad = torch.tensor(gradient)
        peer.step()
    # Keras adds epsilon before the bias correction.
    np.testing.assert_allclose(variable.numpy(), parameter.detach().numpy(), atol=1e-6)
