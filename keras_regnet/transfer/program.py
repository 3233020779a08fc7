"""What scripts/finetune.py does with its flags."""

import dataclasses
from pathlib import Path
from typing import Any

from keras_regnet.training import strategies
from keras_regnet.training.flag_uses import Uses, uses_of_data
from keras_regnet.training.flag_values import check_uses
from keras_regnet.transfer import flags
from keras_regnet.transfer.comparison import compare
from keras_regnet.transfer.config import FineTuneConfig
from keras_regnet.transfer.fine_tuning import fine_tune
from keras_regnet.transfer.source import open_source


def _uses_of_phases(values: Any, config: FineTuneConfig) -> Uses:
    """By flag, whether a phase uses it, and what it would need."""
    scratch = values.compare or config.init == "scratch"
    pretrained = values.compare or config.init == "pretrained"
    head = pretrained and (values.compare or config.head_epochs > 0)
    body = pretrained and config.body_epochs > 0
    of_body = body, "--body_epochs above 0 and --init=pretrained"
    moving = body or scratch, "--body_epochs above 0"
    return {
        "init": (not values.compare, "--nocompare; there both are tried"),
        "scratch_learning_rate": (scratch, "--init=scratch or --compare"),
        "head_learning_rate": (head, "--head_epochs above 0 and --init=pretrained"),
        "body_learning_rate": of_body,
        "unfreeze": of_body,
        "batch_norm": of_body,
        "layer_decay": of_body,
        "warmup_epochs": moving,
        "stochastic_depth": moving,
    }


def run(values: Any) -> None:
    """Fine-tunes, or compares.

    Args:
        values: The flags, as `keras_regnet.transfer.flags.define` defined them.

    Raises:
        ValueError: Flags are wrong or contradict each other.
        OSError: A file cannot be read or written.
    """
    for name in ("source", "run_dir"):
        if not getattr(values, name):
            raise ValueError(
                f"--{name} is needed; see --help. "
                f"Received: --{name}={getattr(values, name)}"
            )
    data_config, config = flags.configurations(values)
    seeds = flags.seeds(values.seeds)
    publishes = values.publish and not values.compare
    check_uses(
        values,
        {
            "seeds": (values.compare, "--compare"),
            "seed": (not values.compare, "--nocompare; there it is --seeds"),
            **_uses_of_phases(values, config),
            "publish": (publishes or not values.publish, "--nocompare"),
            "publish_dir": (publishes, "--publish and --nocompare"),
            "name": (publishes, "--publish and --nocompare"),
            **uses_of_data(data_config),
        },
    )
    strategy = strategies.make_strategy(values.strategy, num_gpus=values.num_gpus)
    source = open_source(values.source)
    if data_config.image_size is None and values.image_size is None:
        data_config = dataclasses.replace(data_config, image_size=source.image_size)
    common = {
        "strategy": strategy,
        "classes": values.classes,
        "resume": values.resume,
        "verbose": values.verbose,
    }
    arguments = (source, data_config, config, values.run_dir)
    if values.compare:
        found = compare(*arguments, seeds=seeds, **common)
        print(f"\n{found.table()}")
        print(f"As JSON: {Path(values.run_dir) / 'comparison.json'}")
        return
    publish_dir = None
    if values.publish:
        publish_dir = values.publish_dir or Path(values.run_dir) / "published"
    result = fine_tune(
        *arguments,
        **common,
        seed=values.seed,
        publish_dir=publish_dir,
        name=values.name,
    )
    print(
        f"Accuracy {100 * result.accuracy:.2f} % and loss {result.loss:.4f} on "
        f"{result.count} validation images. Everything is in {result.run_dir}"
    )
