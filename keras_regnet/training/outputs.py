"""What a run leaves for others: summaries, the learning curve, the saved models."""

import importlib.util
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_regnet.files import replacing
from keras_regnet.training.run_directory import RunDirectory, naming


@contextmanager
def write_summaries(
    folder: Path,
) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yields a function that writes a history row as TensorBoard scalars.

    Where tensorboard is not installed, warns and writes nothing.
    """
    if not _installed("tensorboard", "the TensorBoard events"):
        yield lambda row: None
        return
    writer = tf.summary.create_file_writer(str(folder))

    def summarize(row: dict[str, Any]) -> None:
        with naming(folder), writer.as_default():
            for name, value in row.items():
                if name != "epoch":
                    tf.summary.scalar(name, value, step=row["epoch"])
            writer.flush()

    try:
        yield summarize
    finally:
        writer.close()


def save_outputs(
    run: RunDirectory, model: keras.Model, history: list[dict[str, Any]]
) -> None:
    """Writes `model.keras`, `saved_model/` and `learning_curve.png`.

    The SavedModel is made from the `.keras` file read back: variables that live on
    several replicas become ordinary ones, and the file is known to load.
    """
    path = run.path / "model.keras"
    with naming(path), replacing(path) as temporary:
        model.save(temporary)
    loaded = keras.saving.load_model(path, compile=False)
    path = run.path / "saved_model"
    temporary = run.path / ".saved_model.tmp"
    with naming(path):
        shutil.rmtree(temporary, ignore_errors=True)
        loaded.export(temporary, format="tf_saved_model", verbose=False)
        shutil.rmtree(path, ignore_errors=True)
        temporary.rename(path)
    if _installed("matplotlib", "learning_curve.png"):
        from keras_regnet.plots import plot_learning_curves

        path = run.path / "learning_curve.png"
        with naming(path):
            plot_learning_curves(history, path)


def _installed(module: str, what: str) -> bool:
    if importlib.util.find_spec(module):
        return True
    warnings.warn(
        f"{module} is not installed, so {what} will be missing. "
        "Install it with: pip install 'keras-regnet[train]'",
        stacklevel=3,
    )
    return False
