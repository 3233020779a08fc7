"""The data of a later phase: its epochs go on where those before it ended."""

from typing import Any

import tensorflow as tf

from keras_regnet.data import Data


class LaterEpochs:
    """A data set whose epoch 0 is a later one, so that no phase repeats another's.

    Args:
        data: The data set.
        first: Which of its epochs is the first here.
    """

    def __init__(self, data: Data, first: int) -> None:
        self._data = data
        self._first = first
        self.batch_size = data.batch_size

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)

    def train(
        self, epoch: int, start_step: int = 0, shard: tuple[int, int] = (0, 1)
    ) -> tf.data.Dataset:
        """As `Data.train`."""
        return self._data.train(self._first + epoch, start_step, shard)

    def validation(self, shard: tuple[int, int] = (0, 1)) -> tf.data.Dataset:
        """As `Data.validation`."""
        return self._data.validation(shard)

    def batch_names(self, epoch: int, step: int, workers: int = 1) -> tuple[str, ...]:
        """As `Data.batch_names`."""
        return self._data.batch_names(self._first + epoch, step, workers)
