"""What a person sees of a training run: one line per epoch, alive on a terminal."""

import sys
import time
from typing import Any, TextIO


class Progress:
    """Prints a line per epoch, redrawn about once a second on a terminal.

    Args:
        epochs: Number of epochs of the run.
        verbose: 0 prints nothing, 1 prints.
        stream: Where to print; standard output by default.
    """

    def __init__(
        self, epochs: int, verbose: int = 1, stream: TextIO | None = None
    ) -> None:
        self.epochs = epochs
        self.verbose = verbose
        self.stream = stream or sys.stdout
        self.alive = bool(verbose) and self.stream.isatty()
        self._width = 0

    def say(self, text: str) -> None:
        """Prints a line."""
        if self.verbose:
            self._clear()
            print(text, file=self.stream, flush=True)

    def start_epoch(self, epoch: int, steps: int, done: int = 0) -> None:
        """Begins the line of an epoch (counted from 0) of `steps` steps.

        Args:
            epoch: The epoch.
            steps: Its steps.
            done: How many of them were done before, by a run that was interrupted.
        """
        self.epoch, self.steps, self._begin = epoch, steps, time.monotonic()
        self._before = done

    def update(
        self,
        step: int,
        images: float,
        loss: float,
        accuracy: float,
        data_wait: float | None = None,
    ) -> None:
        """Redraws the line.

        Args:
            step: Steps of the epoch that are done.
            images: Images since `start_epoch`.
            loss: Mean of the epoch so far.
            accuracy: Mean of the epoch so far.
            data_wait: Share of the time for which the steps waited for data, if known.
        """
        if not self.alive:
            return
        seconds = max(time.monotonic() - self._begin, 1e-9)
        rate = seconds / max(step - self._before, 1)
        left = rate * (self.steps - step)
        whole = left + rate * self.steps * (self.epochs - self.epoch - 1)
        filled = round(20 * step / self.steps)
        text = (
            f"{self._head()} [{'=' * filled}{'.' * (20 - filled)}] "
            f"{step}/{self.steps}  loss {loss:.4f}  accuracy {accuracy:.4f}  "
            f"{images / seconds:.0f} images/s{_waiting(data_wait)}  "
            f"{duration(left)} left, {duration(whole)} for all"
        )
        self._clear()
        print(text, end="", file=self.stream, flush=True)
        self._width = len(text)

    def end_epoch(self, row: dict[str, Any]) -> None:
        """Replaces the line by what the epoch came to."""
        text = (
            f"{self._head()}  loss {row['train_loss']:.4f}  "
            f"accuracy {row['train_accuracy']:.4f}"
        )
        if "validation_accuracy" in row:
            text += (
                f"  validation loss {row['validation_loss']:.4f}  "
                f"accuracy {row['validation_accuracy']:.4f}"
            )
        if "ema_validation_accuracy" in row:
            text += f"  averaged {row['ema_validation_accuracy']:.4f}"
        left = row["seconds"] * (self.epochs - self.epoch - 1)
        text += (
            f"  {duration(row['seconds'])}  {row['images_per_second']:.0f} images/s"
            f"{_waiting(row.get('data_wait'))}  {duration(left)} left"
        )
        self.say(text)

    def _head(self) -> str:
        width = len(str(self.epochs))
        return f"Epoch {self.epoch + 1:{width}}/{self.epochs}"

    def _clear(self) -> None:
        if self._width:
            print("\r" + " " * self._width + "\r", end="", file=self.stream)
            self._width = 0


def _waiting(share: float | None) -> str:
    """Says how long the steps waited for data, where it is worth saying."""
    worth = share is not None and share >= 0.05
    return f" ({100 * share:.0f} % waiting for data)" if worth else ""


def duration(seconds: float) -> str:
    """Seconds as a person writes them: `7 s`, `3:05`, `2:03:05`."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
