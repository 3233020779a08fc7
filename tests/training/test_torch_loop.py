"""A whole run of the paper's recipe beside torch's optimizer."""

import math

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.training import Trainer, configure
from keras_regnet.weights import to_timm_state_dict
from tests.two_stages import our_network, their_network

EPOCHS, STEPS, BATCH = 7, 3, 6


def arrays(epoch):
    rng = np.random.default_rng(epoch)
    images = rng.normal(size=(STEPS * BATCH, 32, 32, 3)).astype("float32")
    return images, rng.integers(0, 5, STEPS * BATCH)


def dataset(epoch):
    return tf.data.Dataset.from_tensor_slices(arrays(epoch)).batch(BATCH, True)


def train_theirs(network, rate, decay):
    """The official loop: one rate for each epoch, momentum and decay as torch has."""
    import torch

    optimizer = torch.optim.SGD(
        network.parameters(), rate, momentum=0.9, weight_decay=decay, nesterov=True
    )
    losses = []
    for epoch in range(EPOCHS):
        factor = (1 + math.cos(math.pi * epoch / EPOCHS)) / 2
        if epoch < 5:
            factor *= 0.1 + 0.9 * epoch / 5
        optimizer.param_groups[0]["lr"] = rate * factor
        images, labels = arrays(epoch)
        images = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).double()
        total = 0.0
        for step in range(STEPS):
            rows = slice(step * BATCH, (step + 1) * BATCH)
            loss = torch.nn.functional.cross_entropy(
                network(images[rows]), torch.from_numpy(labels[rows])
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        losses.append(total / STEPS)
    return losses


@pytest.mark.peers
def test_a_run_of_the_papers_recipe_is_torchs(tmp_path):
    import torch

    config = configure(
        "pycls_100e",
        training={
            "epochs": EPOCHS,
            "warmup_epochs": 5,
            "learning_rate": 2.0**-5,
            "weight_decay": 5e-3,
            "precise_bn_images": 0,
        },
    ).training
    model = our_network("float64")
    before = to_timm_state_dict(model)
    network = their_network(before, torch.float64)
    result = Trainer(
        model, dataset, None, config, tmp_path, save_models=False, verbose=0
    ).train()
    expected = train_theirs(network, config.learning_rate, config.weight_decay)
    losses = [row["train_loss"] for row in result.history]
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    after, theirs = to_timm_state_dict(model), network.state_dict()
    for key, start in before.items():
        if not key.endswith("num_batches_tracked"):
            ours, their = (value - start for value in (after[key], theirs[key]))
            assert (ours - their).abs().max() <= 1e-6 * their.abs().max() > 0, key
