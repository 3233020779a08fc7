#!/usr/bin/env python3
"""Says what a trained network sees in pictures: the most probable classes of each.

For example:

  scripts/predict.py --model=runs/digits three.png folder_of_pictures/
  scripts/predict.py --model=runs/digits --from_validation=3
  scripts/predict.py --model=runs/digits --top=1 --json three.png

A picture that cannot be read is left out with a warning; the exit code is 2 where none
could be read.
"""

import json
import os

from absl import app, flags

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_MODEL = flags.DEFINE_string(
    "model",
    None,
    "A run directory, a .keras file, or a published model's name or path.",
)
_TOP = flags.DEFINE_integer("top", 5, "How many classes of each picture.", 1)
_FROM_VALIDATION = flags.DEFINE_integer(
    "from_validation",
    0,
    "Instead of files: so many validation images of the run's data set, with their "
    "true classes.",
    0,
)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data sets.")
_JSON = flags.DEFINE_boolean("json", False, "Print JSON instead of a table.")

flags.mark_flag_as_required("model")


def _predict(paths: list[str]) -> None:
    from keras_regnet.training import prediction, saved_run
    from keras_regnet.training.flag_values import check_uses
    from keras_regnet.transfer.opening import open_run

    if bool(paths) == bool(_FROM_VALIDATION.value):
        raise ValueError(
            "Give either pictures (files or folders) or --from_validation=N. "
            f"Received: {len(paths)} paths and "
            f"--from_validation={_FROM_VALIDATION.value}"
        )
    check_uses(flags.FLAGS, {"data_dir": (not paths, "--from_validation")})
    files = prediction.find_images(paths)
    run = open_run(_MODEL.value)
    if files:
        predictions = prediction.predict_files(run, files, _TOP.value)
    else:
        data = saved_run.load_data(run, _DATA_DIR.value)
        predictions = prediction.predict_examples(
            run, data.validation(), _FROM_VALIDATION.value, _TOP.value
        )
    if not predictions:
        raise ValueError(f"None of the pictures could be read. Received: {len(files)}")
    if _JSON.value:
        print(json.dumps([each.to_dict() for each in predictions], indent=2))
    else:
        print("\n".join(prediction.text_table(predictions)))


def _main(arguments: list[str]) -> None:
    from keras_regnet.training import command_line

    command_line.run(lambda: _predict(arguments[1:]))


if __name__ == "__main__":
    app.run(_main)
