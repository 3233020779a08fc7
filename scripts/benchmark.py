#!/usr/bin/env python3
"""Measures keras_regnet beside its peers, alternating in one run.

    scripts/benchmark.py CASE... [flags]

    train    a training step                infer    the logits of a batch
    input    batches of JPEGs               build    imports, construction, first step
    memory   peak memory of training        growth   a step, from small to large
    onnx     the logits in onnxruntime, of our file and of torch.onnx's
    saved_model  the logits of a published SavedModel's signatures
    gpu      train and infer, batch 256, ours on JAX or as KERAS_BACKEND says
    torch_backend  train and infer on this CPU, ours on Keras' torch backend
    all      every one of them

The peers are timm in torch (eager and torch.compile), torchvision and onnxruntime;
those that are not installed are named and left out. Run it on an otherwise idle
machine. Ratios are taken round by round: median (least to greatest); below 1 is faster,
or smaller, than the peer. Every table, picture and JSON file names the processor,
whether TensorFlow ran with oneDNN, and the versions. TF_ENABLE_ONEDNN_OPTS=0 measures
without.
"""

import contextlib
import dataclasses
import json
import os
import sys
from pathlib import Path

from absl import app, flags, logging

# Triton, which CUDA builds of torch load, ends the process where TensorFlow was first.
with contextlib.suppress(ImportError):
    import triton  # noqa: F401

FLAGS = flags.FLAGS
flags.DEFINE_list("models", None, "Networks, comma separated (default: by case).")
flags.DEFINE_integer(
    "image_size", None, "Pixels along both sides (default: by network).", lower_bound=8
)
flags.DEFINE_list(
    "batch_sizes", None, "Batch sizes, comma separated (default: by case)."
)
flags.DEFINE_integer("rounds", 5, "How often the cases alternate.", lower_bound=1)
flags.DEFINE_integer(
    "steps", None, "Steps of a case a round (default: by network).", lower_bound=1
)
flags.DEFINE_list(
    "precision",
    ["float32"],
    "float32, bfloat16 (Keras' mixed_bfloat16 against torch's autocast), or both, "
    "comma separated.",
)
flags.DEFINE_bool(
    "jit_compile", False, "Measure our networks under XLA too; compiling takes a while."
)
flags.DEFINE_bool(
    "stock_layers",
    False,
    "Train the same network on Keras' own layers too; on a CPU it takes minutes.",
)
flags.DEFINE_string(
    "peers",
    "auto",
    "auto: those that are installed; none; or those that must be there, of timm, "
    "compile, torchvision, onnxruntime, comma separated.",
)
flags.DEFINE_integer("images", 2048, "Files of the input case.", lower_bound=1)
flags.DEFINE_list(
    "policies",
    ["none", "randaugment", "trivialaugment"],
    "Augmentation policies of the input case, comma separated.",
)
flags.DEFINE_float(
    "memory_limit",
    None,
    "growth ends before a network that needs more GB (default: 0.8 of what is free).",
    lower_bound=0,
)
flags.DEFINE_float(
    "seconds_limit",
    30.0,
    "growth ends before a network whose step takes longer.",
    lower_bound=0,
)
flags.DEFINE_string("json", None, "File to write all numbers and ratios to.")
flags.DEFINE_string("picture", None, "Folder to draw pictures of the results into.")


def main(argv: list[str]) -> None:
    """Runs the cases and prints a table for each comparison."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.set_verbosity(logging.WARNING)  # tells of every part of a SavedModel
    from keras_regnet.benchmarks import drawing, machine, peers, pictures, suite
    from keras_regnet.files import local_path, write_text

    try:
        names = suite.chosen(argv[1:])
        options = suite.check(
            suite.Options(
                models=FLAGS.models,
                image_size=FLAGS.image_size,
                batch_sizes=suite.whole_numbers(FLAGS.batch_sizes),
                rounds=FLAGS.rounds,
                steps=FLAGS.steps,
                precisions=FLAGS.precision,
                jit_compile=FLAGS.jit_compile,
                stock_layers=FLAGS.stock_layers,
                images=FLAGS.images,
                policies=FLAGS.policies,
                memory_limit=FLAGS.memory_limit,
                seconds_limit=FLAGS.seconds_limit,
            )
        )
        present, absent = peers.find(FLAGS.peers)
        options = dataclasses.replace(options, peers=present, absent=absent)
        if FLAGS.picture:
            drawing.require()  # before an hour of measuring
            local_path(FLAGS.picture, "picture").mkdir(parents=True, exist_ok=True)
        if FLAGS.json:
            local_path(FLAGS.json, "json").parent.mkdir(parents=True, exist_ok=True)
    except (ValueError, ImportError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    found = machine.machine()
    print(machine.describe(found))
    results = []
    for name in names:
        for result in suite.CASES[name](options):
            results.append(result)
            print(f"\n{result}\n  {machine.caption(found)}", flush=True)
            if FLAGS.json:  # after each: a run takes an hour, and may be stopped
                report = {
                    "command": ["scripts/benchmark.py", *sys.argv[1:]],
                    "machine": found,
                    "results": [each.to_dict() for each in results],
                }
                write_text(Path(FLAGS.json), json.dumps(report, indent=2) + "\n")
    if FLAGS.picture:
        for path in pictures.draw(results, FLAGS.picture, machine.caption(found)):
            print(f"wrote {path}")


if __name__ == "__main__":
    app.run(main)
