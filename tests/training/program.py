"""A toy run as a program of its own: one worker, or one of several by TF_CONFIG.

    python -m tests.training.program RUN_DIR [--epochs=4] [--kill=PHASE:N] ...

Writes what it is doing to RUN_DIR/phase.<worker>, so that a test which kills it knows
what it hit. With --kill it kills itself as it begins a phase for the Nth time; a
checkpoint is then cut off in the middle of its file.
"""

import argparse
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--kill", default="")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--every_steps", type=int, default=4)
    return parser.parse_args()


def main():
    arguments = parse()
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    strategy = tf.distribute.get_strategy()
    if "TF_CONFIG" in os.environ:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
    else:
        index = 0

    from keras_regnet.training import Trainer, loop, validator
    from keras_regnet.training import checkpoint_writer as writer
    from tests.training import toys

    arguments.run_dir.mkdir(parents=True, exist_ok=True)
    phase_file = os.open(arguments.run_dir / f"phase.{index}", os.O_CREAT | os.O_WRONLY)
    counts = {}
    kill, _, number = arguments.kill.partition(":")

    def enter(phase):
        os.pwrite(phase_file, phase.ljust(12).encode(), 0)
        counts[phase] = counts.get(phase, 0) + 1
        return phase == kill and counts[phase] == int(number)

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def watch(owner, name, phase):
        original = getattr(owner, name)

        def watched(*args, **kwargs):
            if enter(phase):
                die()
            result = original(*args, **kwargs)
            enter("between")
            return result

        setattr(owner, name, watched)

    watch(loop.Loop, "train", "step")
    watch(validator.Validator, "run", "evaluation")
    savez, write = np.savez, writer.write_checkpoint

    def cut_off(file, **arrays):
        savez(file, **arrays)
        file.truncate(file.tell() // 2)
        file.flush()
        die()

    def watched_write(*args):
        if enter("checkpoint"):
            np.savez = cut_off
        path = write(*args)
        enter("between")
        return path

    writer.write_checkpoint = watched_write
    with strategy.scope():
        model = toys.network(dropout=0.2, dtype=arguments.dtype, synchronized=True)
    trainer = Trainer(
        model,
        toys.train(dtype=arguments.dtype),
        toys.validation(dtype=arguments.dtype),
        toys.config(
            epochs=arguments.epochs,
            checkpoint_every_steps=arguments.every_steps,
            log_every_steps=3,
            ema_decay=0.9,
        ),
        arguments.run_dir,
        strategy=strategy,
        resume=True,
        verbose=0,  # nobody reads the pipe
    )
    print("training", flush=True)
    trainer.train()


if __name__ == "__main__":
    sys.exit(main())
