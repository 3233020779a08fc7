#!/usr/bin/env python3
r"""Trains a RegNet on a data set, and keeps everything about it in one folder.

For example:

  # RegNetX32 on the embedded handwritten digits: no download, a few minutes.
  scripts/train.py --model=RegNetX32 --dataset=digits --run_dir=runs/digits

  # A network of your own numbers on your own pictures, a folder per class.
  scripts/train.py --block=y --depth=12 --w0=32 --wa=20 --wm=2.3 --group_width=8 \
      --dataset=folder:/my/pictures --image_size=128 --run_dir=runs/mine

  # The paper's recipe on ImageNet with eight GPUs: first what it will be, then do it.
  scripts/train.py --recipe=pycls_100e --model=regnety_032 --dataset=imagenet2012 \
      --num_gpus=8 --dry_run
  scripts/train.py --recipe=pycls_100e --model=regnety_032 --dataset=imagenet2012 \
      --num_gpus=8 --run_dir=runs/regnety_032

  # Go on after an interruption: the same command, and --resume.
  scripts/train.py --model=RegNetX32 --dataset=digits --run_dir=runs/digits --resume

The run directory receives config.json, log.csv, metrics.jsonl, TensorBoard events,
checkpoints, and at the end report.html, learning_curve.png, model.keras, saved_model/
and result.json.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import app

from keras_regnet.training import command_line, flags, train_program


def _main(_: list[str]) -> None:
    values = flags.VALUES
    command_line.run(
        lambda: train_program.train(values),
        "The same command with --resume goes on after the last checkpoint in "
        f"{values.run_dir}.",
    )


if __name__ == "__main__":
    flags.define()
    app.run(_main, flags_parser=lambda argv: flags.parse(argv, __doc__))
