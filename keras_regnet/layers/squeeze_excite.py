"""Squeeze-and-excitation as in RegNetY."""

import math
from typing import Any

import keras
from keras import ops

from keras_regnet.layers.composite import CompositeLayer
from keras_regnet.layers.conv_norm import convolution_initializer


@keras.saving.register_keras_serializable(package="keras_regnet")
class SqueezeExcite(CompositeLayer):
    """Scales each channel by a gate computed from the means of all channels.

    Mean over the pixels, a 1x1 convolution to `width` channels, ReLU, a 1x1
    convolution back, sigmoid, product. Both convolutions have a bias (pycls,
    `models/blocks.py`, `SE`).

    Args:
        width: Channels between the two convolutions. In RegNetY this is a quarter of
            the width of the *block's input*, not of this layer's.
        **kwargs: `name`, `dtype` and the like.

    Attributes:
        as_convolutions: Whether both convolutions are computed as such, for formats
            that name them so, and not as products of matrices. It is not part of the
            configuration and is not saved.

    Input and output shape:
        `(batch, height, width, channels)`
    """

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(width, int) or width < 1:
            raise ValueError(
                f"`width` must be a positive integer. Received: width={width!r}"
            )
        self.width = width
        self.as_convolutions = False

    def build(self, input_shape: tuple) -> None:
        """Creates the weights for an input's shape."""
        channels = input_shape[-1]
        shape = (input_shape[0], 1, 1, channels)
        for name, filters, activation in (
            ("fc1", self.width, "relu"),
            ("fc2", channels, "sigmoid"),
        ):
            # The official initialisation touches the kernels alone; the biases keep
            # torch's default, uniform within 1 / sqrt(inputs).
            bound = 1.0 / math.sqrt(shape[-1])
            shape = self.add_child(
                name,
                keras.layers.Conv2D,
                shape,
                filters=filters,
                kernel_size=1,
                activation=activation,
                data_format="channels_last",
                kernel_initializer=convolution_initializer(),
                bias_initializer=keras.initializers.RandomUniform(-bound, bound),
            )
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Computes the gated input."""
        if self.as_convolutions:
            means = ops.mean(inputs, axis=(1, 2), keepdims=True)
            return inputs * self.fc2(self.fc1(means))
        # oneDNN's convolution of a map of one pixel is mostly preparation.
        gates = ops.mean(inputs, axis=(1, 2))
        for layer in (self.fc1, self.fc2):
            products = ops.matmul(gates, layer.kernel[0, 0])
            gates = layer.activation(ops.add(products, layer.bias))
        # TensorFlow knows that these keep the batch size, and so it can add the block's
        # input within the next convolution. Of indexing or a reshape it does not.
        return inputs * ops.expand_dims(ops.expand_dims(gates, 1), 1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The input's."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return super().get_config() | {"width": self.width}
