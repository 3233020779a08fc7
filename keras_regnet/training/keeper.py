"""Keeps a run's state on the disk, and brings it back."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from keras_regnet.training import checkpoints
from keras_regnet.training.checkpoint_writer import CheckpointWriter
from keras_regnet.training.config import TrainingConfig
from keras_regnet.training.consensus import Consensus
from keras_regnet.training.epoch import NonFiniteLossError
from keras_regnet.training.state import RunState
from keras_regnet.training.workers import chief_first

if TYPE_CHECKING:
    from keras_regnet.training.loop import Loop

_REPLICAS = "replicas"  # the group of the statistics that each replica has for itself


class Keeper:
    """The checkpoints of a run. The first of several workers reads and writes them.

    Args:
        folder: The folder of the checkpoints.
        config: The training configuration.
        groups: The run's variables, as `checkpoints.take_snapshot` wants them.
        loop: The compiled steps.
        consensus: Between the workers.
        steps_per_epoch: Number of steps in an epoch.
    """

    def __init__(
        self,
        folder: Path,
        config: TrainingConfig,
        groups: Mapping[str, Sequence[keras.Variable]],
        loop: Loop,
        consensus: Consensus,
        steps_per_epoch: int,
    ) -> None:
        self.folder = folder
        self.config = config
        self.groups = groups
        self.loop = loop
        self.consensus = consensus
        self.steps_per_epoch = steps_per_epoch
        self._writer: CheckpointWriter | None = None
        self._seconds = 0.0

    def restore(self) -> RunState:
        """Gives every worker the newest checkpoint's variables, and its state.

        Raises:
            ValueError: The checkpoint belongs to another network, or there are
                checkpoints and none can be read.
            OSError: One may not be read, or not now. (Other workers: ValueError.)
        """
        found = None

        def read() -> None:
            nonlocal found
            found = checkpoints.read_newest(self.folder)
            if found is not None:
                checkpoints.assign(*found, self._groups_in(found[1]))
                state = RunState.from_dict(found[1]["extra"])
                if state.best_epoch and (state.best_epoch, 0) == (
                    state.epoch,
                    state.step,
                ):
                    checkpoints.mend_best(found[0], found[1]["step"])

        chief_first(self.consensus, read)
        extra, apart = self.consensus.from_chief(
            [found[1]["extra"], _REPLICAS in self._groups_in(found[1])]
            if found is not None
            else [None, False]
        )
        # Without a checkpoint too: workers may have begun with other random weights.
        for variables in self.groups.values():
            self.consensus.assign_from_chief(variables)
        if apart:
            self.consensus.assign_from_chief(self.loop.statistics.rows)
            self.loop.statistics.scatter()
        if extra is None:
            return RunState()
        state = RunState.from_dict(extra)
        if state.tally is not None and not self.consensus.chief:
            state.tally = state.tally | {"sums": [[0.0, 0.0, 0.0]]}
        return state

    def start(self) -> None:
        """Gets ready to write."""
        if self.consensus.chief:
            keep = self.config.keep_checkpoints
            self._writer = CheckpointWriter(self.folder, keep)
        self._last = self._counted = time.monotonic()

    def close(self) -> None:
        """Waits until everything is written."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def is_due(self) -> bool:
        """Whether by the clock it is time for a checkpoint."""
        minutes = self.config.checkpoint_every_minutes
        return bool(minutes) and time.monotonic() - self._last > 60 * minutes

    def save(self, state: RunState, best: bool = False) -> None:
        """Begins to write a checkpoint.

        Args:
            state: Where the run stands.
            best: Whether it is the best so far, to be kept as `best.npz`.

        Raises:
            NonFiniteLossError: A variable is not finite.
            OSError: The checkpoint before could not be written.
        """
        begin = time.monotonic()
        state.elapsed += begin - self._counted
        self._counted = begin
        groups, averaged = self.groups, nullcontext()
        if state.step:  # between two epochs they are one
            groups = {**groups, _REPLICAS: self.loop.statistics.rows}
            averaged = self.loop.statistics.averaged()
        with averaged:
            snapshot = None
            if self._writer is not None:
                step = state.epoch * self.steps_per_epoch + state.step
                snapshot = checkpoints.take_snapshot(step, groups, state.to_dict())
        if snapshot is not None:
            if name := snapshot.not_finite():
                raise NonFiniteLossError(
                    f"{name} is not finite after {state.epoch} epochs and {state.step} "
                    "steps of the next, so no checkpoint is written. The last good one "
                    f"is {self.last()}."
                )
            self._writer.write(snapshot, best)
        self._last = time.monotonic()
        self._seconds += self._last - begin

    def _groups_in(
        self, description: Mapping[str, Any]
    ) -> dict[str, Sequence[keras.Variable]]:
        """The groups that a checkpoint has values for.

        In the middle of an epoch every replica has statistics of its own. With another
        number of replicas, their mean has to do.
        """
        rows = self.loop.statistics.rows
        stored = [
            (each["shape"], each["dtype"])
            for each in description["variables"].get(_REPLICAS, ())
        ]
        mine = [(list(each.shape), str(each.dtype)) for each in rows]
        return {**self.groups, _REPLICAS: rows} if stored == mine else {**self.groups}

    def take_seconds(self) -> float:
        """The seconds for which training waited for `save` since this was asked."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds

    def last(self) -> str:
        """The name of the newest checkpoint, or `none`."""
        if self._writer is not None:
            self._writer.wait()
        found = checkpoints.list_checkpoints(self.folder)
        return str(found[-1]) if found else "none"

    def assign_best(self, epoch: int) -> bool:
        """Gives the variables the values of `best.npz`; False where there is none.

        Args:
            epoch: The number of epochs done when it was the best.
        """
        path = self.folder / checkpoints.BEST
        if not path.is_file():
            return False
        try:
            found = checkpoints.read_checkpoint(path)
        except checkpoints.DamagedCheckpointError as error:
            warnings.warn(f"{error} There is no best.keras.", stacklevel=2)
            return False
        if found[0]["step"] != epoch * self.steps_per_epoch:
            warnings.warn(
                f"{path} is of step {found[0]['step']}, and not of the best epoch "
                f"{epoch}. There is no best.keras.",
                stacklevel=2,
            )
            return False
        checkpoints.assign(path, *found, self.groups)
        return True
