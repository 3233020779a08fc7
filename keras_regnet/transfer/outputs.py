"""What a fine-tuning leaves: the network, how good it is, and pictures."""

import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_regnet.data import Data
from keras_regnet.files import write_text
from keras_regnet.publishing.publication import publish
from keras_regnet.training.evaluation import Evaluation, evaluate_data
from keras_regnet.training.outputs import installed, save_keras
from keras_regnet.training.report import write_report
from keras_regnet.training.run_directory import RunDirectory, naming
from keras_regnet.training.run_summary import command_text, without_folders
from keras_regnet.training.saved_run import SavedRun, image_reader, load_run
from keras_regnet.transfer.freezing import unfreeze_all
from keras_regnet.transfer.phases import Phase
from keras_regnet.transfer.result import FineTuneResult, write_result

_MISTAKES = 24


def finish(
    run: RunDirectory,
    network: keras.Model,
    data: Data,
    phases: Sequence[Phase],
    history: list[dict[str, Any]],
    publish_dir: str | os.PathLike[str] | None,
    name: str | None,
    say: Callable[[str], None],
) -> FineTuneResult:
    """Writes everything that a run leaves at its end, `result.json` last.

    Args:
        run: The folder.
        network: The network, trained.
        data: The data set.
        phases: What was done.
        history: A row per epoch.
        publish_dir: Where it is published; None for not.
        name: Under which name; None for one of the network's and the data set's.
        say: Prints a line.
    """
    run.write_log(history)
    unfreeze_all(network)  # as whoever loads the file expects it
    save_keras(run.path / "model.keras", network)
    # What is judged and published is what was saved.
    saved = load_run(run.path)
    model = saved.model
    evaluation = evaluate_data(model, data, worst=_MISTAKES)
    names = data.class_names
    text = json.dumps(evaluation.to_dict(names), indent=2) + "\n"
    with naming(run.path / "evaluation.json"):
        write_text(run.path / "evaluation.json", text)
    _draw(run.path, history, phases, evaluation, names)
    write_report(run.path, evaluation)
    results = (run.read_json(f"{phase.name}/result.json") for phase in phases)
    seconds = sum(result["seconds"] for result in results)
    published = None
    if publish_dir is not None:
        published = _publish(
            run, saved, data, phases, evaluation, seconds, publish_dir, name
        )
        say(f"Published in {published}.")
    result = FineTuneResult(
        accuracy=evaluation.top1,
        loss=evaluation.loss,
        count=evaluation.count,
        seconds=round(seconds, 1),
        history=history,
        run_dir=str(run.path),
        published=None if published is None else str(published),
    )
    write_result(run, result)
    return result


def _draw(
    folder: Path,
    history: Sequence[dict[str, Any]],
    phases: Sequence[Phase],
    evaluation: Evaluation,
    names: Sequence[str],
) -> None:
    if not installed("matplotlib", "the pictures"):
        return
    from keras_regnet import plots

    with naming(folder):
        plots.plot_learning_curves(
            history,
            folder / "learning_curve.png",
            phases=[(phase.name, phase.training.epochs) for phase in phases],
        )
        plots.plot_confusion_matrix(
            evaluation.confusion,
            names,
            folder / "confusion_matrix.png",
            title=f"{evaluation.count} validation images, "
            f"{100 * evaluation.top1:.2f} % right",
        )
        if worst := evaluation.worst:
            wrong = round((1 - evaluation.top1) * evaluation.count)
            which = "All" if wrong == len(worst) else f"The {len(worst)} surest of"
            plots.plot_contact_sheet(
                [mistake.image for mistake in worst],
                [_caption(mistake, names) for mistake in worst],
                folder / "worst_mistakes.png",
                title=f"{which} {wrong} mistakes among {evaluation.count} validation "
                "images",
            )


def _caption(mistake: Any, names: Sequence[str]) -> tuple[str, str, str]:
    """The answer, the truth, and which image it is."""
    image = f"image {mistake.index + 1}"
    return (
        f"said {names[mistake.prediction]} ({_percent(mistake.probability)})",
        f"is {names[mistake.label]} ({_percent(mistake.label_probability)})",
        os.path.basename(mistake.name) if mistake.name else image,
    )


def _percent(share: float) -> str:
    """A probability; never rounded to a certainty."""
    return f"{min(max(100 * share, 0.1), 99.9):.1f} %"


def _name(model: keras.Model, data: Data) -> str:
    """A name of the network's and the data set's, of letters, digits and _."""
    _, _, place = data.config.name.rpartition(":")
    if place == "folder":
        place = data.config.data_dir
    words = f"{model.name}_{Path(place).expanduser().resolve().name}"
    return re.sub(r"\W+", "_", words).strip("_").lower()


def _publish(
    run: RunDirectory,
    saved: SavedRun,
    data: Data,
    phases: Sequence[Phase],
    evaluation: Evaluation,
    seconds: float,
    directory: str | os.PathLike[str],
    name: str | None,
) -> Path:
    config = run.read_json("config.json")
    configuration, environment = config["configuration"], config["environment"]
    return publish(
        saved.model,
        directory,
        name=name or _name(saved.model, data),
        class_names=data.class_names,
        reader=image_reader(saved),
        metrics={
            "top1": evaluation.top1,
            "top5": evaluation.top5,
            "loss": evaluation.loss,
            "images": evaluation.count,
        },
        training={
            "data_set": without_folders(data.config.name),
            "recipe": "fine-tuning (keras_regnet.transfer)",
            "command": command_text(environment.get("command_line", sys.argv)),
            "seed": configuration["seed"],
            "hours": round(seconds / 3600, 3),
            "source": without_folders(environment.get("source", "")),
            "phases": "; ".join(map(str, phases)),
            "training_images": data.train_size,
        },
    )
