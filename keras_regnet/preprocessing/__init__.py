"""What must happen to pixels before a network, and what its outputs mean."""

from keras_regnet.preprocessing.classes import decode_predictions
from keras_regnet.preprocessing.image_layer import ImagePreprocessing
from keras_regnet.preprocessing.normalization import (
    PixelNormalization,
    normalization_layer,
)
from keras_regnet.preprocessing.preprocessor import Preprocessor, preprocessing_for
from keras_regnet.preprocessing.specification import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    PreprocessingSpec,
    channel_statistics,
)

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "ImagePreprocessing",
    "PixelNormalization",
    "PreprocessingSpec",
    "Preprocessor",
    "channel_statistics",
    "decode_predictions",
    "normalization_layer",
    "preprocessing_for",
]
