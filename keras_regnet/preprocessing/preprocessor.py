"""From a model or its weights to what must be done with images."""

import dataclasses
from typing import Any

import keras
import numpy as np

from keras_regnet.preprocessing import pictures
from keras_regnet.preprocessing.image_layer import ImagePreprocessing
from keras_regnet.preprocessing.normalization import PixelNormalization
from keras_regnet.preprocessing.specification import PreprocessingSpec


@dataclasses.dataclass(frozen=True)
class Preprocessor:
    """Makes of any image what a network takes: as a Keras layer and with Pillow.

    The pixels of both are equal, and equal to those of timm's and torchvision's
    evaluation on the same decoded image; after normalisation those of the call are
    still equal in every bit, those of the layer within a rounding of float32.

    Attributes:
        specification: What is done.
        normalize: Whether it ends in scaled and normalised numbers, or in pixels of 0
            to 255, for a model that scales and normalises them itself.
    """

    specification: PreprocessingSpec
    normalize: bool = True

    def __call__(self, image: Any) -> np.ndarray:
        """Preprocesses one image with Pillow and numpy.

        Args:
            image: A Pillow image, the path of an image file, or an array of 0 to 255,
                `(height, width)` or `(height, width, channels)`.

        Returns:
            float32 `(image_size, image_size, channels)`.

        Raises:
            ValueError: The image is none of that, or has other channels.
            OSError: The file is not there, or is no image.
            ImportError: Pillow is not installed.
        """
        pixels = pictures.resize_and_crop(image, self.specification)
        if self.normalize:
            return pictures.normalized(pixels, self.specification)
        return pixels.astype(np.float32)

    def layer(self, **kwargs: Any) -> ImagePreprocessing:
        """The Keras layer that does the same, with a name and the like."""
        return ImagePreprocessing(self.specification, self.normalize, **kwargs)


def preprocessing_for(source: Any, normalize: bool | None = None) -> Preprocessor:
    """What must be done with images for a model or for a set of weights.

    Args:
        source: A model of this package, or one that contains such a model or was cut
            out of it; or a `PreprocessingSpec`; or an entry of the catalogue of
            weights. If the model's images have a fixed size, the crop gets that size
            and the resize grows in proportion.
        normalize: Whether to scale and normalise; by default unless the model does so
            itself.

    Raises:
        ValueError: The model does not know its preprocessing.
    """
    if isinstance(source, keras.layers.Layer):
        specification, inside = _of_model(source)
        return Preprocessor(
            specification, not inside if normalize is None else normalize
        )
    specification = getattr(source, "preprocessing", source)
    if not isinstance(specification, PreprocessingSpec):
        raise ValueError(
            "Preprocessing is that of a model, of an entry of the catalogue, or of a "
            "PreprocessingSpec; keras_regnet.preprocessing_for knows names, too. "
            f"Received: {source!r}"
        )
    return Preprocessor(specification, normalize is None or normalize)


def _of_model(model: keras.layers.Layer) -> tuple[PreprocessingSpec, bool]:
    """The specification in a model, and whether the model normalises by itself."""
    layer = _recorded(model)
    if layer is None:
        raise ValueError(
            "The model does not say what it expects of its images, because it was "
            "built without pretrained weights and without include_preprocessing=True. "
            "Give a PreprocessingSpec instead. Received: a model named "
            f"{model.name!r}"
        )
    if isinstance(layer, ImagePreprocessing):
        raise ValueError(
            "The model resizes and crops its images itself: give them to it as they "
            f"are. Received: a model named {model.name!r}"
        )
    specification = layer.specification
    shape = getattr(model, "input_shape", None)
    if isinstance(shape, tuple) and len(shape) == 4 and None not in shape[1:3]:
        if shape[1] != shape[2]:
            raise ValueError(
                "A specification is for square images. Received: a model named "
                f"{model.name!r} with the input shape {shape}"
            )
        specification = specification.for_size(shape[1])
    return specification, layer.applied


def _recorded(
    model: keras.layers.Layer,
) -> PixelNormalization | ImagePreprocessing | None:
    """The layer with the specification, in a model or in a model inside it."""
    if isinstance(model, PixelNormalization | ImagePreprocessing):
        return model
    for layer in getattr(model, "layers", ()):
        found = _recorded(layer)
        if found is not None:
            return found
    return None
