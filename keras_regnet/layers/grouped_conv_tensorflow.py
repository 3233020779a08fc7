"""TensorFlow's own grouped convolution, and where it may be used.

`tf.nn.conv2d` takes a kernel of `C_in / groups` input channels and then convolves in
groups. On a GPU (cuDNN) it does so everywhere. On a CPU it needs oneDNN for the
gradient, and float32 or bfloat16; inside an XLA compilation for the CPU it is correct
and about 100 times slower. Whether a place is an XLA compilation is asked of
`control_flow_util.GraphOrParentsInXlaContext`, which is not public: checked with
TensorFlow 2.21; `tests/layers/test_grouped_conv.py` fails when it stops answering.
"""

import functools
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import control_flow_util

LEAST_STRIDED = 16
"""Input channels from which on a 1x1 convolution may have a stride.

With fewer of them oneDNN writes outside its memory in the gradient of the kernel: with
61 images of 48 x 48 pixels the process ends in a segmentation fault or an abort (4, 6,
8 and 12 channels; TensorFlow 2.21 on x86 with AVX-512; with 16 and more no size that
was tried does so). Pixels are left out first then, which gives the same numbers; always
doing so would make a training step 7 to 12 % longer.
"""


def inside_xla() -> bool:
    """Whether the code being traced will be compiled by XLA."""
    if tf.executing_eagerly():
        return False
    graph = tf.compat.v1.get_default_graph()
    return control_flow_util.GraphOrParentsInXlaContext(graph)


def inside_xla_on_cpu() -> bool:
    """Whether the code being traced will be compiled by XLA for a CPU."""
    return inside_xla() and not tf.config.get_visible_devices("GPU")


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


def native_is_right_here(dtype: Any) -> bool:
    """Whether the native kernel is correct and fast where the code is traced."""
    if tf.config.get_visible_devices("GPU"):
        return True
    return not inside_xla() and cpu_has_native_gradient(tf.as_dtype(dtype).name)


def native_grouped_convolution(
    inputs: tf.Tensor,
    kernel: tf.Tensor,
    strides: tuple[int, int],
    padding: str,
    dilation_rate: tuple[int, int],
) -> tf.Tensor:
    """`tf.nn.conv2d` with a grouped kernel; arguments as `grouped_convolution`."""
    return tf.nn.conv2d(
        inputs, kernel, strides, padding.upper(), dilations=dilation_rate
    )
