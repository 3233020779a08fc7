#!/usr/bin/env python3
r"""What each ingredient of the recipe small_images is worth on Fashion-MNIST.

Trains the recipe's network with one ingredient left out at a time, at a quarter of the
epochs, and prints a table of the accuracies after the last epoch. Interrupted, the same
command goes on where it stood.

  scripts/ingredients.py --data_dir=... --output_dir=runs/ingredients
  scripts/ingredients.py --data_dir=... --output_dir=runs/ingredients \
      --seeds=0,1 --only="nothing,random erasing"
"""

import json
import subprocess
import sys
from pathlib import Path

from absl import app, flags

# What train.py is asked otherwise. The first is the recipe itself.
LEFT_OUT = {
    "nothing": [],
    "mirroring": ["--flip=false"],
    "shifted crops": ["--pad=0"],
    "random erasing": ["--random_erasing=0"],
    "label smoothing": ["--label_smoothing=0"],
    "weight decay": ["--weight_decay=0"],
    "sparing norms and biases from it": [
        "--norm_weight_decay=5e-4",
        "--bias_weight_decay=5e-4",
    ],
    "warm-up": ["--warmup_epochs=0"],
    "bfloat16": ["--precision=float32"],
}
NETWORK = [
    "--recipe=small_images",
    "--block=x",
    "--depth=7",
    "--w0=32",
    "--wa=14",
    "--wm=1.9",
    "--group_width=16",
    "--stem=small",
    "--stem_width=16",
    "--strides=1,2,2",
    "--precision=mixed_bfloat16",
]

_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS has fashion_mnist.")
_OUTPUT_DIR = flags.DEFINE_string("output_dir", "runs/ingredients", "For the runs.")
_EPOCHS = flags.DEFINE_integer("epochs", 10, "Epochs of every run.")
_SEEDS = flags.DEFINE_list("seeds", ["0"], "Seeds; each run is repeated with each.")
_ONLY = flags.DEFINE_list("only", None, "Just these ingredients, by name.")


def _run(name: str, seed: str) -> dict:
    """Trains one network, or finds it trained; returns its last epoch."""
    folder = Path(_OUTPUT_DIR.value) / f"{name.replace(' ', '_')}-{seed}"
    train = Path(__file__).with_name("train.py")
    command = [sys.executable, str(train), *NETWORK, *LEFT_OUT[name]]
    command += ["--dataset=fashion_mnist", f"--epochs={_EPOCHS.value}"]
    command += [f"--seed={seed}", f"--run_dir={folder}", "--resume", "--verbose=0"]
    if _DATA_DIR.value:
        command.append(f"--data_dir={_DATA_DIR.value}")
    subprocess.run(command, check=True)
    return json.loads((folder / "result.json").read_text())["final"]


def _main(_: list[str]) -> None:
    names = _ONLY.value or list(LEFT_OUT)
    if unknown := [name for name in names if name not in LEFT_OUT]:
        sys.exit(f"Error: only must be some of {list(LEFT_OUT)}. Received: {unknown}")
    print("| left out | " + " | ".join(f"seed {s}" for s in _SEEDS.value) + " | raw |")
    print("|---|" + "---|" * (len(_SEEDS.value) + 1))
    for name in names:
        rows = [_run(name, seed) for seed in _SEEDS.value]
        averaged = [f"{100 * row['ema_validation_accuracy']:.2f}" for row in rows]
        raw = ", ".join(f"{100 * row['validation_accuracy']:.2f}" for row in rows)
        print(f"| {name} | {' | '.join(averaged)} | {raw} |", flush=True)


if __name__ == "__main__":
    app.run(_main)
