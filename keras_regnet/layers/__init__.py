"""Keras layers, each serializable, each usable on its own."""

from keras_regnet.layers.batch_norm import BatchNormalization
from keras_regnet.layers.blocks import ResBasicBlock, VanillaBlock, XBlock, YBlock
from keras_regnet.layers.conv_norm import ConvNormActivation
from keras_regnet.layers.grouped_conv import GroupedConv2D
from keras_regnet.layers.saved_model import SavedModelBackbone
from keras_regnet.layers.squeeze_excite import SqueezeExcite

__all__ = [
    "BatchNormalization",
    "ConvNormActivation",
    "GroupedConv2D",
    "ResBasicBlock",
    "SavedModelBackbone",
    "SqueezeExcite",
    "VanillaBlock",
    "XBlock",
    "YBlock",
]
