"""Training, step by step, beside torch: the same updates and running statistics."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_regnet
from keras_regnet.weights import to_timm_state_dict
from tests.two_stages import our_network, their_network

pytestmark = pytest.mark.peers

RATE, MOMENTUM, DECAY = 2.0**-5, 0.9, 5e-3


def batches(steps):
    rng = np.random.default_rng(1)
    for _ in range(steps):
        yield rng.normal(size=(6, 32, 32, 3)).astype("float32"), rng.integers(0, 5, 6)


def train_ours(model, steps):
    optimizer = keras_regnet.optimizers.SGD(RATE, MOMENTUM, True, DECAY)
    losses = []
    for images, labels in batches(steps):
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            )
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        losses.append(float(loss))
    return losses


def train_theirs(network, steps):
    import torch

    optimizer = torch.optim.SGD(
        network.parameters(),
        RATE,
        MOMENTUM,
        weight_decay=DECAY,
        nesterov=True,
    )
    losses = []
    for images, labels in batches(steps):
        inputs = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
        logits = network(inputs.to(next(network.parameters()).dtype))
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("steps", [1, 20])
def test_updates_and_statistics_equal_torchs(steps):
    import torch

    model = our_network("float64")
    before = to_timm_state_dict(model)
    network = their_network(before, torch.float64)
    losses, expected = train_ours(model, steps), train_theirs(network, steps)
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    assert steps == 1 or losses[-1] != pytest.approx(losses[0], rel=1e-2)
    after, theirs = to_timm_state_dict(model), network.state_dict()
    assert set(after) == set(theirs)
    compared = 0
    for key, start in before.items():
        if key.endswith("num_batches_tracked"):
            continue
        assert after[key].dtype == torch.float64
        ours, their = (value - start for value in (after[key], theirs[key]))
        largest = their.abs().max()
        assert largest > 0, key
        assert (ours - their).abs().max() <= 1e-6 * largest, key
        compared += 1
    assert compared == len(model.weights)


def test_the_first_loss_in_float32_equals_torchs():
    import torch

    model = our_network("float32")
    network = their_network(to_timm_state_dict(model), torch.float32)
    assert train_ours(model, 1) == pytest.approx(train_theirs(network, 1), rel=1e-5)


def test_keras_own_variance_would_be_seen():
    """The biased variance of the batch differs by more than is allowed (trap 10)."""
    model = our_network("float64")
    stock = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype="float64")
    ours = model.get_layer("s2_b2").conv3.bn
    inputs = np.random.default_rng(0).normal(size=(6, 4, 4, 24))
    for layer in (stock, ours):
        layer(inputs, training=True)
    gap = np.abs(np.array(stock.moving_variance) - np.array(ours.moving_variance))
    assert gap.max() > 1e-4
