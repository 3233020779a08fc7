"""How good a classifier is on a data set: counts, never means of means."""

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Exact counts over a data set.

    Attributes:
        confusion: `[classes, classes]` whole numbers: row the label, column the
            strongest output.
        top5_correct: Number of images whose label is among the five strongest outputs.
    """

    confusion: np.ndarray
    top5_correct: int

    @property
    def count(self) -> int:
        """Number of images."""
        return int(self.confusion.sum())

    @property
    def top1(self) -> float:
        """Share of images whose label is the strongest output."""
        return int(np.trace(self.confusion)) / self.count

    @property
    def top5(self) -> float:
        """Share of images whose label is among the five strongest outputs."""
        return self.top5_correct / self.count

    def per_class(self) -> list[dict[str, Any]]:
        """For every class its images, and the shares that are right.

        Returns:
            Rows of `count` (images with this label), `recall` (share of them that is
            found) and `precision` (share of the answers with this class that is
            right); None where nothing is to be divided.
        """
        right = np.diag(self.confusion)
        labelled, answered = self.confusion.sum(1), self.confusion.sum(0)
        return [
            {
                "count": int(n),
                "recall": int(r) / int(n) if n else None,
                "precision": int(r) / int(a) if a else None,
            }
            for r, n, a in zip(right, labelled, answered, strict=True)
        ]

    def to_dict(self, class_names: tuple[str, ...]) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "count": self.count,
            "top1": self.top1,
            "top5": self.top5,
            "per_class": [
                {"class": name, **row}
                for name, row in zip(class_names, self.per_class(), strict=True)
            ],
            "confusion": self.confusion.tolist(),
        }


def evaluate(model: keras.Model, dataset: tf.data.Dataset) -> Evaluation:
    """Runs a classifier over a data set.

    Args:
        model: Maps images to logits or probabilities `[batch, classes]`.
        dataset: Batches of images and whole-number labels.

    Returns:
        The counts.

    Raises:
        ValueError: The data set is empty, or a label is not one of the classes.
    """
    classes = model.output_shape[-1]
    confusion = np.zeros((classes, classes), np.int64)
    top5 = 0

    @tf.function(reduce_retracing=True)
    def strongest(images: tf.Tensor) -> tf.Tensor:
        outputs = tf.cast(model(images, training=False), tf.float32)
        return tf.math.top_k(outputs, min(5, classes)).indices

    for images, labels in dataset:
        labels = labels.numpy()
        if labels.min() < 0 or labels.max() >= classes:
            raise ValueError(
                f"The model has {classes} classes, so labels must be below that. "
                f"Received: labels from {labels.min()} to {labels.max()}"
            )
        found = strongest(images).numpy()
        np.add.at(confusion, (labels, found[:, 0]), 1)
        top5 += int((found == labels[:, None]).any(1).sum())
    if not confusion.sum():
        raise ValueError("The data set must not be empty. Received: 0 images")
    return Evaluation(confusion, top5)


def text_table(evaluation: Evaluation, class_names: tuple[str, ...]) -> str:
    """The evaluation as lines to print."""

    def percent(share: float | None) -> str:
        return "     -" if share is None else f"{100 * share:6.2f}"

    width = max(len("class"), *map(len, class_names))
    lines = [f"{'class':{width}}   images  recall %  precision %"]
    for name, row in zip(class_names, evaluation.per_class(), strict=True):
        lines.append(
            f"{name:{width}}  {row['count']:7}    {percent(row['recall'])}       "
            f"{percent(row['precision'])}"
        )
    lines.append(
        f"{evaluation.count} images: top-1 {percent(evaluation.top1).strip()} %, "
        f"top-5 {percent(evaluation.top5).strip()} %"
    )
    return "\n".join(lines)
