"""What a fine-tuning came to."""

import dataclasses
from typing import Any

from keras_regnet.training.run_directory import RunDirectory


@dataclasses.dataclass(frozen=True)
class FineTuneResult:
    """What a fine-tuning came to.

    Attributes:
        accuracy: Share of the validation images that the saved network gets right.
        loss: Its mean cross-entropy on them, without smoothing and class weights.
        count: Number of these images.
        seconds: Of all phases.
        history: A row per epoch, as in `training.TrainingResult.history`; `epoch`
            counts through the phases, `phase` names them.
        run_dir: The run directory.
        published: The folder of the published network, or None.
    """

    accuracy: float
    loss: float
    count: int
    seconds: float
    history: list[dict[str, Any]]
    run_dir: str
    published: str | None = None

    @property
    def final(self) -> dict[str, Any]:
        """The last epoch's row."""
        return self.history[-1]


def write_result(run: RunDirectory, result: FineTuneResult) -> None:
    """Writes `result.json`, the last file of a run."""
    values = dataclasses.asdict(result)
    values.pop("run_dir")  # which may be moved
    values["epochs"], values["final"] = len(result.history), result.final
    run.write_json("result.json", values)


def read_result(run: RunDirectory) -> FineTuneResult | None:
    """The result of a run that is complete; None of another."""
    values = run.read_json("result.json")
    if values is None:
        return None
    names = {field.name for field in dataclasses.fields(FineTuneResult)}
    values = {name: value for name, value in values.items() if name in names}
    return FineTuneResult(**values, run_dir=str(run.path))
