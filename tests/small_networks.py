"""A small network, for tests that do not care which network it is."""

import numpy as np

import keras_regnet

TINY = {"depth": 3, "w0": 8, "wa": 8, "wm": 2.0, "group_width": 4, "stem_width": 8}


def tiny(**options):
    """A RegNetY of three blocks, for 32 x 32 images of five classes."""
    options = {"input_shape": (32, 32, 3), "classes": 5} | options
    return keras_regnet.RegNetY(**(TINY | options))


def randomise(model):
    """Gives every variable random values, the variances positive ones."""
    rng = np.random.default_rng(4)
    for variable in model.weights:
        values = rng.normal(size=variable.shape)
        variable.assign(np.abs(values) if "variance" in variable.path else values)
    return model
