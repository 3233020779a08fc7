"""Small networks with statistics as after a training, for the tests of publishing."""

import keras
import numpy as np

import keras_regnet
from keras_regnet import AnyNet, AnyNetParameters, Stage


def trained(model, seed=0):
    """Gives a model statistics, affines and biases that differ per channel.

    The weights between stay as the initialisation has them, so that activations keep
    their magnitude; the classifier's are made larger, so that images differ.
    """
    rng = np.random.default_rng(seed)
    for variable in model.variables:
        shape, path = variable.shape, variable.path
        if path.endswith(("gamma", "moving_variance")):
            variable.assign(rng.uniform(0.5, 1.5, shape))
        elif path.endswith(("beta", "bias", "moving_mean")):
            variable.assign(rng.normal(scale=0.2, size=shape))
        elif path.endswith("head_fc/kernel"):
            variable.assign(rng.normal(size=shape))
    return model


def parameters(block="y", stem="simple", widths=(16, 32), group_width=8):
    """Two stages."""
    group = group_width if block in ("x", "y") else None
    return AnyNetParameters(
        tuple(
            Stage(depth, width, 2, group)
            for depth, width in zip((1, 2), widths, strict=True)
        ),
        block=block,
        squeeze_excite_ratio=0.25 if block == "y" else 0.0,
        stem=stem,
        stem_width=8,
    )


def two_stages(block="y", stem="simple", widths=(16, 32), group_width=8, **options):
    """A network of two stages, by default for 32 x 32 images of ten classes."""
    options = {"classifier_activation": None, "classes": 10} | options
    if options.get("include_top", True):
        options = {"input_shape": (32, 32, 3)} | options
    else:
        del options["classes"], options["classifier_activation"]
    return trained(AnyNet(parameters(block, stem, widths, group_width), **options))


def grey(**options):
    """A network as for Fashion-MNIST: grey pixels of 0 to 255, a small stem."""
    options = {"input_shape": (28, 28, 1), "include_preprocessing": True} | options
    return two_stages(stem="small", **options)


def published(name, **options):
    """One of the published networks, with random weights."""
    return trained(keras_regnet.RegNet(name, classifier_activation=None, **options))


def images_for(model, count=3, seed=5):
    """Random images as a model takes them, float32."""
    rng = np.random.default_rng(seed)
    _, height, width, channels = model.input_shape
    shape = (count, height or 40, width or 33, channels)
    if any(getattr(layer, "applied", False) for layer in model.layers):
        return rng.integers(0, 256, shape).astype("float32")
    return rng.standard_normal(shape, dtype="float32")


def convolutions(layer):
    """How many convolutions there are in a model or layer."""
    if isinstance(layer, keras.layers.Conv2D):
        return 1
    return sum(map(convolutions, getattr(layer, "layers", ())))


def grouped_convolutions(layer):
    """How many of them are grouped."""
    if isinstance(layer, keras.layers.Conv2D):
        return int(layer.groups > 1)
    return sum(map(grouped_convolutions, getattr(layer, "layers", ())))
