"""Run directories made up for the tests: small, complete, and full of odd names."""

import json
import math

import numpy as np

from keras_regnet.training.evaluation import Evaluation
from keras_regnet.training.mistakes import Mistake

STEPS = 20  # per epoch
HOSTILE = "<script>alert('x')</script> & \"quotes\" \udcff\x00 ü"


def epoch_row(epoch, averaged=True, validation=True):
    row = {
        "kind": "epoch",
        "epoch": epoch,
        "step": epoch * STEPS,
        "learning_rate": 0.1 / epoch,
        "train_loss": 2.3 / epoch,
        "train_accuracy": 1 - 0.9 / epoch,
        "seconds": 10.0,
        "images_per_second": 1000.0 + epoch,
        "data_wait": 0.1,
        "checkpoint_seconds": 0.5,
    }
    if validation:
        row |= {
            "validation_loss": 2.5 / epoch,
            "validation_accuracy": 0.95 - 0.8 / epoch,
            "validation_count": 100,
            "validation_seconds": 2.0,
        }
    if averaged:
        row |= {
            "ema_validation_loss": 2.4 / epoch,
            "ema_validation_accuracy": 0.96 - 0.8 / epoch,
        }
    return row


def step_rows(epoch):
    return [
        {
            "kind": "step",
            "epoch": epoch,
            "step": (epoch - 1) * STEPS + step,
            "loss": 2.3 / epoch + math.sin(step) / 10,
            "accuracy": 1 - 0.9 / epoch,
            "learning_rate": 0.1 / epoch,
            "images_per_second": 1000.0,
            "data_wait": 0.1,
            "seconds": 5.0,
        }
        for step in range(2, STEPS + 1, 2)
    ]


def write_run(path, epochs=3, class_names=tuple("abc"), **columns):
    """A run as the training loop leaves it; `columns` go to `epoch_row`."""
    path.mkdir(parents=True, exist_ok=True)
    config = {
        "configuration": {
            "training": {"epochs": 3, "learning_rate": 0.1, "momentum": 0.9},
            "model": {"architecture": {"depth": 2}, "dropout": 0.0},
            "data": {"name": f"folder:/pictures/{HOSTILE}", "crop_area": [0.08, 1.0]},
            "class_names": list(class_names),
            "steps_per_epoch": STEPS,
            "parameters": 181_258,
        },
        "environment": {
            "command_line": ["train.py", f"--dataset={HOSTILE}"],
            "versions": {"keras": "3.15.1"},
            "devices": ["/device:CPU:0"],
            "git_commit": None,
        },
    }
    (path / "config.json").write_text(json.dumps(config))
    rows = []
    for epoch in range(1, epochs + 1):
        rows += [*step_rows(epoch), epoch_row(epoch, **columns)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (path / "metrics.jsonl").write_text(text)
    (path / "result.json").write_text(json.dumps({"seconds": 40.0}))
    return path


def evaluation(classes=3, mistakes=4, size=(8, 8, 1)):
    """Counts with mistakes, and images of noise."""
    random = np.random.default_rng(0)
    confusion = random.integers(0, 5, (classes, classes)) + 30 * np.eye(
        classes, dtype=int
    )
    worst = tuple(
        Mistake(
            image=random.integers(0, 256, size, np.uint8),
            label=0,
            prediction=1,
            probability=0.99 - number / 100,
            label_probability=0.001,
            index=number,
            name=f"/pictures/val/a/{number} {HOSTILE}.png" if number % 2 else None,
        )
        for number in range(mistakes)
    )
    return Evaluation(confusion, int(confusion.sum()), 0.5, worst)
