"""What a run leaves for others: summaries, the learning curve, the saved models."""

import importlib.util
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_regnet.files import replacing
from keras_regnet.training.checkpoints import take_snapshot
from keras_regnet.training.keeper import Keeper
from keras_regnet.training.loop import Loop
from keras_regnet.training.run_directory import RunDirectory, naming
from keras_regnet.training.state import RunState

# How the history's columns begin, and the TensorBoard runs in which they stand.
_TENSORBOARD_RUNS = {
    "train_": "train",
    "ema_validation_": "validation_averaged",
    "validation_": "validation",
}


@contextmanager
def write_summaries(
    folder: Path,
) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yields a function that writes a history row as TensorBoard scalars.

    Training, validation and averaged weights are runs of their own below `folder`, and
    their scalars have the same names, which are those of Keras' callback: TensorBoard
    draws them into one chart. Steps are epochs.

    Where tensorboard is not installed, warns and writes nothing.
    """
    if not installed("tensorboard", "the TensorBoard events"):
        yield lambda row: None
        return
    writers: dict[str, tf.summary.SummaryWriter] = {}

    def summarize(row: dict[str, Any]) -> None:
        with naming(folder):
            for name, value in row.items():
                if name == "epoch" or value is None:
                    continue
                part, tag = _chart(name)
                if part not in writers:
                    path = str(folder / part)
                    writers[part] = tf.summary.create_file_writer(path)
                with writers[part].as_default():
                    tf.summary.scalar(tag, value, step=row["epoch"])
            for writer in writers.values():
                writer.flush()

    try:
        yield summarize
    finally:
        for writer in writers.values():
            writer.close()


def save_results(
    run: RunDirectory,
    model: keras.Model | None,
    loop: Loop,
    keeper: Keeper,
    state: RunState,
) -> None:
    """Writes everything that a run leaves at its end, `result.json` last.

    `model.keras` and `saved_model/` have the averaged weights where there are
    averages; the raw ones are then `model_raw.keras`. Where another epoch than the last
    was the best, `best.keras` has its weights.

    Args:
        run: The folder.
        model: The model to save; it shares its variables with the loop's. None: no
            model is saved, and nothing drawn.
        loop: The compiled steps.
        keeper: The checkpoints.
        state: Where the run stands.
    """
    averages = loop.averages

    def averaged() -> AbstractContextManager:
        return averages.in_place() if averages is not None else nullcontext()

    if averages is not None and model is not None:
        save_keras(run.path / "model_raw.keras", model)
    if model is not None:
        with averaged():
            save_outputs(run, model, state.history)
    result: dict[str, Any] = {
        "final": state.history[-1],
        "epochs": state.epoch,
        "seconds": round(state.elapsed, 1),
    }
    if state.best_epoch:
        result["best"] = state.history[state.best_epoch - 1]
        if model is not None and state.best_epoch != state.epoch:
            last = take_snapshot(0, keeper.groups, {})
            if keeper.assign_best():
                with averaged():
                    save_keras(run.path / "best.keras", model)
                last.assign(keeper.groups)
    run.write_json("result.json", result)


def save_keras(path: Path, model: keras.Model) -> None:
    """Writes a `.keras` file, whole or not at all."""
    with naming(path), replacing(path) as temporary:
        model.save(temporary)


def save_outputs(
    run: RunDirectory, model: keras.Model, history: list[dict[str, Any]]
) -> None:
    """Writes `model.keras`, `saved_model/` and `learning_curve.png`.

    The SavedModel is made from the `.keras` file read back: variables that live on
    several replicas become ordinary ones, and the file is known to load.
    """
    path = run.path / "model.keras"
    save_keras(path, model)
    loaded = keras.saving.load_model(path, compile=False)
    path = run.path / "saved_model"
    temporary = run.path / ".saved_model.tmp"
    with naming(path):
        shutil.rmtree(temporary, ignore_errors=True)
        loaded.export(temporary, format="tf_saved_model", verbose=False)
        shutil.rmtree(path, ignore_errors=True)
        temporary.rename(path)
    if installed("matplotlib", "learning_curve.png"):
        from keras_regnet.plots import plot_learning_curves

        path = run.path / "learning_curve.png"
        with naming(path):
            plot_learning_curves(history, path)


def _chart(column: str) -> tuple[str, str]:
    """The TensorBoard run and the tag of a column of the history."""
    for prefix, part in _TENSORBOARD_RUNS.items():
        if column.startswith(prefix):
            return part, f"epoch_{column.removeprefix(prefix)}"
    return "train", f"epoch_{column}"


def installed(module: str, what: str) -> bool:
    """Whether a package is there; otherwise warns that `what` will be missing."""
    if importlib.util.find_spec(module):
        return True
    warnings.warn(
        f"{module} is not installed, so {what} will be missing. "
        "Install it with: pip install 'keras-regnet[train]'",
        stacklevel=3,
    )
    return False
