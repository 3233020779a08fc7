"""Convolution, batch normalisation and ReLU on the torch backend, without copies.

Keras' own convolution of a `(batch, height, width, channels)` tensor copies it to
`(batch, channels, height, width)` and back to torch's channels_last, which is what it
was before: a contiguous tensor with its axes permuted *is* a channels_last one. Its
batch normalisation is ten operations; torch has one. ReLU overwrites its input here,
as in torch's own networks: new memory is much of what small operations cost on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

if keras.backend.backend() == "torch":
    import torch
    import torch.nn.functional as F

    @torch.compiler.disable
    def _refuse() -> None:
        raise ValueError(
            "torch.compile fails on a training step of Keras' torch backend: its "
            "layers' calls are compiled one by one, for sizes that it takes for "
            "variable. Train with jit_compile=False, the default on torch, or with "
            "KERAS_BACKEND=jax, which compiles the whole step. Received: "
            "jit_compile=True"
        )


def check_training_is_not_compiled() -> None:
    """Raises where torch.compile traces a training step.

    Raises:
        ValueError: It does; the message says what to use instead.
    """
    if torch.compiler.is_compiling() and not torch.compiler.is_exporting():
        _refuse()


def laid_out(initializer: Callable) -> Callable:
    """An initializer of kernels in the order of memory that torch's kernels take.

    By filter, row, column and channel: `(rows, columns, channels, filters)` is then a
    view, and so are the gradient and what an optimizer makes of it. Otherwise torch
    copies kernel and gradient in each step, 2 to 5 % of its time.
    """

    def initialize(shape: tuple[int, ...], dtype: Any = None) -> torch.Tensor:
        values = initializer(shape, dtype=dtype).permute(3, 0, 1, 2)
        return values.contiguous().permute(1, 2, 3, 0)

    return initialize


def convolution(
    inputs: torch.Tensor,
    kernel: Any,
    strides: tuple[int, int],
    padding: str | tuple[int, int],
    dilation_rate: tuple[int, int],
    bias: Any = None,
    relu: bool = False,
) -> torch.Tensor:
    """2-D convolution, channels last, perhaps with a bias and a ReLU.

    Args:
        inputs: Tensor of shape `(batch, height, width, channels)`.
        kernel: Tensor or variable of shape `(rows, columns, channels / groups,
            filters)`.
        strides: Strides along height and width.
        padding: `"same"`, `"valid"`, or the pixels added on both sides along height and
            width.
        dilation_rate: Dilation along height and width.
        bias: Of shape `(filters,)`, or None.
        relu: Whether ReLU is applied.

    Returns:
        Tensor of shape `(batch, new_height, new_width, filters)`.
    """
    kernel = tensor(kernel)
    images = inputs.permute(0, 3, 1, 2)
    if padding == "valid":
        padding = (0, 0)
    elif padding == "same":
        before, after = zip(
            *map(_same, images.shape[2:], kernel.shape[:2], strides, dilation_rate),
            strict=True,
        )
        if before != after:
            images = F.pad(images, (before[1], after[1], before[0], after[0]))
            before = (0, 0)
        padding = before
    outputs = F.conv2d(
        images,
        kernel.permute(3, 2, 0, 1),
        tensor(bias),
        strides,
        padding,
        dilation_rate,
        images.shape[1] // kernel.shape[2],
    )
    return _finished(outputs, relu)


def _same(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Pixels that TensorFlow's padding "same" adds before and after."""
    reach = dilation * (kernel - 1) + 1
    total = reach - 1
    if stride > 1:
        total = max(0, (-(-size // stride) - 1) * stride + reach - size)
    return total // 2, total - total // 2


def batch_norm(
    inputs: torch.Tensor,
    scale: torch.Tensor | None,
    offset: torch.Tensor | None,
    mean: torch.Tensor,
    variance: torch.Tensor,
    epsilon: float,
    training: bool,
    momentum: float,
    relu: bool = False,
) -> torch.Tensor:
    """Batch normalisation by torch's own kernel, perhaps with a ReLU.

    Args:
        inputs: Tensor of shape `(batch, height, width, channels)`, in training with two
            values for each channel at least.
        scale: Gamma, of shape `(channels,)`, or None.
        offset: Beta, or None.
        mean: Running mean. In training it is overwritten with the new one.
        variance: Running variance; the same, with the batch's unbiased variance.
        epsilon: Added to the variance.
        training: Whether the statistics of the batch are used.
        momentum: Share of the old running statistics in the new ones.
        relu: Whether ReLU is applied.

    Returns:
        The normalised tensor.
    """
    outputs = F.batch_norm(
        inputs.permute(0, 3, 1, 2),
        mean,
        variance,
        scale,
        offset,
        training,
        1.0 - momentum,
        epsilon,
    )
    return _finished(outputs, relu)


def folded(
    kernel: Any, scale: Any, offset: Any, mean: Any, variance: Any, epsilon: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """A convolution's kernel with the normalisation after it multiplied into it.

    Running it over all of the activations takes longer than this does.

    Args:
        kernel: Variable or tensor of shape `(rows, columns, channels, filters)`.
        scale: As in `batch_norm`, as all that follows.
        offset: Beta, or None.
        mean: Running mean.
        variance: Running variance.
        epsilon: Added to the variance.

    Returns:
        The kernel and the bias of the convolution that does both, in inference.
    """
    kernel = tensor(kernel)
    scale, offset, mean, variance = map(tensor, (scale, offset, mean, variance))
    factor = torch.rsqrt(variance + epsilon)
    if scale is not None:
        factor = factor * scale
    bias = -mean * factor if offset is None else offset.addcmul(mean, factor, value=-1)
    return (kernel * factor).to(kernel.dtype), bias.to(kernel.dtype)


def relu_of_sum(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """`relu(first + second)`, with one new tensor."""
    return torch.add(first, second).relu_()


def _finished(outputs: torch.Tensor, relu: bool) -> torch.Tensor:
    # Before the axes are permuted: what writes into a view copies its gradient.
    return (outputs.relu_() if relu else outputs).permute(0, 2, 3, 1)


def tensor(value: Any) -> torch.Tensor | None:
    """A variable's tensor, in the dtype of the autocast scope."""
    return value.value if isinstance(value, keras.Variable) else value
