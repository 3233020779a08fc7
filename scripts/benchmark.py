#!/usr/bin/env python3
"""Measures keras_regnet beside its peers, alternating in one run.

The peers are timm and torch; where they are not installed, our own times are printed
and the peers are named as absent. Run it on an otherwise idle machine.
"""

import json
import os
import platform
import sys
from pathlib import Path

from absl import app, flags

FLAGS = flags.FLAGS
flags.DEFINE_list("models", ["RegNetX-200MF"], "Networks, comma separated.")
flags.DEFINE_integer("image_size", 224, "Pixels along both sides.", lower_bound=8)
flags.DEFINE_integer("batch_size", 32, "Images in a batch.", lower_bound=1)
flags.DEFINE_integer("rounds", 5, "How often the cases alternate.", lower_bound=1)
flags.DEFINE_integer("steps", 5, "Training steps of a case a round.", lower_bound=1)
flags.DEFINE_bool(
    "jit_compile", False, "Time compile(jit_compile=True) too; compiling takes a while."
)
flags.DEFINE_bool(
    "stock_layers",
    False,
    "Time the same network on Keras' own layers too; on a CPU it takes minutes.",
)
flags.DEFINE_string("json", None, "File to write all times and ratios to.")


def main(argv: list[str]) -> None:
    """Runs the cases and prints a table for each network."""
    if len(argv) > 1:
        raise app.UsageError(f"Too many arguments. Received: {argv[1:]}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras
    import tensorflow as tf

    from keras_regnet.architecture import canonical_name
    from keras_regnet.benchmarks import peers
    from keras_regnet.benchmarks.training_step import training_step
    from keras_regnet.files import write_text

    try:
        names = [canonical_name(name) for name in FLAGS.models]
    except ValueError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    machine = (
        f"{os.cpu_count()} cores, {platform.machine()}, Python "
        f"{platform.python_version()}, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}, {peers.torch_networks()}"
    )
    print(machine)
    results = []
    for name in names:
        results.append(
            training_step(
                name,
                FLAGS.image_size,
                FLAGS.batch_size,
                FLAGS.rounds,
                FLAGS.steps,
                jit_compile=FLAGS.jit_compile,
                stock_layers=FLAGS.stock_layers,
            )
        )
        print(results[-1], flush=True)
    if FLAGS.json:
        report = {"machine": machine, "results": [r.to_dict() for r in results]}
        write_text(Path(FLAGS.json), json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    app.run(main)
