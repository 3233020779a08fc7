#!/usr/bin/env python3
r"""Trains a RegNet on small images that lie on the accelerator, with JAX.

Where a data set fits on a GPU or TPU as uint8, nothing needs to be fed: crops, flips,
erasing, mixup and CutMix are part of the compiled step. TensorFlow is not needed. The
recipes, the flags and the run directory are those of scripts/train.py.

For example:

  # RegNetX32 on the embedded handwritten digits: no download, a few minutes on a CPU.
  scripts/train_resident.py --model=RegNetX32 --dataset=digits --run_dir=runs/digits

  # Arrays x_train, y_train, x_test and y_test of a file of NumPy's.
  scripts/train_resident.py --recipe=small_images --precision=mixed_bfloat16 \
      --dataset=npz:cifar10.npz --run_dir=runs/cifar

  # TFRecords in ImageNet's layout, 64 x 64, a checkpoint after every fifth epoch.
  scripts/train_resident.py --recipe=small_images --precision=mixed_bfloat16 \
      --model=RegNetX-200MF --dataset=tfrecord:tiny_imagenet --image_size=64 \
      --batch_size=512 --checkpoint_every_epochs=5 --run_dir=runs/tiny

  # Go on after an interruption: the same command, and --resume.
  scripts/train_resident.py --model=RegNetX32 --dataset=digits --run_dir=runs/digits \
      --resume

Data sets are digits, folder:/path, tfrecord:/path, npz:/path, and those that TFDS has
prepared as TFRecords (--data_dir); they are read and decoded once, on all cores. On
a CPU scripts/train.py is the faster one. On a GPU a run that goes on has the same bits
with --deterministic.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

from absl import app

from keras_regnet.training import command_line, flags, resident_program


def _main(_: list[str]) -> None:
    values = flags.VALUES
    command_line.run(
        lambda: resident_program.train(values),
        "The same command with --resume goes on after the last checkpoint in "
        f"{values.run_dir}.",
    )


if __name__ == "__main__":
    without = resident_program.NOT_HERE
    flags.define(without=without)
    app.run(_main, flags_parser=lambda argv: flags.parse(argv, __doc__, without))
