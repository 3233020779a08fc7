"""Preprocessing as a Keras layer, for pipelines and for models that take any image."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_regnet.preprocessing.normalization import as_specification, normalize
from keras_regnet.preprocessing.resampling import resize_and_crop
from keras_regnet.preprocessing.specification import PreprocessingSpec


@keras.saving.register_keras_serializable(package="keras_regnet")
class ImagePreprocessing(keras.layers.Layer):
    """Resizes, crops, scales and normalises images as a specification says.

    Before normalisation every pixel equals Pillow's, hence timm's and torchvision's:
    measured on 94 photographs with both interpolations and crops of 224, 288 and 384
    pixels. After it they are within 1e-6, the rounding of float32. Two things remain.
    TensorFlow's JPEG decoder equals Pillow's with `dct_method="INTEGER_ACCURATE"` only,
    and some kinds of files need more: `keras_regnet.data.decode` gives the pixels that
    Pillow gives for all of them. And images more than twice as high as wide, which the
    newest Pillow resizes in another order (see `resampling.py`).

    It works in a model, which takes images of any size then, in `Dataset.map`, and
    under XLA where the size is fixed. No gradient passes.

    Args:
        specification: A `PreprocessingSpec`, or its `to_dict()`.
        normalize: Whether to scale and normalise. Otherwise the output has pixels of 0
            to 255, for a model that normalises them itself.
        **kwargs: `name` and the like.

    Input shape:
        `(height, width, channels)` or `(batch, height, width, channels)` of 0 to 255.

    Output shape:
        float32 `(image_size, image_size, channels)`, with the batch if there was one.

    Raises:
        ValueError: The images have another shape.
    """

    def __init__(
        self,
        specification: PreprocessingSpec | Mapping[str, Any],
        normalize: bool = True,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(autocast=False, **kwargs)
        self.specification = as_specification(specification)
        self.normalize = bool(normalize)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuses ragged batches, which Keras would turn into one dense tensor."""
        if args and hasattr(args[0], "row_splits"):
            raise ValueError(
                "A batch must be of images of one size; preprocess images of several "
                "sizes one by one, for example in `Dataset.map`. Received: a ragged "
                f"batch of shape {args[0].shape}"
            )
        return super().__call__(*args, **kwargs)

    def call(self, inputs: Any) -> Any:
        """Preprocesses an image, or a batch of one size."""
        single = len(inputs.shape) == 3
        images = ops.expand_dims(inputs, 0) if single else inputs
        if keras.backend.standardize_dtype(images.dtype) == "uint16":
            raise ValueError(
                "Pixels must be numbers of 0 to 255; those of 16 bits must be divided "
                "by 257 before. Received: images of dtype uint16"
            )
        images = resize_and_crop(images, self.specification)
        if self.normalize:
            images = normalize(images, self.specification)
        return images[0] if single else images

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Square, `image_size` pixels along each side."""
        channels = self.specification.channels
        if len(input_shape) not in (3, 4) or input_shape[-1] not in (None, channels):
            raise ValueError(
                "Images must be (height, width, channels) or (batch, height, width, "
                f"channels) with {channels} channels. Received: images of shape "
                f"{tuple(input_shape)}"
            )
        size = self.specification.image_size
        return (*input_shape[:-3], size, size, channels)

    def build(self, input_shape: tuple) -> None:
        """Checks the shape."""
        self.compute_output_shape(input_shape)
        self.built = True

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return super().get_config() | {
            "specification": self.specification.to_dict(),
            "normalize": self.normalize,
        }
