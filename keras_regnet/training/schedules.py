"""The learning rate of every step: warm-up and half a cosine, as the official code."""

import math

import numpy as np

from keras_regnet.training.config import TrainingConfig


def learning_rate_at(config: TrainingConfig, step: int, steps_per_epoch: int) -> float:
    """The learning rate of one training step.

    With t the time in epochs and T the number of epochs, the rate is
    `learning_rate * 0.5 * (1 + cos(pi * t / T))`. During the first `warmup_epochs` W
    it is multiplied by `warmup_factor * (1 - t / W) + t / W` (pycls,
    `core/optimizer.py`). With granularity `"epoch"`, t is the number of whole epochs
    done, so that the first epoch runs at `warmup_factor` times the rate and the last
    of a hundred at `0.5 * (1 + cos(0.99 * pi))` times.

    Args:
        config: The training configuration.
        step: Number of steps done before this one, from 0.
        steps_per_epoch: Number of steps in an epoch.

    Returns:
        The learning rate.
    """
    if config.schedule_granularity == "epoch":
        time = float(step // steps_per_epoch)
    else:
        time = step / steps_per_epoch
    rate = config.learning_rate
    if config.schedule == "cosine":
        rate *= 0.5 * (1.0 + math.cos(math.pi * time / config.epochs))
    if time < config.warmup_epochs:
        share = time / config.warmup_epochs
        rate *= config.warmup_factor * (1.0 - share) + share
    return rate


def learning_rates(
    config: TrainingConfig, epoch: int, steps_per_epoch: int
) -> np.ndarray:
    """The learning rates of all steps of an epoch (counted from 0), float64."""
    first = epoch * steps_per_epoch
    steps = range(first, first + steps_per_epoch)
    return np.array([learning_rate_at(config, step, steps_per_epoch) for step in steps])
