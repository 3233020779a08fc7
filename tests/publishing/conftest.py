"""Networks with random weights and statistics, published once for all tests."""

import keras
import numpy as np
import pytest

from keras_regnet import AnyNet
from keras_regnet.preprocessing import PreprocessingSpec
from keras_regnet.publishing import publish
from tests.publishing.networks import parameters, trained

NAMES = ("shoe", "coat", "bag", "shirt", "boot")
SPECIFICATION = PreprocessingSpec(16, 20, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))


def network(block="x", image=(28, 28, 1), **options):
    """Two stages, for pixels, with statistics as after some training.

    The second one's 40 channels are more than portable kernels merge (32).
    """
    keras.utils.set_random_seed(0)  # in whatever order fixtures are made
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
    """A folder with an X and a Y network, and the networks.

    They end in a softmax and in sigmoids; the second takes images of any size.
    """
    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("published")
    models = {}
    of_any_size = {"image": (None, None, 3), "classifier_activation": "sigmoid"}
    for block, options in (("x", {"dropout": 0.1}), ("y", of_any_size)):
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


@pytest.fixture(scope="session")
def published_as(tmp_path_factory):
    """A function from a kind of network to the folder of it, and the network."""
    made = {}

    def find(kind):
        if kind not in made:
            keras.utils.set_random_seed(0)
            folder = tmp_path_factory.mktemp(kind)
            model = {
                "features": lambda: network(
                    include_top=False, pooling="avg", classes=1000
                ),
                "normalized": lambda: network(
                    "y",
                    (16, 16, 3),
                    include_preprocessing=False,
                    preprocessing=SPECIFICATION,
                    classifier_activation="tanh",
                ),
                "photographs": lambda: network(image=(64, 64, 3)),
            }[kind]()
            made[kind] = publish(model, folder, measure_speed=False), model
        return made[kind]

    return find
