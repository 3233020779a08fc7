"""Scaling and normalising as a layer that keeps the whole specification in a model."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_regnet.preprocessing.specification import PreprocessingSpec


def normalization_layer(
    mean: Sequence[float],
    std: Sequence[float],
    name: str = "preprocessing",
) -> keras.layers.Layer:
    """A layer that maps pixels of 0 to 255 to `(pixels / 255 - mean) / std`.

    Args:
        mean: Per channel, on a scale of 0 to 1.
        std: Standard deviation per channel, on a scale of 0 to 1.
        name: Of the layer.

    Returns:
        A layer for images of any size, `(..., channels)`; it computes in float32.
    """
    scale, offset = _scale_and_offset(mean, std)
    return keras.layers.Rescaling(scale, offset, dtype="float32", name=name)


def normalize(
    images: Any, specification: PreprocessingSpec, by_rows: bool = False
) -> Any:
    """Scales and normalises pixels of 0 to 255.

    Args:
        images: `(..., channels)`
        specification: Has the mean and the standard deviation of each channel.
        by_rows: Whether to compute along whole rows where the size is known: the same
            numbers, sooner where TensorFlow runs without XLA, by two reshapes that
            other formats would keep.

    Returns:
        The same shape in float32.
    """
    images = ops.cast(images, "float32")
    size = tuple(images.shape[-3:])
    by_rows = by_rows and len(images.shape) == 4 and None not in size
    width = size[-2] if by_rows else 1
    scale, offset = (
        ops.convert_to_tensor(values * width, "float32")
        for values in _scale_and_offset(specification.mean, specification.std)
    )
    if by_rows:
        images = ops.reshape(images, (-1, width * size[-1]))
    images = images * scale + offset
    if by_rows:
        images = ops.reshape(images, (-1, *size))
    return ops.flip(images, -1) if specification.channel_order == "bgr" else images


def _scale_and_offset(
    mean: Sequence[float], std: Sequence[float]
) -> tuple[list[float], list[float]]:
    """What pixels of 0 to 255 are multiplied by, and what is added to the product."""
    offset = [-a / b for a, b in zip(mean, std, strict=True)]
    return [1.0 / (255.0 * value) for value in std], offset


@keras.saving.register_keras_serializable(package="keras_regnet")
class PixelNormalization(keras.layers.Layer):
    """The first layer of a model: it keeps what the weights expect of their images.

    Because the specification is part of the layer's configuration, it is there after
    `model.save`, `load_model` and `clone_model`, and in models that are cut out of
    this one or contain it. `preprocessing_for(model)` finds it.

    Args:
        specification: A `PreprocessingSpec`, or its `to_dict()`.
        applied: Whether the layer scales and normalises pixels of 0 to 255, in
            float32. Otherwise its input, which must have been normalised before,
            passes unchanged. Neither resizes nor crops.
        name: Of the layer.
        **kwargs: `dtype` and the like.

    Attributes:
        by_rows: See `normalize`. It is not part of the configuration and is not saved.

    Input and output shape:
        `(..., channels)`

    Raises:
        ValueError: The images have another number of channels.
    """

    def __init__(
        self,
        specification: PreprocessingSpec | Mapping[str, Any],
        applied: bool = True,
        name: str = "preprocessing",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(name=name, autocast=False, **kwargs)
        self.specification = as_specification(specification)
        self.applied = bool(applied)
        self.by_rows = False

    def build(self, input_shape: tuple) -> None:
        """Checks the number of channels."""
        if input_shape[-1] != self.specification.channels:
            raise ValueError(
                f"Images must have {self.specification.channels} channels, as the "
                f"specification's mean and std. Received: images of shape {input_shape}"
            )
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Normalises, or gives back the input."""
        if not self.applied:
            return inputs
        return normalize(inputs, self.specification, self.by_rows)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The input's."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return super().get_config() | {
            "specification": self.specification.to_dict(),
            "applied": self.applied,
        }


def as_specification(value: PreprocessingSpec | Mapping[str, Any]) -> PreprocessingSpec:
    """A specification from itself or from its `to_dict()`."""
    if isinstance(value, PreprocessingSpec):
        return value
    if isinstance(value, Mapping):
        return PreprocessingSpec.from_dict(value)
    raise ValueError(
        f"A specification is a PreprocessingSpec or its to_dict(). Received: {value!r}"
    )
