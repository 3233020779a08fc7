"""How a network is trained: one frozen dataclass that checks itself."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Self

SCHEDULES = ("cosine", "constant")
GRANULARITIES = ("step", "epoch")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Everything that decides how the weights move, and when they are written.

    The defaults are the recipe of the published networks (`core/config.py` of pycls),
    for a batch of 128 images, except that the learning rate moves at every step. The
    batch size belongs to the data set, the precision and dropout to the model.

    Attributes:
        epochs: Number of passes over the training data.
        learning_rate: The highest learning rate. The official rule is 0.1 per 128
            images of the global batch.
        momentum: Of the stochastic gradient descent, in [0, 1).
        nesterov: Whether the momentum is Nesterov's.
        weight_decay: Factor of the weights that is added to their gradient before the
            momentum (coupled decay, as torch's; *not* the decoupled one of Keras).
        decay_norms_and_biases: Whether vectors (normalisation scales and shifts, and
            biases) are decayed too, as in the official recipe.
        schedule: `"cosine"` (half a period, down to zero) or `"constant"`.
        schedule_granularity: `"step"`, or `"epoch"` to set the rate once per epoch, as
            the official code does.
        warmup_epochs: Length of the linear warm-up; may be fractional or zero.
        warmup_factor: Fraction of the scheduled rate with which the warm-up starts.
        label_smoothing: Share of the target that is spread over all classes.
        checkpoint_every_epochs: A checkpoint is written after so many epochs, and
            after the last.
        steps_per_execution: Training steps in one call of the compiled function. More
            costs nothing but the moments at which progress is shown; it helps where a
            step takes less than a few milliseconds.

    Raises:
        ValueError: A value is out of its range.
    """

    epochs: int
    learning_rate: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-5
    decay_norms_and_biases: bool = True
    schedule: str = "cosine"
    schedule_granularity: str = "step"
    warmup_epochs: float = 5
    warmup_factor: float = 0.1
    label_smoothing: float = 0.0
    checkpoint_every_epochs: int = 1
    steps_per_execution: int = 1

    def __post_init__(self) -> None:
        for name in ("epochs", "checkpoint_every_epochs", "steps_per_execution"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                self._refuse(name, "a whole number of at least 1")
        if not (_is_number(self.learning_rate) and self.learning_rate > 0):
            self._refuse("learning_rate", "a finite number above 0")
        for name in ("momentum", "label_smoothing"):
            value = getattr(self, name)
            if not (_is_number(value) and 0 <= value < 1):
                self._refuse(name, "a number in [0, 1)")
        for name in ("weight_decay", "warmup_epochs"):
            value = getattr(self, name)
            if not (_is_number(value) and value >= 0):
                self._refuse(name, "a finite number of at least 0")
        if not (_is_number(self.warmup_factor) and 0 <= self.warmup_factor <= 1):
            self._refuse("warmup_factor", "a number in [0, 1]")
        for name in ("nesterov", "decay_norms_and_biases"):
            if not isinstance(getattr(self, name), bool):
                self._refuse(name, "True or False")
        if self.nesterov and self.momentum == 0:
            self._refuse("nesterov", "False where momentum is 0")
        if self.schedule not in SCHEDULES:
            self._refuse("schedule", f"one of {SCHEDULES}")
        if self.schedule_granularity not in GRANULARITIES:
            self._refuse("schedule_granularity", f"one of {GRANULARITIES}")
        if self.warmup_epochs > self.epochs:
            self._refuse("warmup_epochs", f"at most epochs ({self.epochs})")

    def _refuse(self, name: str, expected: str) -> None:
        raise ValueError(
            f"{name} must be {expected}. Received: {getattr(self, name)!r}"
        )

    @classmethod
    def for_batch_size(
        cls,
        batch_size: int,
        *,
        epochs: int,
        learning_rate: float | None = None,
        warmup_epochs: float | None = None,
        **fields: Any,
    ) -> Self:
        """A configuration whose learning rate and warm-up follow from other numbers.

        Args:
            batch_size: Images per step, over all devices together.
            epochs: Number of epochs.
            learning_rate: None for the official rule, 0.1 per 128 images.
            warmup_epochs: None for the official 5 epochs, or for a fifth of the epochs
                where that is less.
            **fields: Further fields.

        Returns:
            A configuration.

        Raises:
            ValueError: A value is out of its range.
        """
        if learning_rate is None:
            learning_rate = 0.1 * batch_size / 128
        if warmup_epochs is None:
            warmup_epochs = min(5.0, epochs / 5)
        return cls(
            epochs=epochs,
            learning_rate=learning_rate,
            warmup_epochs=warmup_epochs,
            **fields,
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields as a plain dict that JSON can hold."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The configuration that `to_dict` described.

        Raises:
            ValueError: A key is not a field, `epochs` is missing, or a value is out of
                its range.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        if unknown := sorted(set(values) - set(names)):
            raise ValueError(
                f"A TrainingConfig has the fields {names}. Received also: {unknown}"
            )
        if "epochs" not in values:
            raise ValueError(
                f"A TrainingConfig needs `epochs`. Received: {dict(values)}"
            )
        return cls(**values)


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
    )
