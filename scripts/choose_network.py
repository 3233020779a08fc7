#!/usr/bin/env python3
r"""Chooses a network for Fashion-MNIST by short trainings of sampled RegNets.

The test part is not looked at: a tenth of the training images is held out to judge by.
Several trainings run side by side, each on its own share of the processor's cores.
Interrupted, the same command goes on where it stood; with --epochs and --only the best
can be tried again for longer.

  scripts/choose_network.py --block=y --data_dir=... --output_dir=runs/choice
  scripts/choose_network.py --block=y --data_dir=... --output_dir=runs/choice \
      --epochs=15 --only=3,7,11

It ends with the flags that train.py takes for the one to train longer: of those whose
accuracy is within a standard error of the best one's, the one with the most parameters,
since a long training has more use for them.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import numpy as np
from absl import app, flags

from keras_regnet.architecture import RegNetParameters, complexity
from keras_regnet.training.flags import architecture_flags

_BLOCK = flags.DEFINE_enum("block", "x", ["x", "y"], "X blocks, or Y with SE.")
_COUNT = flags.DEFINE_integer("count", 12, "Networks to sample.", 1)
_SEED = flags.DEFINE_integer("seed", 0, "Of the sampling and of the trainings.")
_LEAST = flags.DEFINE_float("least_multiply_adds", 15e6, "Of a network, at 28x28.")
_MOST = flags.DEFINE_float("most_multiply_adds", 30e6, "Of a network, at 28x28.")
_EPOCHS = flags.DEFINE_integer("epochs", 5, "Epochs of every training.", 1)
_ONLY = flags.DEFINE_list("only", None, "Just these networks, by number, from 0.")
_PARALLEL = flags.DEFINE_integer("parallel", 2, "Trainings side by side.", 1)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS has fashion_mnist.")
_OUTPUT_DIR = flags.DEFINE_string("output_dir", "runs/choice", "For the runs.")


def _sample() -> list[RegNetParameters]:
    """Different RegNets of three stages within the budget, drawn by `--seed`."""
    random = np.random.RandomState(_SEED.value)
    found: list[RegNetParameters] = []
    while len(found) < _COUNT.value:
        try:
            network = RegNetParameters(
                depth=int(random.randint(5, 19)),
                w0=8 * int(random.randint(2, 9)),
                wa=round(float(np.exp(random.uniform(np.log(6), np.log(64)))), 1),
                wm=round(float(random.uniform(1.5, 3.0)), 2),
                group_width=int(random.choice([4, 8, 16, 32])),
                squeeze_excite_ratio=0.25 if _BLOCK.value == "y" else 0.0,
                stem="small",
                stem_width=int(random.choice([16, 32])),
                strides=((1, 2, 2), (2, 1, 2))[random.randint(2)],
            )
        except ValueError:  # no network follows, or not of three stages
            continue
        cost = complexity(network, 28, 1, classes=10).multiply_adds
        if _LEAST.value <= cost <= _MOST.value and network not in found:
            found.append(network)
    return found


def _train(network: RegNetParameters, folder: Path, cores: list[int]) -> dict:
    """Trains one network, or finds it trained; returns its last epoch."""
    result = folder / "result.json"
    if not result.exists():
        command = [sys.executable, str(Path(__file__).with_name("train.py"))]
        command += ["--recipe=small_images", "--precision=mixed_bfloat16"]
        command += [
            "--dataset=fashion_mnist",
            "--hold_out",
            *architecture_flags(network),
        ]
        command += [f"--epochs={_EPOCHS.value}", f"--seed={_SEED.value}"]
        command.append("--validate_every_epochs=0")
        command += [f"--run_dir={folder}", "--resume", "--verbose=0"]
        if _DATA_DIR.value:
            command.append(f"--data_dir={_DATA_DIR.value}")
        subprocess.run(
            command, check=True, preexec_fn=lambda: os.sched_setaffinity(0, cores)
        )
    return json.loads(result.read_text())["final"]


def _main(_: list[str]) -> None:
    networks = _sample()
    numbers = [int(n) for n in _ONLY.value] if _ONLY.value else range(len(networks))
    if wrong := [n for n in numbers if not 0 <= n < len(networks)]:
        sys.exit(f"Error: only must be below {len(networks)}. Received: {wrong}")
    cores = sorted(os.sched_getaffinity(0))
    shares: Queue = Queue()
    for index in range(_PARALLEL.value):
        shares.put(cores[index :: _PARALLEL.value] or cores)

    def run(number: int) -> tuple[float, int, int]:
        name = f"{_BLOCK.value}{number:02}-{_EPOCHS.value}"
        share = shares.get()
        try:
            row = _train(networks[number], Path(_OUTPUT_DIR.value) / name, share)
        finally:
            shares.put(share)
        network = networks[number]
        cost = complexity(network, 28, 1, classes=10)
        print(
            f"| {number} | {network.depth} | {network.w0} | {network.wa:g} "
            f"| {network.wm:g} | {network.group_width} | {network.stem_width} "
            f"| {network.strides} "
            f"| {network.anynet().depths} | {network.anynet().widths} "
            f"| {cost.parameters:,} | {cost.multiply_adds / 1e6:.1f} "
            f"| {100 * row['ema_validation_accuracy']:.2f} "
            f"| {100 * row['validation_accuracy']:.2f} | {row['seconds']:.0f} |",
            flush=True,
        )
        # The average lags behind where there are few epochs.
        accuracy = max(row["ema_validation_accuracy"], row["validation_accuracy"])
        return accuracy, cost.parameters, row["validation_count"]

    print(
        "| network | d | w0 | wa | wm | g | stem | strides | depths | widths "
        "| parameters | multiply-adds (M) | averaged | raw | s an epoch |\n"
        + "|---" * 15
        + "|"
    )
    with ThreadPoolExecutor(_PARALLEL.value) as threads:
        results = list(threads.map(run, numbers))
    best, _, images = max(results)
    error = (best * (1 - best) / images) ** 0.5
    alike = [n for n, result in enumerate(results) if result[0] >= best - error]
    chosen = max(alike, key=lambda n: results[n][1])
    print(
        f"Best: {100 * best:.2f} %, with a standard error of {100 * error:.2f}. "
        f"Within it: {', '.join(str(numbers[n]) for n in alike)}. Of those the one "
        f"with the most parameters: network {numbers[chosen]}, "
        f"{100 * results[chosen][0]:.2f} %:"
    )
    print(" ".join(architecture_flags(networks[numbers[chosen]])))


if __name__ == "__main__":
    app.run(_main)
