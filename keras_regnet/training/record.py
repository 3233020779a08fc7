"""What a run writes down as it goes: metrics.jsonl, log.csv, TensorBoard."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from keras_regnet.training.metrics import MetricsFile
from keras_regnet.training.outputs import write_summaries
from keras_regnet.training.run_directory import RunDirectory
from keras_regnet.training.state import RunState


class Record:
    """The three accounts of a run. Only the first of several workers keeps them.

    Args:
        run: The folder.
        steps_per_epoch: Number of steps in an epoch.
        chief: Whether this worker writes.
    """

    def __init__(self, run: RunDirectory, steps_per_epoch: int, chief: bool) -> None:
        self._run = run
        self._steps_per_epoch = steps_per_epoch
        self._chief = chief
        self._metrics = MetricsFile(run.path / "metrics.jsonl")
        self._summarize: Callable[[dict[str, Any]], None] = lambda row: None

    @contextmanager
    def going_on(self, state: RunState) -> Iterator[None]:
        """Keeps the accounts within the block, from where the run stands."""
        if not self._chief:
            yield
            return
        step = state.epoch * self._steps_per_epoch + state.step
        self._metrics.go_on(step, state.epoch)
        if state.history:
            self._run.write_log(state.history)
        self._run.clear_tensorboard()
        with write_summaries(self._run.tensorboard) as self._summarize:
            for row in state.history:
                self._summarize(row)
            yield

    def add(self, row: dict[str, Any]) -> None:
        """Adds a row to `metrics.jsonl`."""
        if self._chief:
            self._metrics.add(row)

    def end_epoch(self, state: RunState) -> None:
        """Writes down the last row of the history."""
        if self._chief:
            self._run.write_log(state.history)
            self._summarize(state.history[-1])
