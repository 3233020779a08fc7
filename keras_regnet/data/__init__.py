"""Images and labels, from a name to the batches of any epoch, with tf.data."""

from keras_regnet.data.config import AUGMENTATIONS, DataConfig
from keras_regnet.data.description import DataDescription, describe
from keras_regnet.data.image_files import decode
from keras_regnet.data.image_reader import ImageReader
from keras_regnet.data.loading import load
from keras_regnet.data.pipeline import Data
from keras_regnet.data.problems import DamagedImageError, Problems

__all__ = [
    "AUGMENTATIONS",
    "DamagedImageError",
    "Data",
    "DataConfig",
    "DataDescription",
    "ImageReader",
    "Problems",
    "decode",
    "describe",
    "load",
]
