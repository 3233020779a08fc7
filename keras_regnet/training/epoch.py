"""One epoch of training: steps, and now and then a look at how it goes."""

from __future__ import annotations

import math
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_regnet.training.callbacks import Callbacks
from keras_regnet.training.config import TrainingConfig
from keras_regnet.training.consensus import Consensus
from keras_regnet.training.interruption import Interruption
from keras_regnet.training.progress import Progress
from keras_regnet.training.state import RunState
from keras_regnet.training.tally import Sums

if TYPE_CHECKING:
    from keras_regnet.training.loop import Loop

_END_OF_DATA: tuple[type[Exception], ...] = ()
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    _END_OF_DATA = (tf.errors.OutOfRangeError,)

_SECONDS_BETWEEN_LOOKS = 1.0


class NonFiniteLossError(ArithmeticError):
    """The loss became infinite or not a number."""


class EpochRunner:
    """Takes the steps of an epoch.

    Reading what the steps have added up waits for them, so that is done about once a
    second only. When exactly, all workers decide alike, by the number of steps: with
    several workers reading is an exchange between them.

    Args:
        loop: The compiled steps.
        config: The training configuration.
        steps_per_epoch: Number of steps in an epoch.
        consensus: Between the workers.
        progress: What a person sees.
        callbacks: Keras callbacks.
        interruption: Ctrl-C and SIGTERM.
        log: Takes a row for `metrics.jsonl`.
        alive: Is told of every call that took steps.
        save: Writes a checkpoint of the state.
        checkpoint_is_due: Whether by the clock it is time for one.
        blame: Says of a step of an epoch, both from 0, which images it had.
        last_checkpoint: Names the last good checkpoint.
    """

    def __init__(
        self,
        loop: Loop,
        config: TrainingConfig,
        steps_per_epoch: int,
        *,
        consensus: Consensus,
        progress: Progress,
        callbacks: Callbacks,
        interruption: Interruption,
        log: Callable[[dict[str, Any]], None],
        alive: Callable[[], None],
        save: Callable[[RunState], None],
        checkpoint_is_due: Callable[[], bool],
        blame: Callable[[int, int], str],
        last_checkpoint: Callable[[], str],
    ) -> None:
        self.loop = loop
        self.config = config
        self.steps_per_epoch = steps_per_epoch
        self.consensus = consensus
        self.progress = progress
        self.callbacks = callbacks
        self.interruption = interruption
        self.log = log
        self.alive = alive
        self.save = save
        self.checkpoint_is_due = checkpoint_is_due
        self.blame = blame
        self.last_checkpoint = last_checkpoint
        self._seconds_per_step = 0.0

    def run(
        self,
        state: RunState,
        batches: Iterator,
        learning_rates: np.ndarray,
        average_rates: np.ndarray,
    ) -> dict[str, Any]:
        """Takes the steps of an epoch that are not yet done.

        As in `fit`, they end early where a callback asks for the end of training.

        Args:
            state: Where the run stands; moves on with it.
            batches: The rest of the epoch's batches.
            learning_rates: Of all steps of the epoch.
            average_rates: Likewise.

        Returns:
            What the training part of the epoch came to.

        Raises:
            NonFiniteLossError: The loss is not finite and `on_nan` is `"stop"`.
            KeyboardInterrupt: Ctrl-C; a checkpoint has been written.
            TerminatedError: SIGTERM; a checkpoint has been written.
            ValueError: There are fewer batches than steps.
        """
        tally = self.loop.tally
        self._begin_epoch(state)
        next_look = self._steps_to_look(state)
        alone = self.consensus.workers == 1
        ended = False
        while state.step < self.steps_per_epoch and not ended:
            count = min(self.config.steps_per_execution, next_look)
            chunk = slice(state.step, state.step + count)
            self.callbacks.begin_batch(state.step)
            try:
                self.loop.train(
                    batches,
                    learning_rates[chunk],
                    average_rates[chunk],
                    self._global_step(state),
                )
            except _END_OF_DATA:
                raise ValueError(
                    f"train_dataset must give {self.steps_per_epoch} batches in every "
                    f"epoch. Received: fewer in epoch {state.epoch + 1}"
                ) from None
            self.alive()
            state.step += count
            next_look -= count
            if self.callbacks.every_batch:
                sums = tally.read()
                self.callbacks.end_batch(
                    state.step - 1,
                    _mean(sums.loss, sums.count),
                    _mean(sums.correct, sums.count),
                )
            if alone or self.callbacks.every_batch:  # else all are asked in a look
                ended = bool(self.consensus.total(self.callbacks.stop)[0])
            if next_look <= 0 or ended or (alone and self.interruption.seen):
                ended = self._look(state, learning_rates)
                next_look = self._steps_to_look(state)
        state.tally = self._tally_state()
        if tally.skipped >= state.step:
            warnings.warn(
                f"Not one step of epoch {state.epoch + 1} was finite: all "
                f"{tally.skipped} were skipped, and the weights did not move.",
                stacklevel=2,
            )
        sums, seconds = self._sums, max(state.seconds, 1e-9)
        row = {
            "epoch": state.epoch + 1,
            "learning_rate": float(learning_rates[state.step - 1]),
            "train_loss": _mean(sums.loss, sums.count),
            "train_accuracy": _mean(sums.correct, sums.count),
            "seconds": round(seconds, 3),
            "images_per_second": round(sums.count / seconds, 1),
            "data_wait": _share(tally.waited, seconds),
        }
        if self.config.on_nan == "skip":
            row["skipped_steps"] = tally.skipped
        return row

    def _begin_epoch(self, state: RunState) -> None:
        self.loop.tally.reset()
        if state.tally is not None:
            self.loop.tally.restore(state.tally)
        self._sums = self._at_begin = self.loop.tally.read()
        self._looked = (time.monotonic(), state.step)
        self.progress.start_epoch(state.epoch, self.steps_per_epoch, state.step)

    def _global_step(self, state: RunState) -> int:
        return state.epoch * self.steps_per_epoch + state.step

    def _steps_to_look(self, state: RunState) -> int:
        """After how many steps to look: a second's, but not past what is to happen."""
        per_step = self._seconds_per_step
        steps = round(_SECONDS_BETWEEN_LOOKS / per_step) if per_step else 1
        now = self._global_step(state)
        for every in (self.config.log_every_steps, self.config.checkpoint_every_steps):
            if every:
                steps = min(steps, every - now % every)
        return max(1, min(steps, self.steps_per_epoch - state.step))

    def _look(self, state: RunState, learning_rates: np.ndarray) -> bool:
        """Reads the sums; logs, writes a checkpoint or stops where it is time to.

        Returns:
            Whether a callback of a worker asks for the end of training.
        """
        tally, config = self.loop.tally, self.config
        sums = self._sums = tally.read()
        now = time.monotonic()
        state.seconds += now - self._looked[0]
        bad = tally.first_bad
        per_step, badness, stop, due, ended = self.consensus.total(
            (now - self._looked[0]) / max(state.step - self._looked[1], 1),
            bad is not None,
            self.interruption.seen is not None,
            self.consensus.chief and self.checkpoint_is_due(),
            self.callbacks.stop,
        )
        self._seconds_per_step = per_step / self.consensus.workers
        self._looked = (now, state.step)
        if badness:
            self._non_finite(state, bad)
        step = self._global_step(state)
        seen = sums.since(self._at_begin)
        if sums.count:
            self.progress.update(
                state.step,
                seen.count,
                sums.loss / sums.count,
                sums.correct / sums.count,
                _share(tally.waited, state.seconds),
            )
        if step % config.log_every_steps == 0:
            self._log(state, sums, float(learning_rates[state.step - 1]))
        every = config.checkpoint_every_steps
        finished = ended or state.step == self.steps_per_epoch
        if stop or ((due or (every and step % every == 0)) and not finished):
            state.tally = self._tally_state()
            self.save(state)
        if stop:
            if self.interruption.seen is None:  # it came to another worker
                self.interruption.seen = signal.SIGTERM
            self.interruption.check()
        self._looked = (time.monotonic(), state.step)
        return bool(ended)

    def _tally_state(self) -> dict[str, Any]:
        alone = self.consensus.workers == 1
        return self.loop.tally.state(None if alone else self._sums)

    def _log(self, state: RunState, sums: Sums, learning_rate: float) -> None:
        """Adds what happened since the last row to `metrics.jsonl`."""
        new = sums.since(state.logged)
        waited = self.loop.tally.waited
        seconds = max(state.seconds - state.logged_seconds, 1e-9)
        self.log(
            {
                "kind": "step",
                "epoch": state.epoch + 1,
                "step": self._global_step(state),
                "loss": _mean(new.loss, new.count),
                "accuracy": _mean(new.correct, new.count),
                "learning_rate": learning_rate,
                "images_per_second": round(new.count / seconds, 1),
                "data_wait": _share(waited - state.logged_wait, seconds),
                "seconds": round(seconds, 3),
            }
        )
        state.logged = sums
        state.logged_seconds, state.logged_wait = state.seconds, waited

    def _non_finite(self, state: RunState, bad: int | None) -> None:
        """Stops, or says what is skipped."""
        if bad is None:
            where, images = f"before step {state.step}, on another worker", ""
        else:
            index = bad - state.epoch * self.steps_per_epoch
            where = f"in step {index + 1}"
            images = self.blame(state.epoch, index)
        place = f"{where} of {self.steps_per_epoch} of epoch {state.epoch + 1}"
        if self.config.on_nan == "skip":
            warnings.warn(
                f"The loss is not finite {place}; the step is skipped.{images}",
                stacklevel=2,
            )
            self.loop.tally.forget_bad()
            return
        raise NonFiniteLossError(
            f"The loss stopped being finite {place}. "
            f"The last good checkpoint is {self.last_checkpoint()}. Resuming "
            "(--resume, resume=True) with a lower learning_rate usually helps, or with "
            "on_nan='skip', which leaves such steps out; a longer warm-up needs a run "
            f"of its own.{images} Received: loss {math.nan}"
        )


def _mean(total: float, count: float) -> float:
    """A mean over examples; not a number where none was finite."""
    return total / count if count else math.nan


def _share(part: float, whole: float) -> float | None:
    """A share of time; None where the part is not known."""
    if math.isnan(part):
        return None
    return round(min(part / max(whole, 1e-9), 1.0), 4)
