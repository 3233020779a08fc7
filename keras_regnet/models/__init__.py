"""RegNets and AnyNets as functional Keras models."""

from keras_regnet.models.anynet import AnyNet
from keras_regnet.models.description import arguments_of, output_activation
from keras_regnet.models.inference import inference_function
from keras_regnet.models.regnet import RegNet, RegNetX, RegNetY

__all__ = [
    "AnyNet",
    "RegNet",
    "RegNetX",
    "RegNetY",
    "arguments_of",
    "inference_function",
    "output_activation",
]
