"""How far a study is: a table that is redrawn on a terminal, or lines in a log."""

import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import TextIO

from keras_regnet.design_space.records import DONE, FAILED, RUNNING, WAITING
from keras_regnet.design_space.study_file import StudyFile
from keras_regnet.training.progress import duration

_REDRAWN = 1.0  # seconds between two tables on a terminal
_LOGGED = 60.0  # and between two lines elsewhere


class LiveTable:
    """Shows done, failed and left, the best error, the speed and the time left.

    Args:
        stream: Where to write; standard output by default.
        clock: Seconds from anywhere; for tests.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stream = stream or sys.stdout
        self.alive = self.stream.isatty()
        self._clock = clock
        self._begin: float | None = None
        self._ended_before = 0
        self._shown = -float("inf")
        self._height = 0

    def show(self, study: StudyFile, workers: int) -> None:
        """Draws the table, where it is time to.

        Args:
            study: The study.
            workers: How many workers are ready.
        """
        now = self._clock()
        if self._begin is None:
            self._begin = now
            self._ended_before = _ended(_total(study.counts()))
        if now - self._shown < (_REDRAWN if self.alive else _LOGGED):
            return
        self._shown = now
        lines = self.lines(study, workers)
        if not self.alive:
            total = _total(study.counts())
            text = f"{total[DONE]} done, {total[FAILED]} failed, {_left(total)} left; "
            print(text + lines[-1], file=self.stream, flush=True)
            return
        # Back to the first line of the last table, and over it.
        text = f"\x1b[{self._height}A" if self._height else ""
        text += "".join(f"\x1b[2K{line}\n" for line in lines)
        print(text, end="", file=self.stream, flush=True)
        self._height = len(lines)

    def end(self, study: StudyFile) -> None:
        """Draws the last table."""
        if self._begin is None:
            return
        self._shown = -float("inf")
        if not self.alive:
            print("\n".join(self.lines(study, 0)), file=self.stream, flush=True)
        else:
            self.show(study, 0)

    def lines(self, study: StudyFile, workers: int) -> list[str]:
        """The table: a heading, a line for each space, all together, and the speed."""
        counts = study.counts()
        best = study.best_errors()
        width = max([len("space"), len("all"), *map(len, counts)])
        head = f"{'space':<{width}}  done  failed  running  left  best error"
        rows = [
            _row(space, width, found, best.get(space))
            for space, found in counts.items()
        ]
        total = _total(counts)
        whole = _row("all", width, total, min(best.values(), default=None))
        return [head, *rows, whole, self._speed(total, workers)]

    def _speed(self, total: Counter[str], workers: int) -> str:
        seconds = max(self._clock() - (self._begin or 0.0), 1e-9)
        ended = _ended(total) - self._ended_before
        left = _left(total)
        text = f"{workers} worker{'s' * (workers != 1)}, {duration(seconds)} so far"
        if not ended:
            return text
        text += f", {3600 * ended / seconds:.0f} networks per hour"
        return text + f", {duration(left * seconds / ended)} left" if left else text


def _row(name: str, width: int, counts: Counter[str], best: float | None) -> str:
    error = "" if best is None else f"{100 * best:.2f} %"
    return (
        f"{name:<{width}}  {counts[DONE]:>4}  {counts[FAILED]:>6}  "
        f"{counts[RUNNING]:>7}  {_left(counts):>4}  {error:>10}"
    )


def _total(counts: dict[str, Counter[str]]) -> Counter[str]:
    return sum(counts.values(), Counter())


def _ended(counts: Counter[str]) -> int:
    return counts[DONE] + counts[FAILED]


def _left(counts: Counter[str]) -> int:
    return counts[WAITING] + counts[RUNNING]
