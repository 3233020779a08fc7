"""Grouped convolution as ordinary convolutions over slices of the channels.

Narrow groups are merged to slices of `MERGED_WIDTH` input channels with a
block-diagonal kernel: the zeros cost less than many small kernels do. Measured forward
and backward on 2 cores with XLA, 16 x 7 x 7 x 368, group width 8: 6.0 ms one slice a
group, 3.4 ms merged to 32, 4.8 ms merged to 64; 16 x 14 x 14 x 384, group width 16:
12.6, 10.9 and 14.5 ms; and half the time to compile. From group width 32 on merging
only costs.

XLA's gradients of a strided convolution on a CPU are slow: transposes of the whole
input, and a convolution over an input spread with zeros. There a 3x3 convolution with
stride 2 becomes a 2x2 one without stride over the four phases of the pixels, stacked as
channels: 32 x 112 x 112 x 24 takes 36 ms for 122 ms, 32 x 56 x 56 x 56 18 ms for 24 ms,
and a RegNetX-200MF's training step 0.55 s for 0.58 s. Without XLA that only costs.
"""

from typing import Any

from keras import ops

MERGED_WIDTH = 32
"""Input channels to which narrow groups are merged."""


def portable_grouped_convolution(
    inputs: Any,
    kernel: Any,
    strides: tuple[int, int],
    padding: str,
    dilation_rate: tuple[int, int],
    compiled_by_xla: bool = False,
) -> Any:
    """Grouped 2-D convolution, channels last.

    Args:
        inputs: Tensor of shape `(batch, height, width, channels)`.
        kernel: Tensor of shape `(rows, columns, group_width, filters)`, the filters
            ordered group by group, as in `keras.layers.Conv2D(groups=...)`.
        strides: Strides along height and width.
        padding: `"same"` or `"valid"`.
        dilation_rate: Dilation along height and width.
        compiled_by_xla: Whether the form that suits XLA on a CPU is to be taken.

    Returns:
        Tensor of shape `(batch, new_height, new_width, filters)`.
    """
    rows, columns, group_width, filters = kernel.shape
    by_phases = (
        compiled_by_xla
        and padding == "valid"
        and tuple(strides) == (2, 2)
        and (rows, columns) == (3, 3)
        and tuple(dilation_rate) == (1, 1)
        and None not in inputs.shape[1:3]
    )
    groups = inputs.shape[-1] // group_width
    group_filters = filters // groups
    merged = max(1, MERGED_WIDTH // group_width)
    slices = []
    for start in range(0, groups, merged):
        count = min(merged, groups - start)
        part = inputs[..., start * group_width : (start + count) * group_width]
        weights = kernel[..., start * group_filters : (start + count) * group_filters]
        if count > 1:
            weights = _block_diagonal(weights, count)
        if by_phases:
            slices.append(_convolve_phases(part, weights))
        else:
            slices.append(
                ops.conv(
                    part, weights, strides, padding, "channels_last", dilation_rate
                )
            )
    return ops.concatenate(slices, axis=-1) if len(slices) > 1 else slices[0]


def pointwise_convolution(inputs: Any, kernel: Any, strides: tuple[int, int]) -> Any:
    """An ordinary 1x1 convolution, channels last, as a product of two matrices.

    XLA on a CPU transposes whole tensors for a convolution's gradients and not for a
    product's: a training step of RegNetX32 (32 x 32, batch 128) takes 44 ms for 54 ms.
    Without XLA it is as fast as the convolution.

    Args:
        inputs: Tensor of shape `(batch, height, width, channels)`.
        kernel: Tensor of shape `(1, 1, channels, filters)`.
        strides: Strides along height and width.

    Returns:
        Tensor of shape `(batch, new_height, new_width, filters)`.
    """
    if tuple(strides) != (1, 1):
        inputs = inputs[:, :: strides[0], :: strides[1]]
    channels, filters = kernel.shape[2:]
    outputs = ops.matmul(ops.reshape(inputs, (-1, channels)), kernel[0, 0])
    return ops.reshape(outputs, (*ops.shape(inputs)[:3], filters))


def _block_diagonal(kernel: Any, count: int) -> Any:
    """The ungrouped kernel, zeros included, that does what `count` groups do."""
    rows, columns, width, filters = kernel.shape
    kernel = ops.reshape(kernel, (rows, columns, 1, width, count, filters // count))
    diagonal = ops.reshape(
        ops.eye(count, dtype=kernel.dtype), (1, 1, count, 1, count, 1)
    )
    return ops.reshape(kernel * diagonal, (rows, columns, count * width, filters))


def _convolve_phases(inputs: Any, kernel: Any) -> Any:
    """An ordinary valid 3x3 convolution with stride 2, without a stride."""
    _, height, width, channels = inputs.shape
    inputs = ops.pad(inputs, [[0, 0], [0, height % 2], [0, width % 2], [0, 0]])
    rows, columns = (height + 1) // 2, (width + 1) // 2
    inputs = ops.reshape(inputs, (-1, rows, 2, columns, 2, channels))
    inputs = ops.reshape(
        ops.transpose(inputs, (0, 1, 3, 2, 4, 5)), (-1, rows, columns, 4 * channels)
    )
    filters = kernel.shape[-1]
    kernel = ops.pad(kernel, [[0, 1], [0, 1], [0, 0], [0, 0]])
    kernel = ops.reshape(kernel, (2, 2, 2, 2, channels, filters))
    kernel = ops.reshape(
        ops.transpose(kernel, (0, 2, 1, 3, 4, 5)), (2, 2, 4 * channels, filters)
    )
    return ops.conv(inputs, kernel, 1, "valid", "channels_last")
