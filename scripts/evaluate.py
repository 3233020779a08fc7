#!/usr/bin/env python3
"""Says how good a trained network is: top-1, top-5, and class by class.

For example:

  scripts/evaluate.py --model=runs/digits --report
  scripts/evaluate.py --model=my.keras --dataset=folder:/my/pictures --json

A run directory knows its data set; with --dataset another one can be tried. The counts
go to evaluation.json and the confusion matrix to confusion_matrix.png, in --output;
--report writes report.html anew with them and with the worst mistakes.
"""

import json
import os
from pathlib import Path

from absl import app, flags

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_MODEL = flags.DEFINE_string(
    "model",
    None,
    "A run directory, a .keras file, or a published model's name or path.",
)
_DATASET = flags.DEFINE_string(
    "dataset",
    None,
    "digits, the name of a TFDS data set, or folder:/path. By default the run's own.",
)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data sets.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", None, "Images at a time.")
_REPORT = flags.DEFINE_boolean(
    "report", False, "Write report.html too, of a run on its own data set."
)
_MISTAKES = flags.DEFINE_integer(
    "mistakes", 24, "How many of the most confident mistakes the report shows."
)
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "Folder of the files; by default that of the model, of a published one, which is "
    "never changed, the current one.",
)
_JSON = flags.DEFINE_boolean("json", False, "Print JSON instead of a table.")

flags.mark_flag_as_required("model")


def _evaluate() -> None:
    from keras_regnet.files import local_path, write_text
    from keras_regnet.plots import plot_confusion_matrix
    from keras_regnet.training import evaluation, saved_run
    from keras_regnet.training.flag_values import check_uses
    from keras_regnet.training.report import write_report
    from keras_regnet.training.run_directory import naming
    from keras_regnet.transfer.opening import open_run

    check_uses(flags.FLAGS, {"mistakes": (_REPORT.value, "--report")})
    output = local_path(_OUTPUT.value, "output") if _OUTPUT.value else None
    run = open_run(_MODEL.value)
    if run.data_config is None and not _DATASET.value:
        raise ValueError(
            "A model outside a run directory needs --dataset. "
            f"Received: --model={_MODEL.value}"
        )
    if _REPORT.value and (_DATASET.value or run.data_config is None):
        raise ValueError(
            "--report belongs to a run directory and its own data set. "
            f"Received: --model={_MODEL.value}, --dataset={_DATASET.value}"
        )
    if output is None:
        output = Path() if run.reader is not None else run.path
    with naming(output):  # before work starts
        output.mkdir(parents=True, exist_ok=True)
    data = saved_run.load_data(
        run, _DATA_DIR.value, dataset=_DATASET.value, batch_size=_BATCH_SIZE.value
    )
    worst = _MISTAKES.value if _REPORT.value else 0
    found = evaluation.evaluate_data(run.model, data, worst=worst)
    picture = output / "confusion_matrix.png"
    text = json.dumps(found.to_dict(data.class_names), indent=2)
    write_text(output / "evaluation.json", text + "\n")
    plot_confusion_matrix(found.confusion, data.class_names, picture)
    if _REPORT.value:
        names, report = data.class_names, output / "report.html"
        write_report(run.path, found, class_names=names, path=report)
    if _JSON.value:
        print(text)
    else:
        print(evaluation.text_table(found, data.class_names))
        print(f"Confusion matrix: {picture}")
        if _REPORT.value:
            print(f"Report: {report}")


def _main(_: list[str]) -> None:
    from keras_regnet.training import command_line

    command_line.run(_evaluate)


if __name__ == "__main__":
    app.run(_main)
