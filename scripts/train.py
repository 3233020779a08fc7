#!/usr/bin/env python3
r"""Trains a RegNet on a data set, and keeps everything about it in one folder.

For example:

  # RegNetX32 on the embedded handwritten digits: no download, a few minutes.
  scripts/train.py --model=RegNetX32 --dataset=digits --run_dir=runs/digits

  # A network of your own numbers on your own pictures, a folder per class.
  scripts/train.py --block=y --depth=12 --w0=32 --wa=20 --wm=2.3 --group_width=8 \
      --dataset=folder:/my/pictures --image_size=128 --run_dir=runs/mine

  # Go on after an interruption: the same command, and --resume.
  scripts/train.py --model=RegNetX32 --dataset=digits --run_dir=runs/digits --resume

The run directory receives config.json, log.csv, TensorBoard events, checkpoints, and at
the end learning_curve.png, model.keras, saved_model/ and result.json.
"""

import os

from absl import app, flags

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_MODEL = flags.DEFINE_string(
    "model",
    None,
    "Name of a published network, in any customary spelling: RegNetX32 (the default), "
    "RegNetX-200MF, regnety_032, ... Instead of a name, its numbers can be given: "
    "--block, --depth, --w0, --wa, --wm and --group_width.",
)
_BLOCK = flags.DEFINE_enum(
    "block", None, ["x", "y"], "x: plain; y: with squeeze-and-excitation."
)
_DEPTH = flags.DEFINE_integer("depth", None, "Number of blocks.")
_W0 = flags.DEFINE_integer("w0", None, "Width of the first block; a multiple of 8.")
_WA = flags.DEFINE_float("wa", None, "Slope of the widths over the blocks.")
_WM = flags.DEFINE_float("wm", None, "Factor between the widths of two stages; > 1.")
_GROUP_WIDTH = flags.DEFINE_integer("group_width", None, "Channels of a group.")
_BOTTLENECK_RATIO = flags.DEFINE_float(
    "bottleneck_ratio", 1.0, "The paper's b, for a network given by its numbers."
)
_STEM = flags.DEFINE_enum(
    "stem",
    "simple",
    ["simple", "small", "resnet"],
    "Stem of a network given by its numbers: simple (3x3, stride 2), small (3x3, "
    "stride 1, for images of about 32 pixels) or resnet (7x7, stride 2, max-pool).",
)
_DROPOUT = flags.DEFINE_float("dropout", 0.0, "Rate of the dropout before the head.")
_STOCHASTIC_DEPTH = flags.DEFINE_float(
    "stochastic_depth", 0.0, "Probability of leaving out the last block's branch."
)

_DATASET = flags.DEFINE_string(
    "dataset",
    "digits",
    "digits (embedded), the name of a TFDS data set (fashion_mnist, cifar10, "
    "imagenet2012, ...), or folder:/path with a folder of pictures per class.",
)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data sets.")
_DOWNLOAD = flags.DEFINE_boolean(
    "download", False, "Whether TFDS may download and prepare what is not there."
)
_IMAGE_SIZE = flags.DEFINE_integer(
    "image_size", None, "Height and width in pixels; by default what is customary."
)
_AUGMENT = flags.DEFINE_enum(
    "augment",
    "auto",
    ["auto", "none", "pad_crop", "pad_crop_flip", "random_resized_crop"],
    "What happens to training images. auto: pad_crop for digits and letters, "
    "pad_crop_flip for other small images, random_resized_crop for the rest.",
)
_CLASSES = flags.DEFINE_integer(
    "classes", None, "Number of classes the data set must have, to be sure."
)
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", 128, "Images per step, over all devices together."
)

_EPOCHS = flags.DEFINE_integer("epochs", 30, "Passes over the training images.")
_LEARNING_RATE = flags.DEFINE_float(
    "learning_rate",
    None,
    "The highest learning rate; by default 0.1 per 128 images of a batch.",
)
_WARMUP_EPOCHS = flags.DEFINE_float(
    "warmup_epochs", None, "Linear warm-up; by default 5, or a fifth of the epochs."
)
_SCHEDULE = flags.DEFINE_enum(
    "schedule", "cosine", ["cosine", "constant"], "The learning rate after warm-up."
)
_SCHEDULE_GRANULARITY = flags.DEFINE_enum(
    "schedule_granularity",
    "step",
    ["step", "epoch"],
    "When the learning rate moves; the official code moves it per epoch.",
)
_WEIGHT_DECAY = flags.DEFINE_float(
    "weight_decay", 5e-5, "Coupled weight decay, as torch's SGD has it."
)
_LABEL_SMOOTHING = flags.DEFINE_float(
    "label_smoothing", 0.0, "Share of the target that is spread over all classes."
)

_STRATEGY = flags.DEFINE_enum(
    "strategy",
    "auto",
    ["auto", "single", "mirrored"],
    "single: one device. mirrored: all GPUs, or all logical CPU devices. "
    "auto: mirrored where several GPUs are visible.",
)
_SYNC_BATCH_NORM = flags.DEFINE_boolean(
    "sync_batch_norm", False, "Whether batch statistics are those of all devices."
)
_PRECISION = flags.DEFINE_enum(
    "precision",
    "float32",
    ["float32", "mixed_bfloat16", "mixed_float16", "float64"],
    "A Keras dtype policy. mixed_float16 scales the loss.",
)
_LOGICAL_CPU_DEVICES = flags.DEFINE_integer(
    "logical_cpu_devices", 1, "Splits the CPU, to try several devices without GPUs."
)
_DETERMINISTIC = flags.DEFINE_boolean(
    "deterministic",
    False,
    "Only operations that give the same bits every time; slower on GPUs.",
)
_SEED = flags.DEFINE_integer(
    "seed", 0, "Of the first weights, the order and the augmentation of images."
)

_RUN_DIR = flags.DEFINE_string("run_dir", None, "The folder of this run.")
_RESUME = flags.DEFINE_boolean(
    "resume", False, "Go on with the run in --run_dir; start it if there is none."
)
_CHECKPOINT_EVERY_EPOCHS = flags.DEFINE_integer(
    "checkpoint_every_epochs", 1, "A checkpoint after so many epochs."
)
_VERBOSE = flags.DEFINE_integer("verbose", 1, "0 prints nothing but errors.")

flags.mark_flag_as_required("run_dir")


def _architecture() -> object:
    from keras_regnet.architecture import RegNetParameters

    numbers = {flag.name: flag.value for flag in (_DEPTH, _W0, _WA, _WM, _GROUP_WIDTH)}
    given = [name for name, value in numbers.items() if value is not None]
    if _BLOCK.value is None and not given:
        return _MODEL.value or "RegNetX32"
    if _MODEL.value or _BLOCK.value is None or len(given) < len(numbers):
        raise ValueError(
            "Give either --model, or all of --block, --depth, --w0, --wa, --wm and "
            f"--group_width. Received: --model={_MODEL.value}, "
            f"--block={_BLOCK.value} and {given}"
        )
    return RegNetParameters(
        **numbers,
        bottleneck_ratio=_BOTTLENECK_RATIO.value,
        squeeze_excite_ratio=0.25 if _BLOCK.value == "y" else 0.0,
        stem=_STEM.value,
    )


def _train() -> None:
    import tensorflow as tf

    from keras_regnet.data import DataConfig
    from keras_regnet.training import TrainingConfig, job, strategies

    if _LOGICAL_CPU_DEVICES.value != 1:
        strategies.split_cpu(_LOGICAL_CPU_DEVICES.value)
    if _DETERMINISTIC.value:
        tf.config.experimental.enable_op_determinism()
    model_config = job.ModelConfig(
        architecture=_architecture(),
        dropout=_DROPOUT.value,
        stochastic_depth=_STOCHASTIC_DEPTH.value,
        precision=_PRECISION.value,
        sync_batch_norm=_SYNC_BATCH_NORM.value,
    )
    data_config = DataConfig(
        name=_DATASET.value,
        data_dir=_DATA_DIR.value,
        download=_DOWNLOAD.value,
        image_size=_IMAGE_SIZE.value,
        batch_size=_BATCH_SIZE.value,
        augment=_AUGMENT.value,
        seed=_SEED.value,
    )
    training_config = TrainingConfig.for_batch_size(
        _BATCH_SIZE.value,
        epochs=_EPOCHS.value,
        learning_rate=_LEARNING_RATE.value,
        warmup_epochs=_WARMUP_EPOCHS.value,
        schedule=_SCHEDULE.value,
        schedule_granularity=_SCHEDULE_GRANULARITY.value,
        weight_decay=_WEIGHT_DECAY.value,
        label_smoothing=_LABEL_SMOOTHING.value,
        checkpoint_every_epochs=_CHECKPOINT_EVERY_EPOCHS.value,
    )
    result = job.train_network(
        model_config,
        data_config,
        training_config,
        _RUN_DIR.value,
        strategy=strategies.make_strategy(_STRATEGY.value),
        classes=_CLASSES.value,
        seed=_SEED.value,
        resume=_RESUME.value,
        verbose=_VERBOSE.value,
    )
    if _VERBOSE.value:
        final = result.final
        print(
            f"Validation accuracy {final['validation_accuracy']:.4f} and loss "
            f"{final['validation_loss']:.4f} on {final['validation_count']} images "
            f"after {final['epoch']} epochs. Everything is in {result.run_dir}"
        )


def _main(_: list[str]) -> None:
    from keras_regnet.training import command_line

    command_line.run(
        _train,
        "The same command with --resume goes on after the last checkpoint in "
        f"{_RUN_DIR.value}.",
    )


if __name__ == "__main__":
    app.run(_main)
