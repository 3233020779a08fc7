"""Losses and hits of single examples, whose sums are exact under any sharding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_regnet.training.config import TrainingConfig

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

Loss = Callable[[Any, Any], Any]


def cross_entropy(label_smoothing: float = 0.0, from_logits: bool = True) -> Loss:
    """Builds the cross-entropy of classification.

    Args:
        label_smoothing: Share of the target that is spread evenly over all classes.
        from_logits: Whether the network gives logits; otherwise probabilities.

    Returns:
        A function of the labels (`[B]` whole numbers, or `[B, classes]` shares) and
        the outputs `[B, classes]` that gives the loss of every example, `[B]`.
    """

    def loss(labels: Any, outputs: Any) -> Any:
        if labels.ndim == 1 and not label_smoothing:
            return keras.losses.sparse_categorical_crossentropy(
                labels, outputs, from_logits=from_logits
            )
        if labels.ndim == 1:
            labels = ops.one_hot(labels, outputs.shape[-1], dtype=outputs.dtype)
        return keras.losses.categorical_crossentropy(
            ops.cast(labels, outputs.dtype),
            outputs,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )

    return loss


def binary_cross_entropy(
    label_smoothing: float = 0.0, from_logits: bool = True
) -> Loss:
    """Builds the cross-entropy of a yes or no for each class, averaged over them.

    As timm's `BinaryCrossEntropy`: with smoothing e the targets of C classes are
    1 - e + e / C and e / C.

    Args:
        label_smoothing: e.
        from_logits: Whether the network gives logits; otherwise probabilities.

    Returns:
        A function like that of `cross_entropy`.
    """

    def loss(labels: Any, outputs: Any) -> Any:
        classes = outputs.shape[-1]
        if labels.ndim == 1:
            labels = ops.one_hot(labels, classes, dtype=outputs.dtype)
        labels = ops.cast(labels, outputs.dtype)
        labels = labels * (1.0 - label_smoothing) + label_smoothing / classes
        return keras.losses.binary_crossentropy(
            labels, outputs, from_logits=from_logits
        )

    return loss


def default_loss(config: TrainingConfig, from_logits: bool = True) -> Loss:
    """The loss of a training configuration."""
    if config.loss == "binary_cross_entropy":
        return binary_cross_entropy(config.label_smoothing, from_logits)
    return cross_entropy(config.label_smoothing, from_logits)


def per_example(loss: Any) -> Loss:
    """The part of a loss that gives one number per example.

    Args:
        loss: A `keras.losses.Loss` (its reduction is left aside), or a function of
            labels and outputs that returns one loss per example.

    Returns:
        A function that returns the losses `[B]`.

    Raises:
        ValueError: `loss` is neither.
    """
    if not callable(loss):
        raise ValueError(
            "loss must be a keras.losses.Loss or a function of labels and outputs. "
            f"Received: {loss!r}"
        )
    function = loss.call if isinstance(loss, keras.losses.Loss) else loss

    def checked(labels: Any, outputs: Any) -> Any:
        losses = function(labels, outputs)
        if losses.ndim != 1:
            raise ValueError(
                "loss must give one number per example, shape [batch]. "
                f"Received: shape {losses.shape}"
            )
        return losses

    return checked


def hits(labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Whether the strongest output of each example is its label: `[B]` of 0 or 1."""
    if labels.shape.rank != 1:
        labels = tf.argmax(labels, axis=-1)
    found = tf.argmax(outputs, axis=-1, output_type=tf.int64)
    return tf.cast(tf.equal(tf.cast(labels, tf.int64), found), tf.float64)
