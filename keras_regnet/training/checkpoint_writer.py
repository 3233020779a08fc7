"""Writes checkpoints while training goes on."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from keras_regnet.training.checkpoints import Snapshot, write_checkpoint
from keras_regnet.training.run_directory import naming


class CheckpointWriter:
    """A thread that writes one checkpoint at a time.

    Training waits only for the copy of the values to the host, and for the checkpoint
    before where that is not yet on the disk. An error of the thread is raised by the
    next `write` or `wait`.

    Args:
        folder: The folder of the checkpoints.
        keep: How many of them stay there.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder = folder
        self.keep = keep
        self.last = time.monotonic()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: Future[Path] | None = None

    def write(self, snapshot: Snapshot, best: bool = False) -> None:
        """Begins to write a checkpoint, after the one before is written.

        Raises:
            OSError: The one before could not be written; the message names it.
        """
        self.wait()
        self.last = time.monotonic()
        self._pending = self._thread.submit(
            write_checkpoint, self.folder, snapshot, self.keep, best
        )

    def wait(self) -> None:
        """Waits until everything is on the disk.

        Raises:
            OSError: A checkpoint could not be written; the message names the folder.
        """
        pending, self._pending = self._pending, None
        if pending is not None:
            with naming(self.folder):
                pending.result()

    def close(self) -> None:
        """Waits, as `wait`, and ends the thread."""
        try:
            self.wait()
        finally:
            self._thread.shutdown()
