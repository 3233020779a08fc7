"""The TensorFlow kernels of batch normalisation."""

from typing import Any

import tensorflow as tf


def fused_batch_norm(
    inputs: tf.Tensor,
    scale: tf.Tensor,
    offset: tf.Tensor,
    mean: tf.Tensor,
    variance: tf.Tensor,
    epsilon: float,
    training: bool,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """`FusedBatchNormV3`, channels last.

    Args:
        inputs: Tensor of shape `(batch, height, width, channels)`; float32, float16 or
            bfloat16.
        scale: Gamma, of shape `(channels,)`, float32, as the following three.
        offset: Beta.
        mean: Running mean, used when not training.
        variance: Running variance, used when not training.
        epsilon: Added to the variance.
        training: Whether the statistics of the batch are used.

    Returns:
        The normalised tensor, and in training the batch's mean and *unbiased* variance
        (Bessel's correction, with n - 1 at least 1), otherwise the running ones.
    """
    if training:
        # The kernel takes these for the average to update, which is not wanted here.
        mean = variance = tf.zeros((0,), tf.float32)
    results = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=scale,
        offset=offset,
        mean=mean,
        variance=variance,
        epsilon=epsilon,
        data_format="NHWC",
        is_training=training,
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
