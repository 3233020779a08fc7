#!/usr/bin/env python3
r"""Studies design spaces of networks: AnyNetX A to E, RegNet, and your own question.

For example:

  # What is in a space? Ten of 500 networks between 360 and 400 megaflops.
  scripts/design_space.py sample --space=anynetx_e --n=500 --flops=360e6,400e6

  # Train 64 networks of each of two spaces; the same command goes on after any end.
  scripts/design_space.py train --study=runs/study.sqlite \
      --spaces=anynetx_a,regnetx --n=64 --ranges=small_images --stages=3 \
      --strides=2 --stem=small --stem_width=16 --flops=1e6,1.25e6 \
      --dataset=fashion_mnist --train_images=8192 --validation_fraction=0.1 \
      --epochs=6 --batch_size=64 --learning_rate=0.025

  # Do the spaces differ? Figures and a report; and a network to train for longer.
  scripts/design_space.py compare --study=runs/study.sqlite
  scripts/design_space.py report --study=runs/study.sqlite --output_dir=runs/report
  scripts/design_space.py best --study=runs/study.sqlite --max_flops=1.2e6
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import app

from keras_regnet.design_space.program import commands, flags
from keras_regnet.training import command_line


def _main(argv: list[str]) -> None:
    command_line.run(
        lambda: commands.run(argv, flags.VALUES), "The same command goes on."
    )


if __name__ == "__main__":
    app.run(_main, flags_parser=lambda argv: flags.parse(argv, __doc__))
