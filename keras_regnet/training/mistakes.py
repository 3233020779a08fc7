"""The images that a classifier got most confidently wrong."""

import dataclasses
import heapq
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Mistake:
    """An image with another label than the answer.

    Attributes:
        image: uint8 `[height, width, channels]`.
        label: The true class.
        prediction: The class with the strongest output.
        probability: What the network gave to `prediction`.
        label_probability: What it gave to `label`.
        index: The image's place in the data set, from 0 on.
        name: The image's file, or None where it is not known.
    """

    image: np.ndarray
    label: int
    prediction: int
    probability: float
    label_probability: float
    index: int
    name: str | None = None


class WorstMistakes:
    """Keeps the most confident mistakes of all that it is shown, and no other image.

    Args:
        count: How many to keep, at least 1.
        pixels: Makes pixels of 0 to 255 of images in the data set's units, for data
            that are normalised; None for data that have such pixels.
    """

    def __init__(
        self,
        count: int,
        pixels: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self._count = count
        self._pixels = pixels
        # (probability, -index, mistake): of two equally confident the earlier stays.
        self._heap: list[tuple[float, int, Mistake]] = []

    def add(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        answers: np.ndarray,
        shares: np.ndarray,
        begin: int,
    ) -> None:
        """Shows the next images.

        Args:
            images: `[batch, height, width, channels]`.
            labels: `[batch]`, whole numbers.
            answers: `[batch]`, the classes with the strongest outputs.
            shares: Probabilities `[batch, classes]`.
            begin: The first image's place in the data set.
        """
        for row in np.flatnonzero(answers != labels):
            answer, label = int(answers[row]), int(labels[row])
            rank = float(shares[row, answer]), -(begin + int(row))
            if not np.isfinite(rank[0]):
                continue
            if len(self._heap) == self._count and rank < self._heap[0][:2]:
                continue
            mistake = Mistake(
                image=self._to_bytes(images[row]),
                label=label,
                prediction=answer,
                probability=rank[0],
                label_probability=float(shares[row, label]),
                index=-rank[1],
            )
            if len(self._heap) == self._count:
                heapq.heapreplace(self._heap, (*rank, mistake))
            else:
                heapq.heappush(self._heap, (*rank, mistake))

    def sorted(self) -> tuple[Mistake, ...]:
        """The kept mistakes, the most confident first."""
        ranked = sorted(self._heap, key=lambda entry: entry[:2], reverse=True)
        return tuple(mistake for *_, mistake in ranked)

    def _to_bytes(self, image: np.ndarray) -> np.ndarray:
        if self._pixels is not None:
            image = self._pixels(image)
        image = np.nan_to_num(np.asarray(image, np.float32), nan=0.0)
        return np.clip(np.rint(image), 0, 255).astype(np.uint8)
