"""From the gradients of every replica to weights that have moved."""

import keras
import tensorflow as tf


class Updates:
    """Applies gradients, added up over the replicas, clipped and checked.

    Args:
        model: The model whose weights move.
        optimizer: A Keras optimizer, built on them.
        strategy: The strategy of the steps.
        clip_norm: The greatest norm of all gradients together; longer ones are scaled
            down to it. None for no limit.

    Attributes:
        scales_loss: Whether the loss is scaled up for float16, and gradients that have
            become infinite are left out by the optimizer.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        strategy: tf.distribute.Strategy,
        clip_norm: float | None = None,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.replicas = strategy.num_replicas_in_sync
        self.clip_norm = clip_norm
        self.scales_loss = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)

    def apply(self, gradients: list) -> None:
        """Moves the weights; for use inside a step, in replica context.

        Args:
            gradients: This replica's, one for each trainable variable, or None.
        """
        if self.scales_loss and self.replicas > 1:
            gradients = _all_or_none_finite(gradients)
        if self.clip_norm is not None:
            gradients = self._clipped(gradients)
        self.optimizer.apply(gradients, self.model.trainable_variables)

    def _clipped(self, gradients: list) -> list:
        """Scales the sum over the replicas down to `clip_norm`."""
        context = tf.distribute.get_replica_context()
        present = [tf.convert_to_tensor(g) for g in gradients if g is not None]
        if self.replicas > 1:
            present = context.all_reduce("SUM", present)
        limit = tf.cast(self.clip_norm, present[0].dtype)
        if self.scales_loss:
            limit *= tf.cast(self.optimizer.dynamic_scale, limit.dtype)
        present, _ = tf.clip_by_global_norm(present, limit)
        # The optimizer adds up the replicas' gradients: one of them gives the sum.
        first = tf.cast(context.replica_id_in_sync_group == 0, limit.dtype)
        clipped = iter([gradient * first for gradient in present])
        return [None if g is None else next(clipped) for g in gradients]


def _all_or_none_finite(gradients: list) -> list:
    """Makes the gradients of all replicas NaN where those of one are not finite.

    Keras' LossScaleOptimizer asks the first replica alone whether to skip a step.
    """
    sums = [tf.reduce_sum(g) for g in gradients if g is not None]
    context = tf.distribute.get_replica_context()
    poison = context.all_reduce("SUM", tf.add_n(sums) * 0)  # 0 or NaN
    return [None if g is None else g + poison for g in gradients]
