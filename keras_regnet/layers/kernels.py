"""The kernels of convolution and batch normalisation, and where each is right and fast.

`keras.layers.Conv2D(groups=...)` compiles every grouped convolution with XLA on the
TensorFlow backend. On a CPU a RegNetX-200MF's training step then takes 40 times
torch's (`scripts/benchmark.py train --stock_layers`). Here the kernel is chosen when
the computation is traced (`convolution`):

* *native*: the backend's own grouped convolution. On TensorFlow that is
  `tf.nn.conv2d` with a kernel of `C_in / groups` input channels: cuDNN on a GPU, oneDNN
  on a CPU. Without oneDNN a CPU has no gradient of it, and fails at run time where
  TensorFlow's optimizer has fused it with what follows.
* *portable*: ordinary convolutions over slices of the channels
  (`sliced_convolution`), for TensorFlow without oneDNN, and for the dtypes whose native
  gradient does not exist there.
  Under XLA on a CPU, and for JAX on a CPU, in the operations that XLA compiles well
  (`sliced_convolution_by_keras`).

A graph is often traced on one machine and run on another. So the native kernel is
fenced from the optimizer, and where a SavedModel is being written its gradient is the
portable one: every graph that is traced here runs on every CPU and GPU.

This is the one file with private names of TensorFlow, for two questions that have no
public answer: `control_flow_util.GraphOrParentsInXlaContext` and
`save_context.in_save_context`. Checked with TensorFlow 2.21; `tests/layers/
test_kernels.py` fails when they stop answering.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_regnet import environment
from keras_regnet.layers import torch_kernels

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util
    from tensorflow.python.saved_model import save_context

IMPLEMENTATIONS = ("auto", "native", "portable", "inference")

SLICE_WIDTH = 16
"""Input channels to which narrow groups are merged, with a block-diagonal kernel.

The zeros cost less than many small kernels do. Forward and backward on two AVX2 cores
without oneDNN, groups of 8: 32 x 14 x 14 x 152 takes 16 ms merged to 16 channels, 25 ms
to 32; with oneDNN 11 and 16 ms.
"""

XLA_SLICE_WIDTH = 32
"""The same under XLA on a CPU, and for inputs of fewer channels than this.

Forward and backward on 2 cores, 16 x 7 x 7 x 368, group width 8: 6.0 ms one slice a
group, 3.4 ms merged to 32, 4.8 ms merged to 64; 16 x 14 x 14 x 384, group width 16:
12.6, 10.9 and 14.5 ms; and half the time to compile.
"""

MIN_PRODUCT_CHANNELS = 128
"""Channels, before and after, from which on a 1x1 convolution has products of matrices
for its gradients on a CPU. With fewer, oneDNN's own are as fast or faster.
"""

MIN_STRIDED_CHANNELS = 16
"""Input channels from which on a 1x1 convolution may have a stride.

With fewer of them oneDNN writes outside its memory in the gradient of the kernel: with
61 images of 48 x 48 pixels the process ends in a segmentation fault or an abort (4, 6,
8 and 12 channels; TensorFlow 2.21 on x86 with AVX-512; with 16 and more no size that
was tried does so). Pixels are left out first then, which gives the same numbers; always
doing so would make a training step 7 to 12 % longer.
"""

Padding = str | tuple[int, int]
"""`"same"`, `"valid"`, or the pixels added on both sides of the rows and columns."""


def output_size(
    size: int | None, kernel: int, stride: int, padding: Padding | int, dilation: int
) -> int | None:
    """A convolution's output pixels along one axis; None for an unknown input's.

    Args:
        size: Pixels of the input.
        kernel: Of the kernel, without dilation.
        stride: The stride.
        padding: `"same"`, `"valid"`, or the pixels added on both sides.
        dilation: The dilation.
    """
    if size is None:
        return None
    if padding == "same":
        return -(-size // stride)
    pad = 0 if padding == "valid" else padding
    return (size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1


# --- Questions to the place where the computation is traced --------------------------


def device_type() -> str:
    """Type of the device that the code being traced or run is placed on, as `"GPU"`.

    `tf.device` decides, in the graph or around the call that traces it, and without it
    TensorFlow. (A graph that was traced before stays as it is under another device.)
    """
    placed = tf.constant(0.0).device or _device_outside_graphs()
    return tf.DeviceSpec.from_string(placed).device_type or "CPU"


def _device_outside_graphs() -> str:
    with tf.init_scope():
        return tf.constant(0.0).device or ""


def inside_xla() -> bool:
    """Whether the code being traced will be compiled by XLA."""
    if tf.executing_eagerly():
        return False
    graph = tf.compat.v1.get_default_graph()
    return control_flow_util.GraphOrParentsInXlaContext(graph)


def inside_xla_on_cpu() -> bool:
    """Whether the code being traced will be compiled by XLA for a CPU."""
    return inside_xla() and device_type() == "CPU"


def check_loss_scaling_is_possible() -> None:
    """Raises where float16 is trained in a step that XLA compiles for many replicas.

    Keras' LossScaleOptimizer leaves the replicas' own graphs there, which fails with a
    message that names neither.

    Raises:
        ValueError: It is; the message says what to use instead.
    """
    if keras.backend.backend() != "tensorflow" or not inside_xla():
        return
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if replicas > 1:
        raise ValueError(
            "mixed_float16 with jit_compile=True trains on one replica only, since XLA "
            "cannot compile how the loss is scaled over several. Use "
            "jit_compile=False, or the dtype mixed_bfloat16. "
            f"Received: {replicas} replicas"
        )


def being_saved() -> bool:
    """Whether the code is traced for a SavedModel that is being written.

    True while TensorFlow traces the gradients of custom functions for it, which is when
    the answer counts; the functions themselves are traced before.
    """
    return save_context.in_save_context()


@functools.cache
def cpu_has_native_gradient(dtype: str) -> bool:
    """Whether this TensorFlow differentiates a grouped convolution on its CPU.

    Found out by trying a tiny one, since no public question answers it: it depends on
    the build, the processor, `TF_ENABLE_ONEDNN_OPTS` and the dtype.

    Args:
        dtype: Name of a floating point dtype, for example `"float32"`.
    """
    # An eager context: the question may come up while a graph is being traced. There
    # no tape records, so that the two gradients are asked for by name.
    arguments = {"strides": [1, 1, 1, 1], "padding": "SAME"}
    with tf.init_scope(), tf.device("CPU:0"):
        inputs = tf.ones((2, 4, 4, 4), dtype)
        kernel = tf.ones((3, 3, 2, 4), dtype)
        try:
            by_input = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=inputs.shape,
                filter=kernel,
                out_backprop=inputs,
                **arguments,
            )
            by_kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=inputs,
                filter_sizes=kernel.shape,
                out_backprop=inputs,
                **arguments,
            )
        except (
            tf.errors.InvalidArgumentError,
            tf.errors.UnimplementedError,
            tf.errors.NotFoundError,
        ):
            return False
        # A pixel inside is seen by 9 taps of 2 filters, a middle tap by 32 pixels.
        right = tf.reduce_all(by_input[:, 1:3, 1:3] == 18)
        return bool(right & tf.reduce_all(by_kernel[1, 1] == 32))


def native_is_right(dtype: Any) -> bool:
    """Whether the native kernel trains, and is fast, where the code is traced."""
    if device_type() != "CPU":
        return True
    if inside_xla():
        return False
    dtype = tf.as_dtype(dtype).name
    if cpu_has_native_gradient(dtype):
        return True
    if dtype == "float32":
        environment.hint_at_onednn()
    return False


# --- Convolution ---------------------------------------------------------------------


def convolution(
    inputs: Any,
    kernel: Any,
    strides: tuple[int, int] = (1, 1),
    padding: Padding = "valid",
    dilation_rate: tuple[int, int] = (1, 1),
    implementation: str = "auto",
) -> Any:
    """2-D convolution, channels last, by the kernel that suits this place.

    The number of groups follows from the shapes: `channels / kernel.shape[2]`.

    Args:
        inputs: Tensor of shape `(batch, height, width, channels)`.
        kernel: Tensor of shape `(rows, columns, channels / groups, filters)`, the
            filters ordered group by group, as in `keras.layers.Conv2D(groups=...)`.
        strides: Strides along height and width.
        padding: `"same"`, `"valid"`, or the pixels added on both sides along height and
            width.
        dilation_rate: Dilation along height and width.
        implementation: `"auto"`; or for what will run elsewhere `"native"`,
            `"portable"`, or `"inference"`: one operation of the backend for each
            convolution, without what only training and other machines need.

    Returns:
        Tensor of shape `(batch, new_height, new_width, filters)`.

    Raises:
        ValueError: `implementation` is unknown.
    """
    if implementation not in IMPLEMENTATIONS:
        raise ValueError(
            f"`implementation` must be one of {IMPLEMENTATIONS}. "
            f"Received: implementation={implementation!r}"
        )
    arguments = (inputs, kernel, strides, padding, dilation_rate)
    if keras.backend.backend() == "torch":
        return torch_kernels.convolution(*arguments)
    grouped = inputs.shape[-1] != kernel.shape[2]
    if keras.backend.backend() != "tensorflow":
        portable = implementation == "portable" or _native_is_slow_outside_tensorflow()
        if grouped and portable:
            return sliced_convolution_by_keras(*arguments)
        return _plain_convolution(*arguments)
    if implementation == "inference":
        return _plain_tensorflow_convolution(*arguments)
    if not grouped:
        return _ungrouped_convolution(*arguments)
    if implementation == "auto":
        implementation = "native" if native_is_right(inputs.dtype) else "portable"
    if implementation == "native":
        return native_convolution(*arguments)
    return sliced_convolution(*arguments)


def _native_is_slow_outside_tensorflow() -> bool:
    """Whether the backend's own grouped convolution is a trap where we run.

    On a JAX CPU (XLA) a forward and backward pass of 16 x 56 x 56 x 64, group width
    16, takes 25 times the portable form's (1093 ms for 44 ms on 2 cores).
    """
    if keras.backend.backend() != "jax":
        return False
    import jax

    return jax.default_backend() == "cpu"


def _padded(inputs: Any, padding: Padding) -> tuple[Any, str]:
    """The inputs with their padding around them, and the padding that is left."""
    if isinstance(padding, str):
        return inputs, padding
    rows, columns = padding
    if rows or columns:
        inputs = ops.pad(inputs, [[0, 0], [rows, rows], [columns, columns], [0, 0]])
    return inputs, "valid"


def _plain_convolution(
    inputs: Any,
    kernel: Any,
    strides: tuple[int, int],
    padding: Padding,
    dilation_rate: tuple[int, int],
) -> Any:
    inputs, padding = _padded(inputs, padding)
    return ops.conv(inputs, kernel, strides, padding, "channels_last", dilation_rate)


def _plain_tensorflow_convolution(
    inputs: tf.Tensor,
    kernel: tf.Tensor,
    strides: tuple[int, int],
    padding: Padding,
    dilation_rate: tuple[int, int],
) -> tf.Tensor:
    inputs, padding = _padded(inputs, padding)
    return tf.nn.conv2d(
        inputs, kernel, strides, padding.upper(), dilations=dilation_rate
    )


def _ungrouped_convolution(
    inputs: tf.Tensor,
    kernel: tf.Tensor,
    strides: tuple[int, int],
    padding: Padding,
    dilation_rate: tuple[int, int],
) -> tf.Tensor:
    pointwise = tuple(kernel.shape[:2]) == (1, 1)
    if pointwise and inside_xla_on_cpu():
        return pointwise_convolution(inputs, kernel, strides)
    strided = tuple(strides) != (1, 1)
    if pointwise and strided and inputs.shape[-1] < MIN_STRIDED_CHANNELS:
        inputs, strides = inputs[:, :: strides[0], :: strides[1]], (1, 1)
    if tuple(dilation_rate) != (1, 1):
        return _plain_convolution(inputs, kernel, strides, padding, dilation_rate)
    padded = padding not in ("same", "valid", (0, 0))
    if pointwise and not strided and not padded and inputs.dtype == tf.float32:
        wide = min(kernel.shape[2:]) >= MIN_PRODUCT_CHANNELS
        if wide and device_type() == "CPU" and not inside_xla():
            return _pointwise_with_products(inputs, kernel)
    if isinstance(padding, str):
        padding = padding.upper()
    else:
        # Within the convolution: a pad operation makes a strided layer a fifth slower.
        rows, columns = padding
        padding = [[0, 0], [rows, rows], [columns, columns], [0, 0]]
    return tf.nn.conv2d(inputs, kernel, strides, padding)


def _pointwise_with_products(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """A 1x1 convolution without padding whose gradients are products of matrices.

    On a CPU they take 0.6 to 0.95 of the time of the convolution's gradients, with
    oneDNN and without (RegNetX-200MF and X-3.2GF's shapes, AVX2, 2 cores). Forward the
    convolution is as fast, and TensorFlow fuses it with what follows.
    """

    @tf.custom_gradient
    def convolve(
        inputs: tf.Tensor, kernel: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            by_inputs, by_kernel = _pointwise_gradient(*kernel.shape[2:])(
                inputs, kernel, upstream
            )
            by_inputs.set_shape(inputs.shape)
            return by_inputs, by_kernel

        return tf.nn.conv2d(inputs, kernel, 1, "VALID"), gradient

    return convolve(inputs, tf.convert_to_tensor(kernel))


@functools.cache
def _pointwise_gradient(channels: int, filters: int) -> Callable:
    """The gradients of a 1x1 convolution; a graph function that equal layers share."""
    images = tf.TensorSpec((None, None, None, channels), tf.float32)
    weights = tf.TensorSpec((1, 1, channels, filters), tf.float32)
    upstreams = tf.TensorSpec((None, None, None, filters), tf.float32)

    @tf.function(input_signature=[images, weights, upstreams], autograph=False)
    def backward(
        inputs: tf.Tensor, kernel: tf.Tensor, upstream: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        rows = tf.reshape(upstream, (-1, filters))
        by_inputs = tf.matmul(rows, kernel[0, 0], transpose_b=True)
        by_kernel = tf.matmul(
            tf.reshape(inputs, (-1, channels)), rows, transpose_a=True
        )
        return (
            tf.reshape(by_inputs, tf.shape(inputs)),
            tf.reshape(by_kernel, (1, 1, channels, filters)),
        )

    return backward


def native_convolution(
    inputs: tf.Tensor,
    kernel: tf.Tensor,
    strides: tuple[int, int],
    padding: Padding,
    dilation_rate: tuple[int, int],
) -> tf.Tensor:
    """`tf.nn.conv2d` with a grouped kernel; arguments as `convolution`.

    In a SavedModel its gradient is the portable one.
    """
    inputs, padding = _padded(inputs, padding)
    attributes = {
        "strides": [1, *strides, 1],
        "padding": padding.upper(),
        "dilations": [1, *dilation_rate, 1],
    }

    @tf.custom_gradient
    def convolve(
        inputs: tf.Tensor, kernel: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
        outputs = tf.raw_ops.Conv2D(input=inputs, filter=kernel, **attributes)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            if being_saved():
                return _sliced_gradient(
                    inputs, kernel, upstream, strides, padding, dilation_rate
                )
            by_inputs = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(inputs),
                filter=kernel,
                out_backprop=upstream,
                **attributes,
            )
            by_kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=inputs,
                filter_sizes=kernel.shape,
                out_backprop=upstream,
                **attributes,
            )
            by_inputs.set_shape(inputs.shape)
            return by_inputs, by_kernel

        # Keeps TensorFlow's optimizer from fusing the convolution with what follows:
        # the fused kernel of a CPU without oneDNN refuses groups.
        return tf.ensure_shape(outputs, (None, None, None, outputs.shape[-1])), gradient

    return convolve(inputs, tf.convert_to_tensor(kernel))


def sliced_convolution(
    inputs: tf.Tensor,
    kernel: tf.Tensor,
    strides: tuple[int, int],
    padding: Padding,
    dilation_rate: tuple[int, int],
) -> tf.Tensor:
    """Grouped convolution by ordinary ones over slices; arguments as `convolution`.

    Narrow groups are merged to slices of `SLICE_WIDTH` input channels. The gradient is
    written out: that of indexing is a padded tensor of full size for each slice.
    """
    arguments = (strides, padding, dilation_rate)
    if inside_xla() or tuple(dilation_rate) != (1, 1):
        return sliced_convolution_by_keras(inputs, kernel, *arguments)
    shape = tuple(kernel.shape)
    pads = (padding, padding) if isinstance(padding, str) else padding
    sizes = map(output_size, inputs.shape[1:3], shape[:2], strides, pads, dilation_rate)
    static_shape = (inputs.shape[0], *sizes, shape[3])

    @tf.custom_gradient
    def convolve(
        inputs: tf.Tensor, kernel: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return _sliced_gradient(inputs, kernel, upstream, *arguments)

        forward, _ = _slices(inputs.dtype, inputs.shape[-1], shape, strides, padding)
        outputs = forward(inputs, kernel)
        outputs.set_shape(static_shape)
        return outputs, gradient

    return convolve(inputs, tf.convert_to_tensor(kernel))


def _sliced_gradient(
    inputs: tf.Tensor,
    kernel: tf.Tensor,
    upstream: tf.Tensor,
    strides: tuple[int, int],
    padding: Padding,
    dilation_rate: tuple[int, int],
) -> tuple[tf.Tensor, tf.Tensor]:
    """The gradients of `sliced_convolution` by its inputs and its kernel."""
    if tuple(dilation_rate) != (1, 1):
        with tf.GradientTape() as tape:
            tape.watch([inputs, kernel])
            outputs = sliced_convolution_by_keras(
                inputs, kernel, strides, padding, dilation_rate
            )
        return tuple(tape.gradient(outputs, [inputs, kernel], upstream))
    _, backward = _slices(
        inputs.dtype, inputs.shape[-1], tuple(kernel.shape), strides, padding
    )
    by_inputs, by_kernel = backward(inputs, kernel, upstream)
    by_inputs.set_shape(inputs.shape)
    return by_inputs, by_kernel


@functools.cache
def _slices(
    dtype: tf.DType,
    channels: int,
    kernel_shape: tuple[int, int, int, int],
    strides: tuple[int, int],
    padding: Padding,
) -> tuple[Callable, Callable]:
    """The sliced convolution of one geometry and its gradients, as graph functions.

    Functions, so that equal layers share them: each is traced once, for all image
    sizes, which is most of what the first call of a network costs.

    Returns:
        `forward(inputs, kernel)` gives the outputs; `backward(inputs, kernel,
        upstream)` the gradients by the inputs and by the kernel.
    """
    rows, columns, width, filters = kernel_shape
    groups = channels // width
    merged_width = SLICE_WIDTH if channels >= XLA_SLICE_WIDTH else XLA_SLICE_WIDTH
    merged = max(1, min(groups, merged_width // width))
    whole, rest = divmod(groups, merged)
    counts = [merged] * whole + [rest] * bool(rest)
    group_filters = filters // groups
    widths = [count * width for count in counts]
    depths = [count * group_filters for count in counts]
    attributes = {"strides": [1, *strides, 1]}
    if isinstance(padding, str):
        attributes["padding"] = padding.upper()
    else:
        attributes["padding"] = "EXPLICIT"
        pads = [pad for pad in padding for _ in range(2)]
        attributes["explicit_paddings"] = [0, 0, *pads, 0, 0]

    def diagonal(blocks: int) -> tf.Tensor:
        return tf.reshape(tf.eye(blocks, dtype=dtype), (1, 1, blocks, 1, 1, blocks, 1))

    def dense(kernel: tf.Tensor, slices: int, blocks: int) -> tf.Tensor:
        """Kernels of `slices` slices side by side, with zeros between their groups."""
        kernel = tf.reshape(
            kernel, (rows, columns, 1, width, slices, blocks, group_filters)
        )
        return tf.reshape(
            kernel * diagonal(blocks),
            (rows, columns, blocks * width, slices * blocks * group_filters),
        )

    def grouped(kernel: tf.Tensor, slices: int, blocks: int) -> tf.Tensor:
        """The other way round: what stands on the diagonals."""
        kernel = tf.reshape(
            kernel, (rows, columns, blocks, width, slices, blocks, group_filters)
        )
        kernel = tf.reduce_sum(kernel * diagonal(blocks), 2)
        return tf.reshape(
            kernel, (rows, columns, width, slices * blocks * group_filters)
        )

    def sliced_kernels(kernel: tf.Tensor) -> list[tf.Tensor]:
        if merged == 1:
            return tf.split(kernel, depths, axis=3)
        boundary = sum(depths[:whole])
        kernels = tf.split(dense(kernel[..., :boundary], whole, merged), whole, axis=3)
        if rest:
            kernels.append(dense(kernel[..., boundary:], 1, rest))
        return kernels

    def joined_kernels(kernels: list[tf.Tensor]) -> tf.Tensor:
        if merged == 1:
            return tf.concat(kernels, 3)
        parts = [grouped(tf.concat(kernels[:whole], 3), whole, merged)]
        if rest:
            parts.append(grouped(kernels[-1], 1, rest))
        return tf.concat(parts, 3)

    images = tf.TensorSpec((None, None, None, channels), dtype)
    weights = tf.TensorSpec(kernel_shape, dtype)
    upstreams = tf.TensorSpec((None, None, None, filters), dtype)

    @tf.function(input_signature=[images, weights], autograph=False)
    def forward(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        parts = zip(
            tf.split(inputs, widths, axis=3), sliced_kernels(kernel), strict=True
        )
        return tf.concat(
            [tf.raw_ops.Conv2D(input=a, filter=b, **attributes) for a, b in parts], 3
        )

    @tf.function(input_signature=[images, weights, upstreams], autograph=False)
    def backward(
        inputs: tf.Tensor, kernel: tf.Tensor, upstream: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        size = tf.shape(inputs)[:3]
        sizes = {each: tf.concat([size, [each]], 0) for each in set(widths)}
        by_inputs, by_kernels = [], []
        for part, weight, above in zip(
            tf.split(inputs, widths, axis=3),
            sliced_kernels(kernel),
            tf.split(upstream, depths, axis=3),
            strict=True,
        ):
            by_inputs.append(
                tf.raw_ops.Conv2DBackpropInput(
                    input_sizes=sizes[weight.shape[2]],
                    filter=weight,
                    out_backprop=above,
                    **attributes,
                )
            )
            by_kernels.append(
                tf.raw_ops.Conv2DBackpropFilter(
                    input=part,
                    filter_sizes=weight.shape.as_list(),
                    out_backprop=above,
                    **attributes,
                )
            )
        return tf.concat(by_inputs, 3), joined_kernels(by_kernels)

    return forward, backward


def sliced_convolution_by_keras(
    inputs: Any,
    kernel: Any,
    strides: tuple[int, int],
    padding: Padding,
    dilation_rate: tuple[int, int],
) -> Any:
    """`sliced_convolution` in Keras' operations: for every backend, and for XLA.

    Without XLA it serves dilated convolutions: of them a CPU without oneDNN has no
    gradient, so that Keras spreads the pixels over the batch first.

    XLA's gradients of a strided convolution on a CPU are slow: transposes of the whole
    input, and a convolution over an input spread with zeros. There a 3x3 convolution
    with stride 2 becomes a 2x2 one without stride over the four phases of the pixels,
    stacked as channels (space to depth): 32 x 112 x 112 x 24 takes 36 ms instead of
    122 ms, 32 x 56 x 56 x 56 18 ms instead of 24 ms, and a RegNetX-200MF's training
    step 0.55 s instead of 0.58 s. From group width 32 on merging only costs.
    """
    inputs, padding = _padded(inputs, padding)
    rows, columns, group_width, filters = kernel.shape
    on_tensorflow = keras.backend.backend() == "tensorflow"
    by_phases = (
        (not on_tensorflow or inside_xla())
        and padding == "valid"
        and tuple(strides) == (2, 2)
        and (rows, columns) == (3, 3)
        and tuple(dilation_rate) == (1, 1)
        and None not in inputs.shape[1:3]
    )
    groups = inputs.shape[-1] // group_width
    group_filters = filters // groups
    merged = max(1, XLA_SLICE_WIDTH // group_width)
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
                _plain_convolution(part, weights, strides, padding, dilation_rate)
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


# --- Batch normalisation -------------------------------------------------------------


def bfloat16_batch_norm_is_slow(inputs: tf.Tensor) -> bool:
    """Whether the training kernel of the inputs' dtype is much slower than float32's.

    oneDNN vectorises bfloat16 only where the channels are a multiple of 16. With 24,
    56 or 152 of them it falls back to a plain loop (`nspc_bnorm:any` in its verbose
    log), that took 396 of the 512 ms of a mixed_bfloat16 step of RegNetX-200MF; with
    these layers in float32 the step takes 213 ms (float32: 247 ms).
    """
    return (
        inputs.dtype == tf.bfloat16
        and inputs.shape[-1] % 16 != 0
        and device_type() == "CPU"
    )


def fused_batch_norm(
    inputs: tf.Tensor,
    scale: tf.Tensor,
    offset: tf.Tensor,
    mean: tf.Tensor,
    variance: tf.Tensor,
    epsilon: float,
    training: bool,
    momentum: float = 0.0,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """`FusedBatchNormV3`, channels last.

    The kernel averages the running statistics itself. Ten small operations a layer
    less make a training step of RegNetX-200MF (224 x 224, batch 32, 2 cores) 6 %
    faster: 237 ms for 252 ms.

    Args:
        inputs: Tensor of shape `(batch, height, width, channels)`; float32, float16 or
            bfloat16.
        scale: Gamma, of shape `(channels,)`, float32, as the following three.
        offset: Beta.
        mean: Running mean.
        variance: Running variance.
        epsilon: Added to the variance.
        training: Whether the statistics of the batch are used.
        momentum: Share of the old running statistics in the new ones.

    Returns:
        The normalised tensor, and the new running mean and variance: in training
        `momentum * old + (1 - momentum) * batch`, with the batch's *unbiased* variance
        (Bessel's correction, with n - 1 at least 1), otherwise the old ones.
    """
    results = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=scale,
        offset=offset,
        mean=mean,
        variance=variance,
        epsilon=epsilon,
        data_format="NHWC",
        is_training=training,
        exponential_avg_factor=1.0 - momentum if training else 1.0,
    )
    return results.y, results.batch_mean, results.batch_variance


def folded_batch_norm(
    kernel: Any,
    gamma: Any,
    beta: Any,
    mean: Any,
    variance: Any,
    epsilon: float,
) -> tuple[Any, Any]:
    """The kernel and bias of a convolution that does what batch norm does after it.

    Args:
        kernel: Tensor of shape `(rows, columns, channels, filters)`.
        gamma: Of shape `(filters,)`, as the following three.
        beta: Shift.
        mean: Running mean.
        variance: Running variance.
        epsilon: Added to the variance.
    """
    # Not rsqrt, whose last bit depends on which elements are computed together.
    factor = gamma / ops.sqrt(variance + epsilon)
    return kernel * factor, beta - mean * factor


def unfused(outputs: tf.Tensor) -> tf.Tensor:
    """A convolution's outputs, which TensorFlow leaves apart from batch normalisation.

    For a single image oneDNN's fusion of the two computes the normalisation one value
    at a time: a RegNetX-200MF (224 x 224) takes 0.37 s instead of 0.02 s (TensorFlow
    2.21, oneDNN 3.7.3, AVX2). A bias and an activation it fuses well.
    """
    return tf.ensure_shape(outputs, outputs.shape)


def sum_over_replicas(values: tf.Tensor) -> tf.Tensor:
    """The sum over all replicas of a `tf.distribute` strategy; differentiable."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return values

    # TensorFlow's own gradient of all_reduce is the same sum, but tracing it takes
    # four times as long, since it follows the other replicas' graphs.
    @tf.custom_gradient
    def total(local: tf.Tensor) -> tuple[tf.Tensor, Any]:
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            return context.all_reduce("SUM", tf.stop_gradient(upstream))

        return context.all_reduce("SUM", tf.stop_gradient(local)), gradient

    return total(values)
