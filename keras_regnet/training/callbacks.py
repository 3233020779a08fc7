"""Keras callbacks in a loop that is not Keras'."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_regnet.files import is_remote, write_text
from keras_regnet.training.tally import Sums

_NAMES = {
    "train_loss": "loss",
    "train_accuracy": "accuracy",
    "validation_loss": "val_loss",
    "validation_accuracy": "val_accuracy",
}
_TRAIN_BATCH_HOOKS = (
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
)
_TEST_BATCH_HOOKS = ("on_test_batch_begin", "on_test_batch_end")

_MONITORS = (keras.callbacks.EarlyStopping, keras.callbacks.ModelCheckpoint)

# Callbacks that would do nothing here, and what does their work.
_REFUSED = {
    keras.callbacks.LearningRateScheduler: "the schedule of TrainingConfig",
    keras.callbacks.ReduceLROnPlateau: "the schedule of TrainingConfig",
    keras.callbacks.BackupAndRestore: "the checkpoints and resume=True",
    keras.callbacks.SwapEMAWeights: "ema_decay of TrainingConfig",
}


class Callbacks:
    """Calls a list of Keras callbacks at the moments that `fit` would.

    The logs have Keras' names (`loss`, `accuracy`, `val_loss`, `val_accuracy`,
    `learning_rate`) and ours beside them. Callbacks that look at every batch are
    served after every step, which means waiting for it. The hooks of a test are those
    of the evaluation of the weights themselves; that of averaged weights has none.
    While training goes on, `model.optimizer` is the optimizer; its learning rate comes
    from the schedule, so that what a callback sets there lasts for a step at most.
    Afterwards the model has the optimizer back with which it was compiled.

    Args:
        callbacks: The callbacks.
        model: The model that is trained.
        optimizer: Its optimizer.
        epochs: Number of epochs.
        steps: Steps in an epoch.
        verbose: What callbacks are told of the verbosity.
    """

    def __init__(
        self,
        callbacks: Sequence[keras.callbacks.Callback],
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        epochs: int,
        steps: int,
        verbose: int = 1,
    ) -> None:
        for callback in callbacks:
            if not isinstance(callback, keras.callbacks.Callback):
                raise ValueError(
                    "callbacks must be keras.callbacks.Callback objects. "
                    f"Received: {callback!r}"
                )
            for kind, instead in _REFUSED.items():
                if isinstance(callback, kind):
                    raise ValueError(
                        f"{kind.__name__} has no effect on a Trainer; {instead} does "
                        f"that here. Received: {callback!r}"
                    )
        self.model = model
        self.optimizer = optimizer
        self.every_batch = _has_hooks(callbacks, _TRAIN_BATCH_HOOKS)
        self.every_test_batch = _has_hooks(callbacks, _TEST_BATCH_HOOKS)
        self._at_begin: list[dict[str, Any]] | None = None
        self._list = None
        for callback in callbacks:  # in `fit` the compiled metrics say it
            if isinstance(callback, _MONITORS) and callback.mode == "auto":
                kind = callback.monitor.rpartition("_")[2]
                callback.mode = {"accuracy": "max", "loss": "min"}.get(kind, "auto")
        if callbacks:
            model.stop_training = False
            self._list = keras.callbacks.CallbackList(
                list(callbacks),
                add_history=False,
                model=model,
                epochs=epochs,
                steps=steps,
                verbose=verbose,
            )

    @property
    def stop(self) -> bool:
        """Whether a callback asked for the end of training."""
        return self._list is not None and bool(self.model.stop_training)

    def begin(self, memory: Sequence[Sequence[Any]] = (), epoch: int = 0) -> None:
        """Training begins, or goes on with what `memory` gave before `epoch`.

        Raises:
            ValueError: A callback keeps weights in memory, which are lost now.
        """
        if self._list is not None:
            memory = [list(each) for each in memory]
            taken = {}
            for callback in self._list.callbacks:
                name = type(callback).__name__
                found = next((each for each in memory if each[0] == name), None)
                if found is None:
                    continue
                memory.remove(found)
                taken[callback] = found[1]
                if getattr(callback, "restore_best_weights", False):
                    raise ValueError(
                        "A callback that goes on must not keep weights in memory: they "
                        "are in no checkpoint. Use restore_best_weights=False; "
                        "best.keras has the best weights. "
                        f"Received: {name}(restore_best_weights=True)"
                    )
                if isinstance(callback, keras.callbacks.CSVLogger):
                    _go_on_in_its_file(callback, epoch)
            self._borrowed = getattr(self.model, "optimizer", None)
            self.model.optimizer = self.optimizer
            self._at_begin = []
            self._list.on_train_begin()
            self._at_begin = [_remembered(each) for each in self._list.callbacks]
            for callback, values in taken.items():
                made_with = _made_with(callback)
                vars(callback).update(
                    {k: value for k, value in values.items() if k not in made_with}
                )

    def memory(self) -> list[list[Any]]:
        """What callbacks remember since `begin`: [class, {attribute: value}] of each.

        Numbers, texts and None alone; JSON types.
        """
        if self._list is None:
            return []
        return [
            [
                type(callback).__name__,
                {
                    name: value
                    for name, value in _remembered(callback).items()
                    if name not in before or before[name] != value
                },
            ]
            for callback, before in zip(
                self._list.callbacks, self._at_begin, strict=True
            )
        ]

    def end(self, row: Mapping[str, Any] | None) -> None:
        """Training has ended."""
        if self._list is not None and self._at_begin is not None:
            try:
                self._list.on_train_end(_logs(row))
            finally:
                # Else the optimizer's variables would be saved with the model.
                del self.model.optimizer
                if self._borrowed is not None:
                    self.model.optimizer = self._borrowed

    def begin_epoch(self, epoch: int) -> None:
        """An epoch (from 0) begins."""
        if self._list is not None:
            self._list.on_epoch_begin(epoch)

    def end_epoch(self, epoch: int, row: Mapping[str, Any]) -> None:
        """An epoch has ended with a history row."""
        if self._list is not None:
            self._list.on_epoch_end(epoch, _logs(row))

    def begin_batch(self, index: int) -> None:
        """A step of an epoch begins."""
        if self.every_batch and self._list is not None:
            self._call("on_train_batch_begin", index, {})

    def end_batch(self, index: int, loss: float, accuracy: float) -> None:
        """A step of an epoch has ended, with the means of the epoch so far."""
        if self.every_batch and self._list is not None:
            logs = {"loss": loss, "accuracy": accuracy}
            self._call("on_train_batch_end", index, logs)

    def begin_test(self) -> None:
        """Validation begins."""
        if self._list is not None:
            self._list.on_test_begin()

    def begin_test_batch(self, index: int) -> None:
        """A batch of validation begins."""
        if self.every_test_batch and self._list is not None:
            self._call("on_test_batch_begin", index, {})

    def end_test_batch(self, index: int, read: Callable[[], Sums]) -> None:
        """A batch of validation has ended; `read` gives the sums up to it."""
        if self.every_test_batch:
            sums = read()
            count = max(sums.count, 1)
            logs = {"loss": sums.loss / count, "accuracy": sums.correct / count}
            if self._list is not None:
                self._call("on_test_batch_end", index, logs)

    def _call(self, hook: str, index: int, logs: dict[str, float]) -> None:
        """Calls a hook of all callbacks; by position, as functions name them freely."""
        for callback in self._list.callbacks:
            getattr(callback, hook)(index, logs)

    def end_test(self, row: Mapping[str, Any]) -> None:
        """Validation has ended; the logs have the names of `evaluate` and of `fit`."""
        if self._list is not None:
            logs = _logs(row)
            own = {"loss": logs["val_loss"], "accuracy": logs["val_accuracy"]}
            self._list.on_test_end(own | logs)


def _made_with(callback: keras.callbacks.Callback) -> set[str]:
    """The arguments of Keras' own constructors.

    An attribute of such a name is no memory: Keras makes what it wants of it again, as
    `EarlyStopping` of the sign of `min_delta`.
    """
    return {
        name
        for kind in type(callback).__mro__
        if kind.__module__.partition(".")[0] == "keras"
        for name in inspect.signature(kind.__init__).parameters
    }


def _remembered(callback: keras.callbacks.Callback) -> dict[str, Any]:
    """The plain attributes of a callback; numpy's numbers as Python's."""
    values = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in vars(callback).items()
    }
    return {
        name: value
        for name, value in values.items()
        if value is None or isinstance(value, bool | int | float | str)
    }


def _go_on_in_its_file(logger: keras.callbacks.CSVLogger, epoch: int) -> None:
    """Keeps the rows of the epochs (from 0) that are done, and has others appended."""
    path = Path(logger.filename)
    # With append=True the rows before this run's are another one's.
    if (
        not is_remote(logger.filename)
        and path.is_file()
        and (epoch or not logger.append)
    ):
        header, *rows = path.read_bytes().decode().splitlines(keepends=True) or [""]
        while rows and _first_number(rows[-1], logger.sep, default=epoch) >= epoch:
            del rows[-1]
        write_text(path, header + "".join(rows))
    logger.append = True


def _first_number(row: str, separator: str, default: int) -> int:
    first = row.partition(separator)[0]
    return int(first) if first.isdecimal() else default


def _has_hooks(
    callbacks: Sequence[keras.callbacks.Callback], hooks: Sequence[str]
) -> bool:
    """Whether a callback has one of these, in its class or (LambdaCallback) itself."""

    def own(callback: keras.callbacks.Callback, hook: str) -> bool:
        function = getattr(getattr(callback, hook), "__func__", None)
        return function is not getattr(keras.callbacks.Callback, hook)

    return any(own(callback, hook) for callback in callbacks for hook in hooks)


def _logs(row: Mapping[str, Any] | None) -> dict[str, Any]:
    # Callbacks give the epoch to file names by themselves.
    own = {name: value for name, value in (row or {}).items() if name != "epoch"}
    return {_NAMES.get(name, name): value for name, value in own.items()} | own
