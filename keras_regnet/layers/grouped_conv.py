"""Grouped convolution with one meaning and the fastest correct kernel everywhere.

`keras.layers.Conv2D(groups=...)` compiles every grouped convolution with XLA on the
TensorFlow backend. On a CPU a RegNetX-200MF's training step then takes 40 times
torch's (`scripts/benchmark.py train --stock_layers`). Here the kernel is chosen when
the computation is traced:

* *native*: the backend's own grouped convolution. On TensorFlow that is
  `tf.nn.conv2d` with a kernel of `C_in / groups` input channels (cuDNN on a GPU,
  oneDNN on a CPU).
* *portable*: ordinary convolutions over slices of the channels, joined
  (`grouped_conv_portable.py`). For XLA on a CPU, for TensorFlow without oneDNN, and
  for the dtypes whose native gradient does not exist there.
"""

from typing import Any

import keras
from keras import ops

from keras_regnet.layers.grouped_conv_portable import (
    pointwise_convolution,
    portable_grouped_convolution,
)

_PADDINGS = ("symmetric", "same", "valid")


def _plain_form_is_slow() -> bool:
    """Whether the backend's own grouped convolution is a trap where we run.

    On a JAX CPU (XLA) a forward and backward pass of 16 x 56 x 56 x 64, group width
    16, takes 25 times the portable form's (1093 ms for 44 ms on 2 cores). The torch
    backend's own kernel is fast.
    """
    if keras.backend.backend() != "jax":
        return False
    import jax

    return jax.default_backend() == "cpu"


def grouped_convolution(
    inputs: Any,
    kernel: Any,
    strides: tuple[int, int] = (1, 1),
    padding: str = "valid",
    dilation_rate: tuple[int, int] = (1, 1),
    form: str = "auto",
) -> Any:
    """Grouped 2-D convolution, channels last, by the kernel that suits this place.

    The number of groups follows from the shapes: `channels / kernel.shape[2]`.

    Args:
        inputs: Tensor of shape `(batch, height, width, channels)`.
        kernel: Tensor of shape `(rows, columns, channels / groups, filters)`.
        strides: Strides along height and width.
        padding: `"same"` or `"valid"`.
        dilation_rate: Dilation along height and width.
        form: `"auto"`; or for what will run elsewhere `"native"`, `"portable"`, or
            `"inference"`: the native one without what only training needs.

    Returns:
        Tensor of shape `(batch, new_height, new_width, filters)`.
    """
    arguments = (inputs, kernel, strides, padding, dilation_rate)
    on_tensorflow = keras.backend.backend() == "tensorflow"
    if on_tensorflow:
        from keras_regnet.layers import grouped_conv_tensorflow as tensorflow
    grouped = inputs.shape[-1] != kernel.shape[2]
    if grouped and form == "portable":
        return portable_grouped_convolution(*arguments)
    if grouped and form in ("native", "inference") and on_tensorflow:
        return tensorflow.native_grouped_convolution(*arguments)
    if not grouped:
        pointwise = tuple(kernel.shape[:2]) == (1, 1)
        if pointwise and on_tensorflow and tensorflow.inside_xla_on_cpu():
            return pointwise_convolution(inputs, kernel, strides)
        strided = pointwise and tuple(strides) != (1, 1) and form != "inference"
        if strided and on_tensorflow and inputs.shape[-1] < tensorflow.LEAST_STRIDED:
            inputs, strides = inputs[:, :: strides[0], :: strides[1]], (1, 1)
    elif on_tensorflow:
        if tensorflow.native_is_right_here(inputs.dtype):
            return tensorflow.native_grouped_convolution(*arguments)
        return portable_grouped_convolution(*arguments, tensorflow.inside_xla())
    elif _plain_form_is_slow():
        return portable_grouped_convolution(*arguments, True)
    return ops.conv(inputs, kernel, strides, padding, "channels_last", dilation_rate)


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

    def _pads(self) -> list[int]:
        """Pixels added on each side along height and width before a valid kernel."""
        if self.padding != "symmetric":
            return [0, 0]
        return [
            dilation * (size - 1) // 2
            for size, dilation in zip(self.kernel_size, self.dilation_rate, strict=True)
        ]

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """The convolution without bias and activation. See `keras.layers.Conv2D`."""
        padding = self.padding
        if padding == "symmetric":
            unit = self.strides == (1, 1) and all(k % 2 for k in self.kernel_size)
            padding = "same" if unit else "valid"
            if not unit and any(self._pads()):
                rows, columns = self._pads()
                inputs = ops.pad(
                    inputs, [[0, 0], [rows, rows], [columns, columns], [0, 0]]
                )
        return grouped_convolution(
            inputs, kernel, self.strides, padding, self.dilation_rate, self.form
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
            if size is None:
                sizes.append(None)
                continue
            if self.padding == "same":
                sizes.append(-(-size // stride))
                continue
            new = (size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
            if new < 1:
                raise ValueError(
                    f"The input is smaller than the {kernel}-pixel kernel with "
                    f"dilation {dilation}. Received: input_shape={input_shape}"
                )
            sizes.append(new)
        return (input_shape[0], *sizes, self.filters)
