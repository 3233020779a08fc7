#!/usr/bin/env python3
r"""Fine-tunes a pretrained RegNet on a data set of your own.

For example:

  # From a published network to your own pictures, a folder per class.
  scripts/finetune.py --source=regnetx_fashion_mnist_best \
      --dataset=folder:/my/pictures --run_dir=runs/mine

  # From a run of scripts/train.py to the embedded digits: 3 epochs for the new head,
  # then 10 for the last two stages.
  scripts/finetune.py --source=runs/fashion --dataset=digits --head_epochs=3 \
      --body_epochs=10 --unfreeze=2 --run_dir=runs/digits

  # Few images of very different number per class, and small batches.
  scripts/finetune.py --source=my.keras --dataset=folder:/my/pictures --batch_size=8 \
      --class_weights=balanced --layer_decay=0.8 --run_dir=runs/rare

  # What does reuse gain? Head alone, two phases and from scratch, with three seeds.
  scripts/finetune.py --source=runs/fashion --dataset=digits --compare --seeds=0,1,2 \
      --run_dir=runs/comparison

  # Go on after an interruption: the same command, and --resume.

First the new head alone is trained, on a body in inference mode; then the last stages,
or everything, at a lower rate. The run directory receives config.json, a folder with
checkpoints for each phase, and at the end model.keras, learning_curve.png,
confusion_matrix.png, worst_mistakes.png, evaluation.json, report.html, result.json, and
the published network; a comparison leaves comparison.json.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import app

from keras_regnet.training import command_line
from keras_regnet.transfer import flags, program


def _main(_: list[str]) -> None:
    values = flags.VALUES
    command_line.run(
        lambda: program.run(values),
        "The same command with --resume goes on after the last checkpoint in "
        f"{values.run_dir}.",
    )


if __name__ == "__main__":
    flags.define()
    app.run(_main, flags_parser=lambda argv: flags.parse(argv, __doc__))
