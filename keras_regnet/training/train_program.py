"""What scripts/train.py does with its flags."""

from typing import Any

import tensorflow as tf

from keras_regnet.data import describe
from keras_regnet.files import local_path
from keras_regnet.plots import plot_learning_rate
from keras_regnet.training import job, strategies
from keras_regnet.training.consensus import Consensus
from keras_regnet.training.dry_run import dry_run, format_dry_run
from keras_regnet.training.flags import run_config
from keras_regnet.training.recipe_files import write_recipe
from keras_regnet.training.recipes import RunConfig, recipe_fields
from keras_regnet.training.run_directory import naming
from keras_regnet.training.self_check import self_check


def train(values: Any) -> None:
    """Trains, or prints what would be trained.

    Args:
        values: The flags, as `keras_regnet.training.flags.define` defined them.

    Raises:
        ValueError: Flags are wrong or contradict each other.
        OSError: A file cannot be read or written.
    """
    config = run_config(values)
    only = [n for n in ("print_recipe", "dry_run", "self_check") if values[n].value]
    if len(only) > 1:
        raise ValueError(
            "Only one of --print_recipe, --dry_run and --self_check can be done. "
            f"Received: {' and '.join(f'--{name}' for name in only)}"
        )
    if values.logical_cpu_devices != 1 and values.strategy != "mirrored":
        raise ValueError(
            "--logical_cpu_devices is for --strategy=mirrored; the others use one "
            f"device of a CPU. Received: {values.logical_cpu_devices} and "
            f"--strategy={values.strategy}"
        )
    if values.print_recipe:
        print(write_recipe(config), end="")
    elif values.dry_run:
        _print_dry_run(values, config)
    elif values.self_check:
        _self_check(values)
    else:
        _train(values, config)


def _print_dry_run(values: Any, config: RunConfig) -> None:
    if values.logical_cpu_devices != 1:
        strategies.split_cpu(values.logical_cpu_devices)
    facts = describe(config.data)
    job.check_classes(facts, values.classes)
    devices = strategies.count_devices(values.strategy, values.num_gpus)
    run = dry_run(config, facts, devices)
    print(format_dry_run(run))
    if values.run_dir:
        path = local_path(values.run_dir, "run_dir") / "learning_rate.png"
        with naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            plot_learning_rate(run.learning_rates, path, title=config.recipe)
        print(f"\nThe learning rate is drawn in {path}")


def _make_strategy(values: Any) -> tf.distribute.Strategy:
    if values.logical_cpu_devices != 1:
        strategies.split_cpu(values.logical_cpu_devices)
    if values.memory_growth:
        strategies.set_memory_growth()
    return strategies.make_strategy(
        values.strategy,
        all_reduce=values.all_reduce,
        num_gpus=values.num_gpus,
        timeout=values.worker_timeout,
    )


def _self_check(values: Any) -> None:
    strategy = _make_strategy(values)
    report = self_check(strategy)
    if Consensus(strategy).chief or not report.ok:
        print(report)
    if not report.ok:
        raise SystemExit(1)


def _train(values: Any, config: RunConfig) -> None:
    if not values.run_dir:
        raise ValueError(
            "run_dir must be the folder of the run, as --run_dir=runs/mine. "
            f"Received: {values.run_dir!r}"
        )
    if values.deterministic:
        tf.config.experimental.enable_op_determinism()
    strategy = _make_strategy(values)
    result = job.train_network(
        config.model,
        config.data,
        config.training,
        values.run_dir,
        strategy=strategy,
        classes=values.classes,
        seed=config.data.seed,
        resume=values.resume,
        recipe=config.recipe,
        recipe_fields=recipe_fields(config),
        worker_timeout=values.worker_timeout,
        verbose=values.verbose,
    )
    if values.verbose and Consensus(strategy).chief:
        final = result.final
        print(
            f"Validation accuracy {final['validation_accuracy']:.4f} and loss "
            f"{final['validation_loss']:.4f} on {final['validation_count']} images "
            f"after {final['epoch']} epochs. Everything is in {result.run_dir}"
        )
