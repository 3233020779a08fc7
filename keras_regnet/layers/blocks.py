"""The blocks of RegNet, and the plain ones that the paper's ablations compare with."""

from typing import Any

import keras

from keras_regnet.layers import torch_kernels
from keras_regnet.layers.composite import CompositeLayer
from keras_regnet.layers.conv_norm import ConvNormActivation
from keras_regnet.layers.squeeze_excite import SqueezeExcite


class _Block(CompositeLayer):
    """What all blocks share: arguments, a branch, a shortcut, their sum, ReLU.

    Subclasses list the units of their branch in `_branch_units`.
    """

    has_shortcut = True

    def __init__(
        self,
        filters: int,
        strides: int = 1,
        dilation_rate: int = 1,
        projection: bool | None = None,
        stochastic_depth: float = 0.0,
        padding: str = "symmetric",
        synchronized: bool = False,
        fused: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (
            ("filters", filters),
            ("strides", strides),
            ("dilation_rate", dilation_rate),
        ):
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"`{name}` must be a positive integer. Received: {name}={value!r}"
                )
        if not 0.0 <= stochastic_depth < 1.0:
            raise ValueError(
                "`stochastic_depth` is the probability of leaving the branch out, at "
                "least 0 and below 1. Received: "
                f"stochastic_depth={stochastic_depth!r}"
            )
        self.filters = filters
        self.strides = strides
        self.dilation_rate = dilation_rate
        self.projection = projection
        self.stochastic_depth = stochastic_depth
        self.padding = padding
        self.synchronized = synchronized
        self.fused = fused
        self.downsample = None
        self.drop_path = None

    def _branch_units(
        self, input_width: int
    ) -> list[tuple[str, type[keras.layers.Layer], dict[str, Any]]]:
        """Name, class and arguments of each unit of the branch, in order."""
        raise NotImplementedError

    def _unit(self, name: str, filters: int, kernel_size: int, **arguments: Any) -> Any:
        """One convolution unit of the branch, for `_branch_units`."""
        return (
            name,
            ConvNormActivation,
            {
                "filters": filters,
                "kernel_size": kernel_size,
                "padding": self.padding,
                "synchronized": self.synchronized,
                "fused": self.fused,
            }
            | arguments,
        )

    def build(self, input_shape: tuple) -> None:
        """Creates the weights for an input's shape."""
        shape = input_shape
        for name, layer, arguments in self._branch_units(input_shape[-1]):
            shape = self.add_child(name, layer, shape, **arguments)
        if self.stochastic_depth:
            self.add_child(
                "drop_path",
                keras.layers.Dropout,
                shape,
                rate=self.stochastic_depth,
                noise_shape=(None, 1, 1, 1),
            )
        changes = input_shape[-1] != self.filters or self.strides != 1
        if self.projection is False and changes:
            raise ValueError(
                "Without a projection the shortcut must keep the width and the size. "
                f"Received: input_shape={input_shape}, filters={self.filters}, "
                f"strides={self.strides}, projection=False"
            )
        if self.has_shortcut and (self.projection or changes):
            self.add_child(
                "downsample",
                ConvNormActivation,
                input_shape,
                filters=self.filters,
                strides=self.strides,
                padding=self.padding,
                activation=None,
                synchronized=self.synchronized,
                fused=self.fused,
            )
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Computes the block.

        Args:
            inputs: Tensor of shape `(batch, height, width, channels)`.
            training: Whether batch normalisation and stochastic depth train.
        """
        outputs = inputs
        for child in self.layers:
            if child is self.downsample:
                continue
            if isinstance(child, SqueezeExcite):
                outputs = self.run_child(child, outputs)
            else:
                outputs = self.run_child(child, outputs, training=training)
        if not self.has_shortcut:
            return outputs
        shortcut = inputs
        if self.downsample is not None:
            shortcut = self.run_child(self.downsample, inputs, training=training)
        if keras.backend.backend() == "torch":
            return torch_kernels.relu_of_sum(outputs, shortcut)
        return keras.ops.relu(outputs + shortcut)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The output's shape for an input's."""
        sizes = (None if n is None else -(-n // self.strides) for n in input_shape[1:3])
        return (input_shape[0], *sizes, self.filters)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal block."""
        return super().get_config() | {
            "filters": self.filters,
            "strides": self.strides,
            "dilation_rate": self.dilation_rate,
            "projection": self.projection,
            "stochastic_depth": self.stochastic_depth,
            "padding": self.padding,
            "synchronized": self.synchronized,
            "fused": self.fused,
        }


@keras.saving.register_keras_serializable(package="keras_regnet")
class XBlock(_Block):
    """The X block: a residual bottleneck with a grouped convolution (paper, fig. 4).

    1x1 convolution to `filters / bottleneck_ratio` channels, 3x3 grouped convolution
    with the stride, 1x1 convolution to `filters`; batch normalisation after each, ReLU
    after the first two and after the sum with the shortcut. The shortcut is a 1x1
    convolution with batch normalisation where the width or the size changes.

    Args:
        filters: Number of output channels, w in the paper.
        group_width: Channels of a group, g. Must divide the bottleneck's width.
        strides: Stride of the 3x3 convolution and of the shortcut.
        bottleneck_ratio: The paper's b: the bottleneck has `filters / b` channels.
        dilation_rate: Dilation of the 3x3 convolution.
        projection: Whether the shortcut has a convolution; None: where it must.
        stochastic_depth: Probability of leaving the branch out of a training example.
        padding: `"symmetric"` (the official one) or `"same"`; see `GroupedConv2D`.
        synchronized: Whether batch statistics are those of all replicas.
        fused: Whether the batch normalisations have been folded into the convolutions,
            for inference alone; see `ConvNormActivation`.
        **kwargs: `name`, `dtype` and the like.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        `(batch, ceil(height / strides), ceil(width / strides), filters)`

    Raises:
        ValueError: An argument is impossible; the message names it.
    """

    def __init__(
        self,
        filters: int,
        group_width: int,
        strides: int = 1,
        bottleneck_ratio: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters, strides=strides, **kwargs)
        if not bottleneck_ratio > 0 or round(filters / bottleneck_ratio) < 1:
            raise ValueError(
                "`bottleneck_ratio` must be positive and leave at least one channel. "
                f"Received: bottleneck_ratio={bottleneck_ratio!r}, filters={filters}"
            )
        width = round(filters / bottleneck_ratio)
        if not isinstance(group_width, int) or group_width < 1 or width % group_width:
            raise ValueError(
                f"`group_width` must divide the bottleneck's {width} channels. "
                f"Received: group_width={group_width!r}, filters={filters}, "
                f"bottleneck_ratio={bottleneck_ratio}"
            )
        self.group_width = group_width
        self.bottleneck_ratio = bottleneck_ratio

    def _branch_units(self, input_width: int) -> list:
        width = round(self.filters / self.bottleneck_ratio)
        return [
            self._unit("conv1", width, 1),
            self._unit(
                "conv2",
                width,
                3,
                strides=self.strides,
                groups=width // self.group_width,
                dilation_rate=self.dilation_rate,
            ),
            self._unit("conv3", self.filters, 1, activation=None),
        ]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal block."""
        return super().get_config() | {
            "group_width": self.group_width,
            "bottleneck_ratio": self.bottleneck_ratio,
        }


@keras.saving.register_keras_serializable(package="keras_regnet")
class YBlock(XBlock):
    """The Y block: an X block with squeeze-and-excitation after the 3x3 convolution.

    Args:
        filters: Number of output channels.
        group_width: Channels of a group.
        strides: Stride of the 3x3 convolution and of the shortcut.
        bottleneck_ratio: The paper's b.
        squeeze_excite_ratio: The squeezed width as a fraction of the *block's input*
            width, rounded (pycls, `models/anynet.py`; paper, section 5).
        **kwargs: The further arguments of `XBlock`.
    """

    def __init__(
        self,
        filters: int,
        group_width: int,
        strides: int = 1,
        bottleneck_ratio: float = 1.0,
        squeeze_excite_ratio: float = 0.25,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters, group_width, strides, bottleneck_ratio, **kwargs)
        if not squeeze_excite_ratio > 0:
            raise ValueError(
                "`squeeze_excite_ratio` must be positive; a block without it is an "
                f"XBlock. Received: squeeze_excite_ratio={squeeze_excite_ratio!r}"
            )
        self.squeeze_excite_ratio = squeeze_excite_ratio

    def _branch_units(self, input_width: int) -> list:
        first, second, third = super()._branch_units(input_width)
        width = max(1, round(input_width * self.squeeze_excite_ratio))
        return [first, second, ("se", SqueezeExcite, {"width": width}), third]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal block."""
        return super().get_config() | {
            "squeeze_excite_ratio": self.squeeze_excite_ratio
        }


@keras.saving.register_keras_serializable(package="keras_regnet")
class ResBasicBlock(_Block):
    """The residual basic block: two 3x3 convolutions and a shortcut.

    pycls' `res_basic_block`. Arguments as `XBlock`, without groups and bottleneck;
    both convolutions are dilated by `dilation_rate`.
    """

    def _branch_units(self, input_width: int) -> list:
        return [
            self._unit(
                "conv1",
                self.filters,
                3,
                strides=self.strides,
                dilation_rate=self.dilation_rate,
            ),
            self._unit(
                "conv2",
                self.filters,
                3,
                dilation_rate=self.dilation_rate,
                activation=self._last_activation,
            ),
        ]

    _last_activation: str | None = None


@keras.saving.register_keras_serializable(package="keras_regnet")
class VanillaBlock(ResBasicBlock):
    """Two 3x3 convolutions with batch normalisation and ReLU, without a shortcut.

    pycls' `vanilla_block`. Arguments as `ResBasicBlock`; `stochastic_depth` must be 0,
    since nothing would be left.
    """

    has_shortcut = False
    _last_activation = "relu"

    def __init__(self, filters: int, strides: int = 1, **kwargs: Any) -> None:
        super().__init__(filters, strides=strides, **kwargs)
        if self.stochastic_depth:
            raise ValueError(
                "A block without a shortcut cannot be left out. Received: "
                f"stochastic_depth={self.stochastic_depth}"
            )
