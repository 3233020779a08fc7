"""Judges a model after an epoch, with its own weights and with averaged ones."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from keras_regnet.training.callbacks import Callbacks

if TYPE_CHECKING:
    from keras_regnet.training.datasets import TrainDataset, ValidationBatches
    from keras_regnet.training.loop import Loop
    from keras_regnet.training.precise_batch_norm import PreciseBatchNorm


class Validator:
    """Evaluates on every validation image once.

    Args:
        loop: The compiled steps.
        batches: The validation data; None for no validation.
        callbacks: Keras callbacks.
        check: Raises where it is time to stop; called after every batch.
        alive: Is told of every batch that takes statistics anew.
        precise: Takes batch-normalisation statistics anew before; None for not.
        train_dataset: The images for that.
        precise_steps: How many batches of them.
    """

    def __init__(
        self,
        loop: Loop,
        batches: ValidationBatches | None,
        callbacks: Callbacks,
        check: Callable[[], None],
        alive: Callable[[], None],
        precise: PreciseBatchNorm | None,
        train_dataset: TrainDataset,
        precise_steps: int,
    ) -> None:
        self.loop = loop
        self.batches = batches
        self.callbacks = callbacks
        self.check = check
        self.alive = alive
        self.precise = precise
        self.train_dataset = train_dataset
        self.precise_steps = precise_steps

    def run(self, epoch: int, judged: bool = True) -> dict[str, Any]:
        """What an epoch has come to; without validation data, nothing.

        Args:
            epoch: Counted from 0.
            judged: Whether its turn has come. If not, the replicas' statistics are
                brought together all the same.
        """
        begin = time.monotonic()
        row: dict[str, Any] = {}
        self.loop.average_statistics()
        if not judged:
            return row
        if self.precise is not None:
            from keras_regnet.training.datasets import distribute_training

            batches = distribute_training(
                self.train_dataset, epoch, 0, self.loop.strategy
            )

            def average() -> None:
                self.alive()
                self.loop.average_statistics()

            self.precise.update(batches, self.precise_steps, average)
        if self.batches is not None:
            self.callbacks.begin_test()
            row = self._judge(epoch, "validation")
            if self.loop.averages is not None:
                with self.loop.averages.in_place():
                    averaged = self._judge(epoch, "ema_validation")
                del averaged["ema_validation_count"]
                row |= averaged
            self.callbacks.end_test(row)
        if row or self.precise is not None:
            row["validation_seconds"] = round(time.monotonic() - begin, 3)
        return row

    def _judge(self, epoch: int, name: str) -> dict[str, Any]:
        tally = self.loop.tally
        tally.reset()
        first = name == "validation"
        for index, batch in enumerate(self.batches):
            if first:
                self.callbacks.begin_test_batch(index)
            self.loop.evaluate(batch)
            if first:
                self.callbacks.end_test_batch(index, tally.read)
            self.check()
        sums = tally.read()
        if not sums.count:
            raise ValueError("validation_dataset must not be empty. Received: 0 images")
        if not math.isfinite(sums.loss):
            warnings.warn(
                f"The {name} loss of epoch {epoch + 1} is not finite.", stacklevel=2
            )
        return {
            f"{name}_loss": sums.loss / sums.count,
            f"{name}_accuracy": sums.correct / sums.count,
            f"{name}_count": int(sums.count),
        }
