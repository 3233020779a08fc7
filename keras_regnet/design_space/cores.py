"""Cores of this machine that a process has for itself, by agreement.

One-core workers that are each held to a core of their own do not push one another
around. Which core is whose is agreed upon by locked files, so that workers of several
Ray nodes on one machine agree too; a lock ends with its process.
"""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from keras_regnet.files import try_lock


class ClaimedCores:
    """So many cores that no other `ClaimedCores` of this machine has.

    Args:
        count: How many.
        folder: Where the locked files are; by default in the temporary folder.

    Attributes:
        cores: Their numbers; empty where too few are free, or the system does not
            bind processes to cores.
    """

    def __init__(self, count: int, folder: Path | None = None) -> None:
        if folder is None:
            folder = Path(tempfile.gettempdir(), f"keras_regnet_cores_{os.getuid()}")
        self.cores: tuple[int, ...] = ()
        self._files = ExitStack()
        if not hasattr(os, "sched_setaffinity"):
            return
        with ExitStack() as files:
            found = []
            try:
                folder.mkdir(exist_ok=True)
                for core in sorted(os.sched_getaffinity(0)):
                    file = files.enter_context((folder / f"{core}.lock").open("ab"))
                    locked = try_lock(file.fileno())
                    if locked is None:
                        return
                    if not locked:
                        continue
                    found.append(core)
                    if len(found) == count:
                        self.cores = tuple(found)
                        self._files = files.pop_all()
                        return
            except OSError:  # a folder of somebody else's
                return

    def bind(self) -> None:
        """Holds this thread, and the threads that it will start, to the cores."""
        if self.cores:
            os.sched_setaffinity(0, self.cores)

    def release(self) -> None:
        """Lets others have them."""
        self.cores = ()
        self._files.close()
