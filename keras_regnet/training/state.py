"""How far a run has come, as a checkpoint remembers it."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from keras_regnet.training.tally import Sums


@dataclasses.dataclass
class RunState:
    """Everything of a run besides its variables. Changes as the run goes on.

    Attributes:
        epoch: Number of whole epochs done.
        step: Steps of the next epoch that are done.
        history: A row for each whole epoch.
        tally: What `Tally.state` gave, in the middle of an epoch.
        logged: The sums up to the last row of `metrics.jsonl`.
        logged_seconds: The epoch's seconds up to there.
        logged_wait: The part of them for which steps waited for data.
        seconds: Of the epoch under way.
        best: The best validation accuracy, and after which epoch.
        best_epoch: Number of epochs done then; 0 before the first.
        elapsed: Seconds of the whole run by the wall clock, without interruptions.
        stopped: Whether a callback ended the run.
        callbacks: What the callbacks remember, as `Callbacks.memory` gives it.
        averages_warm_up: Whether the decay of averaged weights warms up; not in runs
            that began before it did.
    """

    epoch: int = 0
    step: int = 0
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    tally: dict[str, Any] | None = None
    logged: Sums = dataclasses.field(default_factory=Sums)
    logged_seconds: float = 0.0
    logged_wait: float = 0.0
    seconds: float = 0.0
    best: float = -1.0
    best_epoch: int = 0
    elapsed: float = 0.0
    stopped: bool = False
    callbacks: list[list[Any]] = dataclasses.field(default_factory=list)
    averages_warm_up: bool = True

    def to_dict(self) -> dict[str, Any]:
        """The state as JSON types."""
        return dataclasses.asdict(self) | {"logged": list(self.logged)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The state that `to_dict` described."""
        before = {"averages_warm_up": False}  # what older runs do not say
        return cls(**{**before, **values, "logged": Sums(*values["logged"])})

    def begin_next_epoch(self) -> None:
        """One more epoch is done."""
        self.epoch += 1
        self.step = 0
        self.tally = None
        self.logged = Sums()
        self.logged_seconds = self.logged_wait = self.seconds = 0.0
