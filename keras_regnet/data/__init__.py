"""Images and labels, from a name to the batches of any epoch, with tf.data."""

from keras_regnet.data.config import AUGMENTATIONS, DataConfig
from keras_regnet.data.pipeline import Data, load

__all__ = ["AUGMENTATIONS", "Data", "DataConfig", "load"]
