"""A source of two stages, and a data set and a fine-tuning that take seconds."""

import keras
import numpy as np

from keras_regnet import AnyNet, AnyNetParameters, Stage
from keras_regnet.data import DataConfig
from keras_regnet.transfer import FineTuneConfig

PARAMETERS = AnyNetParameters(
    (Stage(1, 8, 1, 8), Stage(2, 16, 2, 8)),
    block="y",
    squeeze_excite_ratio=0.25,
    stem="small",
    stem_width=8,
)
DIGITS = DataConfig("digits", image_size=8, batch_size=479)  # three steps an epoch


def pretrained(channels=1, **options):
    """A network whose statistics are not those of a new one."""
    options = {
        "input_shape": (8, 8, channels),
        "classes": 5,
        "include_preprocessing": True,
        "name": "tiny",
    } | options
    network = AnyNet(PARAMETERS, **options)
    random = np.random.default_rng(3)
    for variable in network.weights:
        if "moving_variance" in variable.path:
            variable.assign(random.uniform(0.5, 2, variable.shape))
        elif "moving_mean" in variable.path:
            variable.assign(random.normal(0, 0.1, variable.shape))
    return network


def saved(folder, **options):
    path = folder / "source.keras"
    pretrained(**options).save(path)
    return path


def config(**fields):
    return FineTuneConfig(**{"head_epochs": 1, "body_epochs": 2} | fields)


def weights(path):
    """The weights of a `.keras` file, by path."""
    network = keras.saving.load_model(path, compile=False)
    return {variable.path: variable.numpy() for variable in network.weights}
