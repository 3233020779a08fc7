"""What a run directory says about its run."""

import csv
import dataclasses
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_regnet.architecture import from_dict, variant, variant_names
from keras_regnet.training.run_directory import RunDirectory

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Record:
    """A run as it was written down.

    Attributes:
        path: The run directory.
        configuration: What the run was asked.
        environment: Where it ran.
        epochs: A row per epoch, with the keys of `log.csv` and `metrics.jsonl`; a
            value that is missing is absent, or None.
        steps: A row per logged step.
        result: `result.json`, empty where the run is not over.
    """

    path: Path
    configuration: Mapping[str, Any]
    environment: Mapping[str, Any]
    epochs: list[Row]
    steps: list[Row]
    result: Mapping[str, Any]

    @property
    def final(self) -> Row:
        """The row of the last epoch; empty where there is none."""
        return self.epochs[-1] if self.epochs else {}

    @property
    def planned_epochs(self) -> int | None:
        """How many epochs the run was to have."""
        return section(self.configuration, "training").get("epochs")

    @property
    def averaged(self) -> bool:
        """Whether averaged weights were evaluated beside the raw ones."""
        return any(
            row.get("ema_validation_accuracy") is not None for row in self.epochs
        )

    @property
    def steps_per_epoch(self) -> float | None:
        """Training steps in an epoch, where that is known."""
        known = self.configuration.get("steps_per_epoch")
        if known:
            return known
        for row in reversed(self.epochs):
            if row.get("step"):
                return row["step"] / row["epoch"]
        return None

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes; empty where they are not known."""
        return tuple(map(str, self.configuration.get("class_names") or ()))

    @property
    def network(self) -> str | None:
        """The published name of the network, else its kind; None if not known."""
        described = section(self.configuration, "model").get("architecture")
        if not described:
            return None
        for name in variant_names():
            if json.loads(json.dumps(variant(name).to_dict())) == described:
                return name
        kind = "AnyNet" if "stages" in described else "RegNet"
        return f"{kind} of own numbers"

    @property
    def architecture(self) -> Any | None:
        """The numbers of the network, or None where they cannot be read."""
        described = section(self.configuration, "model").get("architecture")
        try:
            return from_dict(described) if described else None
        except ValueError:
            return None

    @property
    def title(self) -> str:
        """What was trained, on what."""
        data = section(self.configuration, "data").get("name")
        if not (self.network and data):
            return self.path.resolve().name
        kind, _, place = data.rpartition(":")
        if kind or place.startswith(("/", ".", "~")):
            data = Path(place).name or data
        return f"{self.network} on {data}"

    def total(self, key: str) -> float:
        """The sum of a column over the epochs."""
        return sum(row[key] for row in self.epochs if is_finite(row.get(key)))

    @property
    def data_wait(self) -> float | None:
        """The share of the training's time in which it waited for data."""
        rows = [row for row in self.epochs if is_finite(row.get("data_wait"))]
        seconds = sum(row.get("seconds") or 0 for row in rows)
        if not seconds:
            return None
        return (
            sum(row["data_wait"] * (row.get("seconds") or 0) for row in rows) / seconds
        )

    def time_shares(self) -> dict[str, float]:
        """Where the time went, in seconds: only what the run wrote down."""
        seconds = self.total("seconds")
        waiting = seconds * (self.data_wait or 0)
        shares = {
            "training": seconds - waiting,
            "waiting for data": waiting,
            "validation": self.total("validation_seconds"),
            "checkpoints": self.total("checkpoint_seconds"),
        }
        whole = self.result.get("seconds")
        if is_finite(whole):
            shares["other"] = max(0.0, whole - sum(shares.values()))
        return {name: value for name, value in shares.items() if value > 0}


def read_record(run_dir: str | os.PathLike[str]) -> Record:
    """Reads a run directory.

    A last line of `metrics.jsonl` that a kill cut off is left out.

    Raises:
        ValueError: There is no run, or a file of it cannot be read.
    """
    run = RunDirectory(run_dir)
    config = run.read_json("config.json")
    if not isinstance(config, dict) or "configuration" not in config:
        raise ValueError(
            f"A report needs a run directory with a config.json. Received: {run.path}"
        )
    epochs: dict[int, Row] = {}
    steps = []
    for row in [*_read_log(run.path / "log.csv"), *_read_metrics(run.path)]:
        kind = row.pop("kind", "epoch")
        if kind == "step":
            steps.append(row)
        elif kind == "epoch" and row.get("epoch") is not None:
            epochs.setdefault(row["epoch"], {}).update(row)
    return Record(
        path=run.path,
        configuration=config["configuration"],
        environment=config.get("environment") or {},
        epochs=[epochs[epoch] for epoch in sorted(epochs)],
        steps=sorted(steps, key=lambda row: row.get("step") or 0),
        result=run.read_json("result.json") or {},
    )


def section(configuration: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of the configuration; empty where it is not there."""
    found = configuration.get(name)
    return found if isinstance(found, Mapping) else {}


def is_finite(value: Any) -> bool:
    """Whether a value is a number, and neither infinite nor NaN."""
    return isinstance(value, int | float) and math.isfinite(value)


def _read_log(path: Path) -> list[Row]:
    if not path.is_file():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        return [{k: _number(v) for k, v in row.items() if k} for row in rows]


def _read_metrics(folder: Path) -> list[Row]:
    path = folder / "metrics.jsonl"
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except ValueError:
            if number == len(lines):
                break
            row = None
        if not isinstance(row, dict):
            raise ValueError(
                f"{path} must have a JSON object in each line. "
                f"Received: line {number}, {line[:80]!r}"
            )
        rows.append(row)
    return rows


def _number(text: str | None) -> float | int | None:
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return None
