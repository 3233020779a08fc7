"""The epochs of a training run, whatever takes its steps, and what is left of it."""

import dataclasses
import signal
from collections.abc import Iterator
from typing import Any

import keras

from keras_regnet.training.averaging import average_rates
from keras_regnet.training.callbacks import Callbacks
from keras_regnet.training.config import TrainingConfig
from keras_regnet.training.consensus import Consensus
from keras_regnet.training.data_problems import DataProblems
from keras_regnet.training.epoch import EpochRunner
from keras_regnet.training.interruption import Interruption, TerminatedError
from keras_regnet.training.keeper import Keeper
from keras_regnet.training.outputs import save_results
from keras_regnet.training.progress import Progress
from keras_regnet.training.record import Record
from keras_regnet.training.run_directory import RunDirectory
from keras_regnet.training.schedules import learning_rates
from keras_regnet.training.state import RunState
from keras_regnet.training.validator import Validator
from keras_regnet.training.watchdog import Watchdog


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """What a run came to.

    Attributes:
        history: A row per epoch: `epoch` (from 1), `learning_rate` (of its last step),
            `train_loss`, `train_accuracy` (means over the epoch, while the weights
            moved), `validation_loss`, `validation_accuracy` and `validation_count`
            (exact; absent without validation data), `seconds` and `images_per_second`
            of the training part.
        run_dir: The run directory.
    """

    history: list[dict[str, Any]]
    run_dir: str

    @property
    def final(self) -> dict[str, Any]:
        """The last epoch's row."""
        return self.history[-1]


class TrainingRun:
    """Goes through the epochs of a run: what all trainers have in common.

    A trainer is one whose constructor sets the attributes, and that gives the batches.

    Attributes:
        config: The training configuration.
        steps_per_epoch: Number of steps in an epoch.
        saved_model: The model to save at the end, or None.
        run: The run directory.
        consensus: Between the workers.
        progress: What a person sees.
        interruption: Ctrl-C and SIGTERM.
        watchdog: Is told of everything that happens.
        problems: What the data can say of their images.
        record: What is written down as it goes.
        callbacks: Keras callbacks.
        loop: The steps, as `loop.Loop`.
        keeper: The checkpoints.
        validator: Judges the model after an epoch.
    """

    config: TrainingConfig
    steps_per_epoch: int
    saved_model: keras.Model | None
    run: RunDirectory
    consensus: Consensus
    progress: Progress
    interruption: Interruption
    watchdog: Watchdog
    problems: DataProblems
    record: Record
    callbacks: Callbacks
    loop: Any
    keeper: Keeper
    validator: Validator

    def _batches(self, epoch: int, step: int) -> Iterator:
        """The batches of an epoch (from 0) that come after `step` others."""
        raise NotImplementedError

    def _train(self) -> TrainingResult:
        state = self.keeper.restore()
        written = self.consensus.chief and self.run.read_json("result.json") is not None
        if self.consensus.from_chief(written) and self._is_done(state):
            self.progress.say(
                f"The run in {self.run.path} is complete ({state.epoch} epochs)."
            )
            return TrainingResult(state.history, str(self.run.path))
        if state.epoch or state.step:
            within = f" and {state.step} steps of the next" if state.step else ""
            self.progress.say(
                f"Going on after epoch {state.epoch} of {self.config.epochs}{within}."
            )
        self.keeper.start()
        try:
            self.callbacks.begin(state.callbacks, state.epoch)
            with self.interruption, self.record.going_on(state):
                self._train_epochs(state)
        finally:
            self.keeper.close()
            self.callbacks.end(state.history[-1] if state.history else None)
        with self.watchdog.paused():
            if self.consensus.chief:
                save_results(self.run, self.saved_model, self.loop, self.keeper, state)
            self.consensus.total(0)  # nobody leaves before the files are written
        return TrainingResult(state.history, str(self.run.path))

    def _train_epochs(self, state: RunState) -> None:
        runner = EpochRunner(
            self.loop,
            self.config,
            self.steps_per_epoch,
            consensus=self.consensus,
            progress=self.progress,
            callbacks=self.callbacks,
            interruption=self.interruption,
            log=self.record.add,
            alive=self.watchdog.alive,
            save=self._save,
            checkpoint_is_due=self.keeper.is_due,
            blame=self.problems.of_step,
            last_checkpoint=self.keeper.last,
        )
        while not self._is_done(state):
            epoch = state.epoch
            self.callbacks.begin_epoch(epoch)
            row = runner.run(
                state,
                self._batches(epoch, state.step),
                learning_rates(self.config, epoch, self.steps_per_epoch),
                average_rates(
                    self.config, epoch, self.steps_per_epoch, state.averages_warm_up
                ),
            )
            try:
                row |= self.validator.run(epoch, self._is_judged(epoch))
            except (KeyboardInterrupt, TerminatedError):
                self._save(state)
                raise
            self._end_epoch(state, row)
            self.interruption.check()

    def _end_epoch(self, state: RunState, row: dict[str, Any]) -> None:
        """Writes down an epoch that is done."""
        row["checkpoint_seconds"] = round(self.keeper.take_seconds(), 3)
        row |= self.problems.count()
        with self.watchdog.paused():  # a callback may save a model, and others wait
            self.callbacks.end_epoch(state.epoch, row)
            stop, ended = self.consensus.total(
                self.interruption.seen is not None, self.callbacks.stop
            )
        state.history.append(row)
        state.begin_next_epoch()
        if stop and self.interruption.seen is None:  # it came to another worker
            self.interruption.seen = signal.SIGTERM
        state.stopped = bool(ended)
        judged = row.get("ema_validation_accuracy", row.get("validation_accuracy"))
        best = judged is not None and judged > state.best
        if best:
            state.best, state.best_epoch = judged, state.epoch
        step = state.epoch * self.steps_per_epoch
        self.record.add({"kind": "epoch", "step": step, **row})
        every = self.config.checkpoint_every_epochs
        due = every and state.epoch % every == 0
        if best or due or stop or self._is_done(state):
            self._save(state, best)
        self.record.end_epoch(state)
        self.progress.end_epoch(row)

    def _save(self, state: RunState, best: bool = False) -> None:
        """Begins to write a checkpoint; the others wait until the chief has."""
        state.callbacks = self.callbacks.memory()
        with self.watchdog.paused():
            self.keeper.save(state, best)
            self.consensus.total(0)

    def _is_judged(self, epoch: int) -> bool:
        every = self.config.validate_every_epochs
        last = epoch + 1 == self.config.epochs
        return last or (every > 0 and (epoch + 1) % every == 0)

    def _is_done(self, state: RunState) -> bool:
        return state.stopped or state.epoch >= self.config.epochs
