"""Networks with random weights and statistics, published once for all tests."""

import keras
import numpy as np
import pytest

from keras_regnet import AnyNet
from keras_regnet.publishing import publish
from tests.publishing.networks import parameters, trained

NAMES = ("shoe", "coat", "bag", "shirt", "boot")


def network(block="x", image=(28, 28, 1), **options):
    """Two stages, for pixels, with statistics as after some training.

    The second one's 40 channels are more than portable kernels merge (32).
    """
    options = {"classes": 5, "include_preprocessing": True} | options
    return trained(
        AnyNet(
            parameters(block, "small", (16, 40)),
            input_shape=image,
            name=f"two_stages_{block}",
            **options,
        )
    )


def pixels(model, count=4):
    height, width, channels = model.input_shape[1:]
    shape = (count, height or 32, width or 32, channels)
    return np.random.RandomState(2).randint(0, 256, shape).astype("float32")


def logits(model, images):
    head = keras.Model(model.input, model.get_layer("head_fc").output)
    return np.asarray(head(images, training=False))


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """A folder with an X and a Y network, and the networks."""
    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("published")
    models = {}
    for block, options in (("x", {"dropout": 0.1}), ("y", {"image": (None, None, 3)})):
        model = network(block, **options)
        models[model.name] = model
        publish(
            model,
            folder,
            class_names=NAMES,
            metrics={"top1": 0.9312, "images": 500},
            training={"data_set": "none", "seed": 3, "command": "scripts/train.py"},
            measure_speed=block == "x",
        )
    return folder, models
