"""Ctrl-C and SIGTERM at a moment that suits the program.

Python turns Ctrl-C into a KeyboardInterrupt wherever the program happens to be. In the
middle of a step that leaves half of the weights moved, and inside a `__del__`, which
TensorFlow's data set iterators have, the exception is dropped. So the signal is only
remembered, and acted upon between two steps. A second Ctrl-C is raised at once.
"""

import signal
import sys
from types import FrameType
from typing import Self


class TerminatedError(Exception):
    """SIGTERM came: the machine is wanted for something else."""


class Interruption:
    """A context in which the first Ctrl-C or SIGTERM is remembered, not raised.

    Only in the main thread, and only where Python's own handlers are installed; a
    handler of the user's stays.

    Attributes:
        seen: The signal that came, or None.
    """

    def __init__(self) -> None:
        self.seen: signal.Signals | None = None
        self._installed: list[signal.Signals] = []

    def __enter__(self) -> Self:
        self.seen = None
        own = {
            signal.SIGINT: signal.default_int_handler,
            signal.SIGTERM: signal.SIG_DFL,
        }
        for number, handler in own.items():
            if signal.getsignal(number) is handler:
                try:
                    signal.signal(number, self._handle)
                    self._installed.append(number)
                except ValueError:  # not the main thread, which signals go to
                    pass
        return self

    def __exit__(self, *_: object) -> None:
        for number in self._installed:
            default = signal.default_int_handler
            signal.signal(
                number, default if number == signal.SIGINT else signal.SIG_DFL
            )
        self._installed.clear()

    def check(self) -> None:
        """Raises what came in this context.

        Raises:
            KeyboardInterrupt: Ctrl-C.
            TerminatedError: SIGTERM.
        """
        if self.seen == signal.SIGINT:
            raise KeyboardInterrupt
        if self.seen == signal.SIGTERM:
            raise TerminatedError

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.seen == signal.SIGINT and number == signal.SIGINT:
            signal.default_int_handler(number, frame)
        if self.seen is None and number == signal.SIGINT:
            print(
                "\nCtrl-C: the step under way is finished and a checkpoint written. "
                "Once more stops at once.",
                file=sys.stderr,
                flush=True,
            )
        self.seen = signal.Signals(number)
