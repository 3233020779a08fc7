#!/usr/bin/env python3
r"""Writes a trained network for others: SavedModel, ONNX, LiteRT.

For example:

  # Published for reuse, with a model card: <output_dir>/<name>/<version>/
  scripts/export.py --model=runs/fashion_mnist --name=mine --output_dir=published

  # For onnxruntime, and for phones; 8 bits need images to calibrate with.
  scripts/export.py --model=runs/fashion_mnist --output_dir=exported \
      --formats=onnx,litert,litert_float16,litert_int8

  # From a published model, by its name; the images are of a folder.
  scripts/export.py --model=mine --output_dir=exported --formats=litert_int8 \
      --dataset=folder:/my/pictures

Every format is run and compared with the Keras model before its file appears. At the
end comes a table: how far they agree, and how long they take beside Keras. (Keras and
the SavedModel run in the same process; close other programs for fair times.)
"""

import os

from absl import app, flags

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_MODEL = flags.DEFINE_string(
    "model",
    None,
    "A run directory, a .keras file, or a published model's name or path.",
)
_FORMATS = flags.DEFINE_list(
    "formats",
    ["saved_model"],
    "saved_model, onnx, litert, litert_float16, litert_int8.",
)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "The folder to write to.")
_NAME = flags.DEFINE_string("name", None, "Of the files; by default the model's.")
_DATASET = flags.DEFINE_string(
    "dataset",
    None,
    "Whose validation images calibrate, compare and judge: digits, a TFDS name, or "
    "folder:/path. By default the run's own data set.",
)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data sets.")
_EVALUATE = flags.DEFINE_boolean(
    "evaluate",
    None,
    "Whether the model card gets the accuracy on the validation images. By default "
    "where the data set is known.",
)
_CALIBRATION_IMAGES = flags.DEFINE_integer(
    "calibration_images", 256, "Images that set the ranges of the 8 bits.", 1
)
_COMPARED_IMAGES = flags.DEFINE_integer(
    "compared_images", 1024, "Other images, on which all formats are compared.", 1
)
_ACTIVATION = flags.DEFINE_enum(
    "activation",
    None,
    ["logits", "softmax"],
    "What ONNX and LiteRT end in; by default as the model does.",
)
_ONNX_LAYOUT = flags.DEFINE_enum("onnx_layout", "NHWC", ["NHWC", "NCHW"], "Of images.")
_LICENCE = flags.DEFINE_string(
    "licence", None, "Of the weights (SPDX); by default MIT."
)
_DESCRIPTION = flags.DEFINE_string("description", "", "A sentence for the model card.")
_MEASURE_SPEED = flags.DEFINE_boolean("measure_speed", True, "Whether to time it all.")

flags.mark_flags_as_required(["model", "output_dir"])


def _export() -> None:
    from keras_regnet.training.flag_values import check_uses
    from keras_regnet.transfer.exporting import export_trained

    published = "saved_model" in _FORMATS.value
    others = not {"saved_model"}.issuperset(_FORMATS.value)
    check_uses(
        flags.FLAGS,
        {
            "onnx_layout": ("onnx" in _FORMATS.value, "--formats=onnx"),
            "activation": (others, "--formats=onnx or litert"),
            "calibration_images": (
                "litert_int8" in _FORMATS.value,
                "--formats=litert_int8",
            ),
            "evaluate": (published, "--formats=saved_model"),
            "licence": (published, "--formats=saved_model"),
            "description": (published, "--formats=saved_model"),
        },
    )
    for line in export_trained(
        _MODEL.value,
        _FORMATS.value,
        _OUTPUT_DIR.value,
        name=_NAME.value,
        dataset=_DATASET.value,
        data_dir=_DATA_DIR.value,
        evaluate=_EVALUATE.value,
        calibration_images=_CALIBRATION_IMAGES.value,
        compared_images=_COMPARED_IMAGES.value,
        activation=_ACTIVATION.value,
        onnx_layout=_ONNX_LAYOUT.value,
        licence=_LICENCE.value,
        description=_DESCRIPTION.value,
        measure_speed=_MEASURE_SPEED.value,
    ):
        print(line)


def _main(_: list[str]) -> None:
    from keras_regnet.training import command_line

    command_line.run(_export)


if __name__ == "__main__":
    app.run(_main)
