"""What a run leaves for others: summaries, the learning curve, the saved models."""

from __future__ import annotations

import importlib.util
import random
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

import keras

from keras_regnet.files import replacing
from keras_regnet.layers.composite import all_layers
from keras_regnet.training.checkpoints import take_snapshot
from keras_regnet.training.keeper import Keeper
from keras_regnet.training.metrics import without_nan
from keras_regnet.training.run_directory import RunDirectory, naming
from keras_regnet.training.state import RunState

if TYPE_CHECKING:
    from keras_regnet.training.loop import Loop

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
if ON_TENSORFLOW:
    import tensorflow as tf

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

    Where tensorboard is not installed, warns and writes nothing. Only TensorFlow, as
    Keras' backend, writes any.
    """
    if not ON_TENSORFLOW or not installed("tensorboard", "the TensorBoard events"):
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
    was the best, `best.keras` has its weights. Where averaged weights were the worse
    ones, a warning says so.

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
        _warn_of_worse_averages("model.keras", state.history[-1])
    result: dict[str, Any] = {
        "final": without_nan(state.history[-1]),
        "epochs": state.epoch,
        "seconds": round(state.elapsed, 1),
    }
    if state.best_epoch:
        result["best"] = without_nan(state.history[state.best_epoch - 1])
        if model is not None and state.best_epoch != state.epoch:
            last = take_snapshot(0, keeper.groups, {})
            if keeper.assign_best(state.best_epoch):
                with averaged():
                    save_keras(run.path / "best.keras", model)
                _warn_of_worse_averages("best.keras", result["best"])
                last.assign(keeper.groups)
    run.write_json("result.json", result)


def _warn_of_worse_averages(name: str, row: dict[str, Any]) -> None:
    """Says so where the averaged weights of a file were worse than the raw ones."""
    averaged = row.get("ema_validation_accuracy")
    raw = row.get("validation_accuracy")
    if averaged is not None and raw is not None and averaged < raw:
        last = " model_raw.keras has those." if name == "model.keras" else ""
        warnings.warn(
            f"{name} has the averaged weights, whose validation accuracy after epoch "
            f"{row['epoch']} was {averaged:.4f}; that of the weights themselves was "
            f"{raw:.4f}.{last} A lower ema_decay suits a short run.",
            stacklevel=2,
        )


def save_keras(path: Path, model: keras.Model) -> None:
    """Writes a `.keras` file, whole or not at all."""
    with naming(path), replacing(path) as temporary:
        model.save(temporary)


def save_outputs(
    run: RunDirectory, model: keras.Model, history: list[dict[str, Any]]
) -> None:
    """Writes `model.keras`, `saved_model/` and `learning_curve.png`.

    The SavedModel is made from the `.keras` file read back: variables that live on
    several replicas become ordinary ones, and the file is known to load. Where it
    cannot be read back, a warning says so, and `saved_model/` is that of the model
    itself, or with several replicas missing.
    """
    path = run.path / "model.keras"
    save_keras(path, model)
    # The file is ours, so that functions in it may be trusted.
    own = {each.__name__: each for each in unregistered(model)}
    loaded: keras.Model | None = None
    try:
        loaded = keras.saving.load_model(path, own, compile=False, safe_mode=False)
    except Exception as error:
        if not ON_TENSORFLOW or not isinstance(
            model.trainable_variables[0].value, tf.distribute.DistributedValues
        ):
            loaded = model
        warnings.warn(
            f"{path} is written, but cannot be loaded again"
            f"{'' if loaded else ', so saved_model/ is missing'}: {error}",
            stacklevel=2,
        )
    if ON_TENSORFLOW:
        _export(run, loaded)
    if installed("matplotlib", "learning_curve.png"):
        from keras_regnet.plots import plot_learning_curves

        path = run.path / "learning_curve.png"
        with naming(path):
            plot_learning_curves(history, path)


def _export(run: RunDirectory, model: keras.Model | None) -> None:
    """Writes `saved_model/`; None: removes what a kill left of it."""
    path = run.path / "saved_model"
    temporary = run.path / ".saved_model.tmp"
    with naming(path):
        shutil.rmtree(temporary, ignore_errors=True)
        if model is not None:
            model.export(temporary, format="tf_saved_model", verbose=False)
            shutil.rmtree(path, ignore_errors=True)
            temporary.rename(path)


def unregistered(model: keras.Model) -> list[Any]:
    """The user's own classes and functions in a model, which Keras finds by no name.

    Keras loads them only where they are given to it as `custom_objects`, or registered
    by `keras.saving.register_keras_serializable`.
    """
    found: dict[str, Any] = {}
    for layer in all_layers(model):
        # Keras puts its own `build` around a layer's.
        attributes = (v for n, v in vars(layer).items() if not hasattr(type(layer), n))
        for value in (layer, *attributes):
            saved = isinstance(value, FunctionType) or hasattr(value, "get_config")
            kind = value if isinstance(value, FunctionType | type) else type(value)
            name, module = kind.__name__, kind.__module__ or ""
            own = saved and module.partition(".")[0] not in ("keras", "keras_regnet")
            if own and keras.saving.get_registered_name(kind) == name:
                found[name] = kind
    return list(found.values())


def check_saving(model: keras.Model) -> None:
    """Says before a run what is known of how its model will load again.

    Args:
        model: The model to save.

    Raises:
        ValueError: Its configuration cannot be written.
    """
    try:
        config = keras.saving.serialize_keras_object(model)
    except Exception as error:
        raise ValueError(
            "A model that is saved must have a configuration: a layer of your own has "
            "get_config, and registration by keras.saving.register_keras_serializable. "
            "Or train with save_models=False; checkpoints are written all the same. "
            f"Received: {model.name!r}, of which Keras says: {error}"
        ) from error
    own = unregistered(model)
    broken = []
    for layer in all_layers(model):
        if type(layer) in own and not isinstance(layer, keras.Model):
            try:
                type(layer).from_config(layer.get_config())
            except Exception as error:
                broken.append(f"{layer.name} ({type(layer).__name__}): {error}")
    if broken:
        raise ValueError(
            "A layer that is saved must be made again by from_config from its "
            "get_config. Or train with save_models=False; checkpoints are written all "
            f"the same. Received: {'; '.join(broken)}"
        )
    if own and (error := _reading_error(config, own)):
        warnings.warn(
            "model.keras will be written, but it cannot be loaded again: it has "
            "classes or functions of your own that Keras cannot make anew. (The "
            "`load_weights` of a model that your program builds takes its weights.) "
            f"Keras says: {error}",
            stacklevel=2,
        )
        return
    if lambdas := [o for o in own if o.__name__ == "<lambda>"]:
        own = [each for each in own if each not in lambdas]
        warnings.warn(
            "The model has a function without a name (a Lambda layer), so model.keras "
            "will only load with keras.saving.load_model(path, safe_mode=False).",
            stacklevel=2,
        )
    if own:
        names = sorted(each.__name__ for each in own)
        warnings.warn(
            f"The model has classes or functions of your own: {', '.join(names)}. "
            "model.keras will only load with keras.saving.load_model(path, "
            f"custom_objects={{{', '.join(f'{n!r}: {n}' for n in names)}}}); decorated "
            "with @keras.saving.register_keras_serializable() they are found.",
            stacklevel=2,
        )


def _reading_error(config: Any, own: list[Any]) -> str:
    """Why Keras cannot make a model of its configuration; empty where it can."""
    state = random.getstate()  # initial weights draw seeds from it
    try:
        keras.saving.deserialize_keras_object(
            config, {each.__name__: each for each in own}, safe_mode=False
        )
    except Exception as error:
        return f"{error!s:.400}"
    finally:
        random.setstate(state)
    return ""


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
