"""The learning rate of every step: a warm-up, and what comes down after it."""

import math

import numpy as np

from keras_regnet.training.config import TrainingConfig


def learning_rate_at(config: TrainingConfig, step: int, steps_per_epoch: int) -> float:
    """The learning rate of one training step.

    With t the time in epochs, r the highest rate, f the least one as a fraction of it
    and T the epochs of the schedule, the scheduled rate is

        r * (f + (1 - f) * 0.5 * (1 + cos(pi * t / T)))    cosine
        r                                                  constant
        r * max(f, decay_factor ** floor(t / every))       step
        r * max(f, decay_factor ** (t / every))            exponential

    During the first W = `warmup_epochs`, with w = `warmup_factor` and the straight
    line l = w * (1 - t / W) + t / W, it is

        l * (scheduled rate at t)    "multiplied": pycls, `core/optimizer.py`
        l * r                        "replacing": timm's schedulers
        l * r                        "preceding": torchvision's SequentialLR, and timm's
                                     with warmup_prefix; t starts anew at W, and T is
                                     what is left after it

    With granularity `"epoch"`, t is the number of whole epochs done. So the official
    recipe runs its first epoch at 0.1 times the rate, and the last of a hundred at
    `0.5 * (1 + cos(0.99 * pi))` times.

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
    warming = time < config.warmup_epochs
    line = 1.0
    if warming:
        share = time / config.warmup_epochs
        line = config.warmup_factor * (1.0 - share) + share
    if warming and config.warmup_mode != "multiplied":
        return config.learning_rate * line
    length = config.epochs - config.cooldown_epochs
    if config.warmup_mode == "preceding":
        time -= config.warmup_epochs
        length -= config.warmup_epochs
    return config.learning_rate * _scheduled(config, time, length) * line


def learning_rates(
    config: TrainingConfig, epoch: int, steps_per_epoch: int
) -> np.ndarray:
    """The learning rates of all steps of an epoch (counted from 0), float64."""
    first = epoch * steps_per_epoch
    steps = range(first, first + steps_per_epoch)
    return np.array([learning_rate_at(config, step, steps_per_epoch) for step in steps])


def _scheduled(config: TrainingConfig, time: float, length: float) -> float:
    """The scheduled rate at a time in epochs, as a fraction of the highest."""
    least = config.final_learning_rate_factor
    if config.schedule == "constant":
        return 1.0
    if config.schedule == "cosine":
        falling = 0.5 * (1.0 + math.cos(math.pi * min(time / length, 1.0)))
        return least + (1.0 - least) * falling
    if config.schedule == "step":
        return max(least, config.decay_factor ** (time // config.decay_every_epochs))
    return max(least, config.decay_factor ** (time / config.decay_every_epochs))
