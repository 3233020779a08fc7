"""What scripts/train_resident.py does with its flags."""

import os
from typing import Any

from keras_regnet.training.flags import run_config
from keras_regnet.training.recipe_files import write_recipe
from keras_regnet.training.resident import train_resident

NOT_HERE = (
    *("dry_run", "self_check", "strategy", "num_gpus", "sync_batch_norm"),
    *("jit_compile", "accumulation", "steps_per_execution", "all_reduce"),
    *("memory_growth", "worker_timeout", "logical_cpu_devices"),
    *("data_service", "download", "cache", "shuffle_buffer"),
)
"""Flags of scripts/train.py that mean nothing where data are on the accelerator."""


def train(values: Any) -> None:
    """Trains, or prints what would be trained.

    Args:
        values: The flags, as `flags.define(without=NOT_HERE)` defined them.

    Raises:
        ValueError: Flags are wrong or contradict each other.
        OSError: A file cannot be read or written.
    """
    config = run_config(values)
    if values.print_recipe:
        print(write_recipe(config), end="")
        return
    if not values.run_dir:
        raise ValueError(
            "run_dir must be the folder of the run, as --run_dir=runs/mine. "
            f"Received: {values.run_dir!r}"
        )
    if values.deterministic:  # read when JAX first uses a device
        options = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{options} --xla_gpu_deterministic_ops=true".strip()
    result = train_resident(
        config,
        values.run_dir,
        classes=values.classes,
        resume=values.resume,
        verbose=values.verbose,
    )
    if values.verbose:
        final = result.final
        print(
            f"Validation accuracy {final['validation_accuracy']:.4f} and loss "
            f"{final['validation_loss']:.4f} on {final['validation_count']} images "
            f"after {final['epoch']} epochs. Everything is in {result.run_dir}"
        )
