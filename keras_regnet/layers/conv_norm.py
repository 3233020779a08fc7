"""Convolution, batch normalisation and activation: RegNet's unit of computation."""

import math
from typing import Any

import keras

from keras_regnet.layers import kernels, torch_kernels
from keras_regnet.layers.batch_norm import BatchNormalization
from keras_regnet.layers.composite import CompositeLayer
from keras_regnet.layers.grouped_conv import GroupedConv2D


def convolution_initializer() -> keras.initializers.Initializer:
    """The official one: normal, variance 2 / (rows * columns * filters).

    The fan is not divided by the number of groups (pycls, `models/blocks.py`,
    `init_weights`).
    """
    return keras.initializers.VarianceScaling(
        scale=2.0, mode="fan_out", distribution="untruncated_normal"
    )


@keras.saving.register_keras_serializable(package="keras_regnet")
class ConvNormActivation(CompositeLayer):
    """A convolution without bias, batch normalisation, and an activation.

    Or, where it is fused, a convolution with a bias, and an activation: the same
    function of its input in inference, see `keras_regnet.publishing.fuse`.

    Args:
        filters: Number of output channels.
        kernel_size: Rows and columns of the kernel.
        strides: Stride along height and width.
        groups: Number of groups of the convolution.
        dilation_rate: Dilation of the kernel.
        padding: `"symmetric"`, `"same"` or `"valid"`; see `GroupedConv2D`.
        activation: Name of an activation, or None.
        synchronized: Whether the batch statistics are those of all replicas.
        fused: Whether the batch normalisation has been folded into the convolution.
            Such a layer is for inference: it has no statistics that could learn.
        **kwargs: `name`, `dtype` and the like.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        `(batch, new_height, new_width, filters)`
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 1,
        strides: int = 1,
        groups: int = 1,
        dilation_rate: int = 1,
        padding: str = "symmetric",
        activation: str | None = "relu",
        synchronized: bool = False,
        fused: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.groups = groups
        self.dilation_rate = dilation_rate
        self.padding = padding
        self.activation = keras.activations.get(activation)
        self.synchronized = synchronized
        self.fused = fused

    def build(self, input_shape: tuple) -> None:
        """Creates the weights for an input's shape."""
        shape = self.add_child(
            "conv",
            GroupedConv2D,
            input_shape,
            filters=self.filters,
            kernel_size=self.kernel_size,
            strides=self.strides,
            padding=self.padding,
            groups=self.groups,
            dilation_rate=self.dilation_rate,
            use_bias=self.fused,
            kernel_initializer=convolution_initializer(),
        )
        if not self.fused:
            self.add_child(
                "bn", BatchNormalization, shape, synchronized=self.synchronized
            )
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Computes the unit; `training` is the batch normalisation's."""
        if keras.backend.backend() == "torch":
            return self._call_torch(inputs, training)
        if self._runs_folded(training):
            return self.activation(self._call_folded(inputs))
        outputs = self.conv(inputs)
        if not self.fused:
            outputs = self.bn(outputs, training=training)
        return self.activation(outputs)

    def _runs_folded(self, training: bool | None) -> bool:
        """Whether batch normalisation only scales and shifts, and does so elsewhere."""
        return (
            keras.backend.backend() == "tensorflow"
            and not self.fused
            and self.groups == 1
            and self.compute_dtype == "float32"
            and not (training and self.bn.trainable)
        )

    def _call_folded(self, inputs: Any) -> Any:
        """Scales the kernel, where that is less work than scaling the outputs.

        TensorFlow computes a convolution, a bias and a ReLU in one; see
        `kernels.unfused` for what it does with batch normalisation.
        """
        _, *pixels, _ = self.conv.compute_output_shape(inputs.shape)
        kernel = self.conv.kernel
        if None in pixels or math.prod(pixels) < math.prod(kernel.shape[:3]):
            return self.bn(kernels.unfused(self.conv(inputs)), training=False)
        kernel, bias = kernels.folded_batch_norm(
            kernel, *self.bn.parameters(), self.bn.epsilon
        )
        return keras.ops.add(self.conv.convolution_op(inputs, kernel), bias)

    def _call_torch(self, inputs: Any, training: bool | None) -> Any:
        """The children's kernels without the children's `__call__`.

        That of Keras takes longer than the bookkeeping of all the kernels.
        """
        if training:
            torch_kernels.check_training_is_not_compiled()
        conv, norm = self.conv, None if self.fused else self.bn
        kernel, bias = conv.kernel, conv.bias
        relu = self.activation is keras.activations.relu
        if norm is not None and not (training and norm.trainable):
            pixels = math.prod(inputs.shape[:3]) / math.prod(conv.strides)
            if pixels > math.prod(kernel.shape[:3]):
                kernel, bias = torch_kernels.folded(
                    kernel, *norm.parameters(), norm.epsilon
                )
                norm = None
        outputs = torch_kernels.convolution(
            inputs,
            kernel,
            conv.strides,
            conv.kernel_padding(),
            conv.dilation_rate,
            bias,
            relu and norm is None,
        )
        if norm is not None:
            outputs = norm.normalized(outputs, training, relu=relu)
        return outputs if relu else self.activation(outputs)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The output's shape for an input's."""
        if self.built:
            return self.conv.compute_output_shape(input_shape)
        return GroupedConv2D(
            self.filters,
            self.kernel_size,
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
        ).compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return super().get_config() | {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "groups": self.groups,
            "dilation_rate": self.dilation_rate,
            "padding": self.padding,
            "activation": keras.activations.serialize(self.activation),
            "synchronized": self.synchronized,
            "fused": self.fused,
        }
