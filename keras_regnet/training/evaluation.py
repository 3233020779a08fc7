"""How good a classifier is on a data set: counts, never means of means."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_regnet.models import output_activation
from keras_regnet.training.mistakes import Mistake, WorstMistakes

if TYPE_CHECKING:
    from keras_regnet.data import Data

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Exact counts over a data set.

    Attributes:
        confusion: `[classes, classes]` whole numbers: row the label, column the
            strongest output.
        top5_correct: Number of images whose label is among the five strongest outputs.
        loss: Mean cross-entropy over the images, without label smoothing (of sigmoids
            the binary one, averaged over the classes); None where it was not computed,
            and where the outputs are no probabilities.
        worst: The most confident mistakes, the most confident first.
    """

    confusion: np.ndarray
    top5_correct: int
    loss: float | None = None
    worst: tuple[Mistake, ...] = ()

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
            "loss": self.loss,
            "per_class": [
                {"class": name, **row}
                for name, row in zip(class_names, self.per_class(), strict=True)
            ],
            "confusion": self.confusion.tolist(),
        }


def evaluate(
    model: keras.Model,
    dataset: tf.data.Dataset,
    *,
    worst: int = 0,
    names: Sequence[str] | Callable[[], Sequence[str] | None] | None = None,
    pixels: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Evaluation:
    """Runs a classifier over a data set, once.

    Args:
        model: Maps images to logits or probabilities `[batch, classes]`; the end of its
            graph says which. Where it ends in another function (`"relu"`, ...) there
            is no loss, and there are no confident mistakes.
        dataset: Batches of images and whole-number labels.
        worst: How many of the most confident mistakes to keep, with their images; no
            other image stays in memory.
        names: The name of every image, in the order of `dataset`, for the mistakes; or
            a function that is asked for them after the last image.
        pixels: Makes pixels of 0 to 255 of an image, where the data set has others.

    Returns:
        The counts, the loss and the mistakes.

    Raises:
        ValueError: The data set is empty, a label is not one of the classes, or `worst`
            is negative.
    """
    if worst < 0:
        raise ValueError(f"worst must be at least 0. Received: {worst}")
    classes = model.output_shape[-1]
    confusion = np.zeros((classes, classes), np.int64)
    mistakes = WorstMistakes(worst, pixels)
    seen = top5 = 0
    loss = 0.0
    activation = output_activation(model)
    if worst and not gives_probabilities(activation):
        warnings.warn(
            f"{model.name} ends in {activation}, whose numbers are no probabilities, "
            "so that no mistake is the most confident one.",
            stacklevel=2,
        )

    @tf.function(reduce_retracing=True)
    def judge(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        outputs = model(images, training=False)
        if outputs.dtype in (tf.float16, tf.bfloat16):
            outputs = tf.cast(outputs, tf.float32)
        return outputs, tf.math.top_k(outputs, min(5, classes)).indices

    for images, labels in dataset:
        labels = labels.numpy()
        if labels.min() < 0 or labels.max() >= classes:
            raise ValueError(
                f"The model has {classes} classes, so labels must be below that. "
                f"Received: labels from {labels.min()} to {labels.max()}"
            )
        outputs, found = (tensor.numpy() for tensor in judge(images))
        np.add.at(confusion, (labels, found[:, 0]), 1)
        top5 += int((found == labels[:, None]).any(1).sum())
        if gives_probabilities(activation):
            probabilities, losses = probabilities_and_losses(
                outputs, labels, activation
            )
            loss += float(losses.sum())
            if worst:
                mistakes.add(images.numpy(), labels, found[:, 0], probabilities, seen)
        seen += len(labels)
    if not seen:
        raise ValueError("The data set must not be empty. Received: 0 images")
    found = mistakes.sorted()
    names = names() if callable(names) else names
    if names is not None and len(names) == seen:
        found = tuple(
            dataclasses.replace(mistake, name=names[mistake.index]) for mistake in found
        )
    elif names is not None:
        warnings.warn(
            f"{len(names)} names do not fit the {seen} images of the data set, so the "
            "mistakes have none.",
            stacklevel=2,
        )
    mean = loss / seen if gives_probabilities(activation) else None
    return Evaluation(confusion, top5, mean, found)


def evaluate_data(model: keras.Model, data: Data, *, worst: int = 0) -> Evaluation:
    """Runs a classifier over the validation images of a data set.

    As `evaluate`, with the files' names where the data set has files, and with pixels
    as they were before a normalisation.

    Args:
        model: Maps images to logits or probabilities `[batch, classes]`.
        data: The data set.
        worst: How many of the most confident mistakes to keep.

    Returns:
        The counts, the loss and the mistakes.

    Raises:
        ValueError: The data set does not fit the model.
    """
    with data.problems.raising():
        return evaluate(
            model,
            data.validation(),
            worst=worst,
            names=data.validation_names,
            pixels=_to_pixels(data),
        )


def _to_pixels(data: Data) -> Callable[[np.ndarray], np.ndarray] | None:
    """Makes pixels of 0 to 255 of a data set's validation images; None: they are."""
    seen = data.reader.specification if data.reader else data.config
    if not (data.reader.normalized if data.reader else data.config.normalize):
        return None
    turned = data.reader is not None and seen.channel_order == "bgr"

    def pixels(image: np.ndarray) -> np.ndarray:
        image = image[..., ::-1] if turned else image
        return 255 * (image * np.asarray(seen.std) + np.asarray(seen.mean))

    return pixels


def gives_probabilities(activation: str | None) -> bool:
    """Whether a model that ends in `activation` gives probabilities or logits.

    Args:
        activation: See `keras_regnet.models.output_activation`. Where it is None, the
            outputs are taken for logits, as everywhere in training.
    """
    return activation in (None, "linear", "log_softmax", "softmax", "sigmoid")


def probabilities_and_losses(
    outputs: np.ndarray, labels: np.ndarray, activation: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities that a model's outputs mean, and the losses of its examples.

    What a softmax or sigmoids gave stays, logits are put through a softmax. In the
    losses a probability of 0, which a float32 softmax gives from 1e-45 on, counts as
    the least normal float32, so that one image cannot make a mean infinite.

    Args:
        outputs: `[batch, classes]`
        labels: `[batch]`, whole numbers.
        activation: What the model ends in; one that `gives_probabilities`.

    Returns:
        float64 `[batch, classes]` and `[batch]`.
    """
    outputs = np.asarray(outputs, np.float64)
    tiny, rows = np.finfo(np.float32).tiny, np.arange(len(labels))
    if activation == "sigmoid":
        of_label = np.where(
            labels[:, None] == np.arange(outputs.shape[1]), outputs, 1 - outputs
        )
        return outputs, -np.log(np.maximum(of_label, tiny)).mean(-1)
    if activation == "softmax":
        return outputs, -np.log(np.maximum(outputs[rows, labels], tiny))
    outputs = outputs - outputs.max(-1, keepdims=True)
    logs = outputs - np.log(np.exp(outputs).sum(-1, keepdims=True))
    return np.exp(logs), -logs[rows, labels]


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
    if evaluation.loss is not None:
        lines[-1] += f", loss {evaluation.loss:.4f}"
    return "\n".join(lines)
