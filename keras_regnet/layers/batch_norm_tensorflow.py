"""The TensorFlow kernels of batch normalisation."""

from typing import Any

import tensorflow as tf


def kernel_is_slow(inputs: tf.Tensor) -> bool:
    """Whether the training kernel of the inputs' dtype is much slower than float32's.

    oneDNN vectorises bfloat16 only where the channels are a multiple of 16. With 24,
    56 or 152 of them it falls back to a plain loop (`nspc_bnorm:any` in its verbose
    log), that took 396 of the 512 ms of a mixed_bfloat16 step of RegNetX-200MF; with
    these layers in float32 the step takes 213 ms (float32: 247 ms).
    """
    return (
        inputs.dtype == tf.bfloat16
        and inputs.shape[-1] % 16 != 0
        and not tf.config.get_visible_devices("GPU")
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
