"""A row of a study: a network, how far it is, and what came out."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Self

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
STATUSES = (WAITING, RUNNING, DONE, FAILED)

# Columns whose values are JSON, by what they become.
_JSON = {
    "errors": tuple,
    "train_errors": tuple,
    "train_losses": tuple,
    "seconds": dict,
}


@dataclasses.dataclass(frozen=True)
class Record:
    """One network of one space, with one seed.

    Attributes:
        id: Its number in the file, from 1.
        space: The name of its space.
        position: Its place among the networks of its space, from 0.
        network: As `networks.encode` writes it.
        seed: What it is trained with.
        flops: Multiply-adds for one image.
        parameters: Trainable parameters.
        activations: Outputs of convolutions and dense layers for one image.
        status: One of `STATUSES`.
        attempts: How many times its training was begun, not counting those that ended
            with the whole program.
        reason: Why it failed.
        errors: Share of the held-out images that were wrong, after each epoch.
        train_errors: Of the training images, during each epoch.
        train_losses: Their mean loss, likewise.
        seconds: Spent on each phase of the trial.
        ended: When it was done or failed, in UTC.
        worker: Who trained it: number, processor and cores.
    """

    id: int
    space: str
    position: int
    network: str
    seed: int
    flops: int
    parameters: int
    activations: int
    status: str = WAITING
    attempts: int = 0
    reason: str | None = None
    errors: tuple[float, ...] | None = None
    train_errors: tuple[float, ...] | None = None
    train_losses: tuple[float, ...] | None = None
    seconds: dict[str, float] | None = None
    ended: str | None = None
    worker: str | None = None

    @property
    def error(self) -> float | None:
        """The error after the last epoch."""
        return self.errors[-1] if self.errors else None

    def to_row(self) -> tuple[Any, ...]:
        """The values of the columns, in the fields' order."""
        values = dataclasses.asdict(self)
        for name in _JSON:
            if values[name] is not None:
                values[name] = to_text(values[name])
        return tuple(values.values())

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Reads what `to_row` wrote."""
        values = {name: row[name] for name in COLUMNS}
        for name, kind in _JSON.items():
            if values[name] is not None:
                values[name] = kind(json.loads(values[name]))
        return cls(**values)


COLUMNS = tuple(field.name for field in dataclasses.fields(Record))


def to_text(value: Any) -> str:
    """A value as one line of JSON, always the same one."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
