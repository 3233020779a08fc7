"""Images and labels, from a name to the batches of any epoch, with tf.data.

Its parts are imported when they are first asked for: the configuration needs no
TensorFlow.
"""

from typing import TYPE_CHECKING

from keras_regnet.optional import lazily

if TYPE_CHECKING:  # editors and type checkers do not run `__getattr__`
    from keras_regnet.data.config import AUGMENTATIONS, DataConfig
    from keras_regnet.data.description import DataDescription, describe
    from keras_regnet.data.image_files import decode
    from keras_regnet.data.image_reader import ImageReader
    from keras_regnet.data.loading import load
    from keras_regnet.data.pipeline import Data
    from keras_regnet.data.problems import DamagedImageError, Problems

_MODULES = {
    "AUGMENTATIONS": "config",
    "DamagedImageError": "problems",
    "Data": "pipeline",
    "DataConfig": "config",
    "DataDescription": "description",
    "ImageReader": "image_reader",
    "Problems": "problems",
    "decode": "image_files",
    "describe": "description",
    "load": "loading",
}

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

__getattr__ = lazily(__name__, _MODULES)
