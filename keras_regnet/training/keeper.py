"""Keeps a run's state on the disk, and brings it back."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras

from keras_regnet.training import checkpoints
from keras_regnet.training.checkpoint_writer import CheckpointWriter
from keras_regnet.training.config import TrainingConfig
from keras_regnet.training.consensus import Consensus
from keras_regnet.training.epoch import NonFiniteLossError
from keras_regnet.training.loop import Loop
from keras_regnet.training.state import RunState


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
            ValueError: The checkpoint belongs to another network.
        """
        found = checkpoints.read_newest(self.folder) if self.consensus.chief else None
        if found is not None:
            checkpoints.assign(*found, self.groups)
        extra = found[1]["extra"] if found is not None else None
        extra = self.consensus.from_chief(extra)
        # Without a checkpoint too: workers may have begun with other random weights.
        for variables in self.groups.values():
            self.consensus.assign_from_chief(variables)
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
        self.loop.average_statistics()
        if self._writer is not None:
            snapshot = checkpoints.take_snapshot(
                state.epoch * self.steps_per_epoch + state.step,
                self.groups,
                state.to_dict(),
            )
            if name := snapshot.not_finite():
                raise NonFiniteLossError(
                    f"{name} is not finite after {state.epoch} epochs and {state.step} "
                    "steps of the next, so no checkpoint is written. The last good one "
                    f"is {self.last()}."
                )
            self._writer.write(snapshot, best)
        self._last = time.monotonic()
        self._seconds += self._last - begin

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

    def assign_best(self) -> bool:
        """Gives the variables the values of `best.npz`; False where there is none."""
        path = self.folder / checkpoints.BEST
        if not path.is_file():
            return False
        checkpoints.assign(path, *checkpoints.read_checkpoint(path), self.groups)
        return True
