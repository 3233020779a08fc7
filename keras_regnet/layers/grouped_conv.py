"""Grouped convolution with one meaning and the fastest correct kernel everywhere."""

from typing import Any

import keras

from keras_regnet.layers import kernels, torch_kernels

_PADDINGS = ("symmetric", "same", "valid")


@keras.saving.register_keras_serializable(package="keras_regnet")
class GroupedConv2D(keras.layers.Conv2D):
    """2-D convolution, grouped or not, padded as RegNet's reference code pads.

    Weights, their shapes and their order are those of `keras.layers.Conv2D` with the
    same arguments, whichever kernel runs, so that weights move freely between the two.

    Args:
        filters: Number of output channels.
        kernel_size: An integer or a pair.
        strides: An integer or a pair.
        padding: `"symmetric"` pads `dilation * (kernel_size - 1) // 2` on both sides
            at every stride (as torch does; at stride 2 it keeps a 3x3 window centred
            on the pixels that a 1x1 stride-2 shortcut sees). `"same"` and `"valid"`
            are Keras' own.
        dilation_rate: An integer or a pair.
        groups: Number of groups; divides the input channels and `filters`.
        **kwargs: Further arguments of `keras.layers.Conv2D`. `data_format` can only be
            `"channels_last"`, also where Keras is configured otherwise.

    Attributes:
        form: Which kernel is traced: `"auto"` for the one that suits the place of the
            tracing; or, where the graph will run elsewhere, `"native"`, `"portable"`,
            or `"inference"`: the native one without what only training needs. It is
            not part of the configuration and is not saved.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        `(batch, new_height, new_width, filters)`, with symmetric padding and an odd
        kernel `new_height = (height - 1) // stride + 1`.

    Raises:
        ValueError: An argument is impossible; the message names it.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = (1, 1),
        padding: str = "symmetric",
        dilation_rate: int | tuple[int, int] = (1, 1),
        groups: int = 1,
        **kwargs: Any,
    ) -> None:
        if padding not in _PADDINGS:
            raise ValueError(
                f"`padding` must be one of {_PADDINGS}. Received: padding={padding!r}"
            )
        data_format = kwargs.pop("data_format", None) or "channels_last"
        if data_format != "channels_last":
            raise ValueError(
                "GroupedConv2D computes channels last only. Received: "
                f"data_format={data_format!r}"
            )
        super().__init__(
            filters,
            kernel_size,
            strides=strides,
            padding="valid" if padding == "symmetric" else padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            groups=groups,
            **kwargs,
        )
        self.padding = padding
        self.form = "auto"

    def build(self, input_shape: tuple) -> None:
        """Creates the weights for an input's shape."""
        initializer = self.kernel_initializer
        if keras.backend.backend() == "torch":
            self.kernel_initializer = torch_kernels.laid_out(initializer)
        super().build(input_shape)
        self.kernel_initializer = initializer

    def _pads(self) -> tuple[int, int]:
        """Pixels added on each side along height and width."""
        rows, columns = (
            dilation * (size - 1) // 2
            for size, dilation in zip(self.kernel_size, self.dilation_rate, strict=True)
        )
        return rows, columns

    def kernel_padding(self) -> kernels.Padding:
        """The padding as `kernels.convolution` takes it."""
        if self.padding != "symmetric":
            return self.padding
        unit = self.strides == (1, 1) and all(k % 2 for k in self.kernel_size)
        return "same" if unit else self._pads()

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """The convolution without bias and activation. See `keras.layers.Conv2D`."""
        return kernels.convolution(
            inputs,
            kernel,
            self.strides,
            self.kernel_padding(),
            self.dilation_rate,
            self.form,
        )

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The output's shape for an input's."""
        sizes = []
        for size, pad, kernel, stride, dilation in zip(
            input_shape[1:3],
            self._pads(),
            self.kernel_size,
            self.strides,
            self.dilation_rate,
            strict=True,
        ):
            padding = pad if self.padding == "symmetric" else self.padding
            new = kernels.output_size(size, kernel, stride, padding, dilation)
            if new is not None and new < 1:
                raise ValueError(
                    f"The input is smaller than the {kernel}-pixel kernel with "
                    f"dilation {dilation}. Received: input_shape={input_shape}"
                )
            sizes.append(new)
        return (input_shape[0], *sizes, self.filters)
