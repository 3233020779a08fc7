"""Ctrl-C that is never lost.

Python turns the signal into a KeyboardInterrupt wherever the program happens to be. If
that is inside a `__del__`, and TensorFlow's data set iterators have one, the exception
is dropped and the program goes on. So the signal is remembered as well.
"""

import signal
from types import FrameType
from typing import Self


class Interruption:
    """A context in which Ctrl-C is raised at once and, if that was lost, by `check`.

    Only where Python's own handler is installed and this is the main thread; a
    handler of the user's stays.
    """

    def __init__(self) -> None:
        self._seen = False
        self._installed = False

    def __enter__(self) -> Self:
        self._seen = False
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            try:
                signal.signal(signal.SIGINT, self._handle)
                self._installed = True
            except ValueError:  # not the main thread, which signals go to
                pass
        return self

    def __exit__(self, *_: object) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._installed = False

    def check(self) -> None:
        """Raises KeyboardInterrupt if Ctrl-C was pressed in this context."""
        if self._seen:
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._seen = True
        signal.default_int_handler(number, frame)
