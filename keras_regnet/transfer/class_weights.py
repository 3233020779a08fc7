"""Losses in which the classes count differently."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from keras_regnet.data import Data
from keras_regnet.training.losses import Loss, cross_entropy


def class_weights_of(
    class_weights: str | Mapping[str, float], data: Data
) -> np.ndarray | None:
    """The weight of each class, float32 `(classes,)`, or None where all have 1.

    Args:
        class_weights: As in `FineTuneConfig`.
        data: The data set.

    Raises:
        ValueError: A name is no class, or a class has no training images.
    """
    if class_weights == "none":
        return None
    if class_weights == "balanced":
        return balanced(data.class_counts(), data.class_names)
    if unknown := sorted(set(class_weights) - set(data.class_names)):
        raise ValueError(
            "class_weights must name classes of the data set: "
            f"{', '.join(data.class_names[:20])}. Received: {', '.join(unknown)}"
        )
    return np.array(
        [class_weights.get(name, 1.0) for name in data.class_names], np.float32
    )


def balanced(counts: Sequence[int], names: Sequence[str]) -> np.ndarray:
    """Weights in inverse proportion to the number of images.

    With n images of a class, N in all and C classes, its weight is N / (C n): all
    classes together count alike, and the mean over the images is 1.

    Raises:
        ValueError: A class has no images.
    """
    empty = [name for name, count in zip(names, counts, strict=True) if not count]
    if empty:
        raise ValueError(
            "class_weights='balanced' needs training images of every class. "
            f"Received: none of {', '.join(map(str, empty))}"
        )
    return (sum(counts) / (len(counts) * np.asarray(counts))).astype(np.float32)


def weighted_cross_entropy(weights: np.ndarray, label_smoothing: float = 0.0) -> Loss:
    """Cross-entropy of logits, multiplied by the weight of the example's class.

    Args:
        weights: One for each class.
        label_smoothing: Share of the target that is spread evenly over all classes.

    Returns:
        A function like that of `cross_entropy`. Of labels that are shares of classes
        the weight is the mean, by these shares.
    """
    plain = cross_entropy(label_smoothing)

    def loss(labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        losses = plain(labels, outputs)
        each = tf.constant(weights, losses.dtype)
        if labels.shape.rank == 1:
            factors = tf.gather(each, labels)
        else:
            factors = tf.linalg.matvec(tf.cast(labels, losses.dtype), each)
        return losses * factors

    return loss
