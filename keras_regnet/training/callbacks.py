"""Keras callbacks in a loop that is not Keras'."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

_NAMES = {
    "train_loss": "loss",
    "train_accuracy": "accuracy",
    "validation_loss": "val_loss",
    "validation_accuracy": "val_accuracy",
}
_BATCH_HOOKS = (
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
)


class Callbacks:
    """Calls a list of Keras callbacks at the moments that `fit` would.

    The logs have Keras' names (`loss`, `accuracy`, `val_loss`, `val_accuracy`,
    `learning_rate`) and ours beside them. Callbacks that look at every batch are
    served after every step, which means waiting for it. While training goes on,
    `model.optimizer` is the optimizer; its learning rate comes from the schedule, so
    that what a callback sets there lasts for a step at most.

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
        self.model = model
        self.optimizer = optimizer
        self.every_batch = any(
            getattr(type(callback), hook) is not getattr(keras.callbacks.Callback, hook)
            for callback in callbacks
            for hook in _BATCH_HOOKS
        )
        self._list = None
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

    def begin(self) -> None:
        """Training begins."""
        if self._list is not None:
            self.model.optimizer = self.optimizer
            self._list.on_train_begin()

    def end(self, row: Mapping[str, Any] | None) -> None:
        """Training has ended."""
        if self._list is not None:
            self._list.on_train_end(_logs(row))
            # Else the optimizer's variables would be saved with the model.
            del self.model.optimizer

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
        if self.every_batch:
            self._list.on_train_batch_begin(index)

    def end_batch(self, index: int, loss: float, accuracy: float) -> None:
        """A step of an epoch has ended, with the means of the epoch so far."""
        if self.every_batch:
            self._list.on_train_batch_end(index, {"loss": loss, "accuracy": accuracy})

    def begin_test(self) -> None:
        """Validation begins."""
        if self._list is not None:
            self._list.on_test_begin()

    def end_test(self, row: Mapping[str, Any]) -> None:
        """Validation has ended."""
        if self._list is not None:
            self._list.on_test_end(_logs(row))


def _logs(row: Mapping[str, Any] | None) -> dict[str, Any]:
    # Callbacks give the epoch to file names by themselves.
    return {_NAMES.get(k, k): value for k, value in (row or {}).items() if k != "epoch"}
