"""Ends a process in which nothing happens any more.

TensorFlow notices a worker that died within seconds. One that lives but does not come
to the next step is waited for without end: this is for that.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

LOST_WORKER_EXIT_CODE = 4


class Watchdog:
    """A context that ends the process where `alive` is not called for a while.

    Not an exception: the main thread is deep in TensorFlow, where none reaches it.
    Files are safe, since they are written aside and renamed.

    Args:
        seconds: The longest silence; 0 watches nothing.
        message: What to print to stderr before the end.
        exit_code: The exit code of the process.
        leave: Ends the process.
    """

    def __init__(
        self,
        seconds: float,
        message: str,
        exit_code: int = LOST_WORKER_EXIT_CODE,
        leave: Callable[[int], object] = os._exit,
    ) -> None:
        if not seconds >= 0:
            raise ValueError(
                f"The seconds of a watchdog must be at least 0. Received: {seconds!r}"
            )
        self._seconds = seconds
        self._message = message
        self._exit_code = exit_code
        self._leave = leave
        self._last = time.monotonic()
        self._doing = ""
        self._pauses = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.alive()
        if self._seconds:
            self._stop.clear()
            self._thread = threading.Thread(
                target=self._watch, name="watchdog", daemon=True
            )
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def alive(self, doing: str = "") -> None:
        """Says that something happened: a step was taken, a batch was evaluated.

        Args:
            doing: What comes next, for the message.
        """
        self._last = time.monotonic()
        self._doing = f" It was: {doing}." if doing else ""

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Watches nothing within the block: a worker writes, and others wait for it."""
        self._pauses += 1
        try:
            yield
        finally:
            self.alive()
            self._pauses -= 1

    def _watch(self) -> None:
        while (
            left := self._last + self._seconds - time.monotonic()
        ) > 0 or self._pauses:
            if left <= 0:
                left = self._seconds
            if self._stop.wait(left):
                return
        print(self._message + self._doing, file=sys.stderr, flush=True)
        self._leave(self._exit_code)
