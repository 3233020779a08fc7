"""The optimizer that a training configuration asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras

from keras_regnet.layers.composite import all_layers
from keras_regnet.optimizers import SGD, RMSprop, parameter_groups
from keras_regnet.training.config import TrainingConfig

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf


def make_optimizer(
    config: TrainingConfig,
    variables: Sequence[keras.Variable],
    learning_rate_factors: Mapping[str, float] | None = None,
) -> keras.optimizers.Optimizer:
    """Makes the optimizer of a configuration, not yet built.

    `clip_norm` and `accumulation` are not its business: the loop has the gradients.

    Args:
        config: The training configuration.
        variables: The variables to train; their paths decide which are decayed.
        learning_rate_factors: What the learning rate is multiplied with, by the
            beginnings of paths; of sgd and rmsprop alone.

    Returns:
        `SGD` or `RMSprop` of this package, `keras.optimizers.AdamW` or
        `keras.optimizers.Lamb`.
    """
    if config.optimizer == "sgd":
        return SGD(
            learning_rate=config.learning_rate,
            momentum=config.momentum,
            nesterov=config.nesterov,
            weight_decay=config.weight_decay,
            norm_weight_decay=config.norm_weight_decay,
            bias_weight_decay=config.bias_weight_decay,
            learning_rate_factors=learning_rate_factors,
        )
    if config.optimizer == "rmsprop":
        return RMSprop(
            learning_rate=config.learning_rate,
            rho=_or(config.second_moment_decay, 0.9),
            momentum=config.momentum,
            epsilon=_or(config.epsilon, 1e-3),
            weight_decay=config.weight_decay,
            norm_weight_decay=config.norm_weight_decay,
            bias_weight_decay=config.bias_weight_decay,
            learning_rate_factors=learning_rate_factors,
        )
    kind, epsilon = {
        "adamw": (keras.optimizers.AdamW, 1e-8),
        "lamb": (keras.optimizers.Lamb, 1e-6),
    }[config.optimizer]
    optimizer = kind(
        learning_rate=config.learning_rate,
        beta_1=config.momentum,
        beta_2=_or(config.second_moment_decay, 0.999),
        epsilon=_or(config.epsilon, epsilon),
        weight_decay=config.weight_decay,
    )
    spared = [
        variable
        for group, members in parameter_groups(variables).items()
        for variable in members
        if not config.decays[group]
    ]
    optimizer.exclude_from_weight_decay(var_list=spared)
    return optimizer


def build_optimizer(
    config: TrainingConfig,
    model: keras.Model,
    strategy: tf.distribute.Strategy,
    learning_rate_factors: Mapping[str, float] | None = None,
) -> keras.optimizers.Optimizer:
    """Makes the optimizer of a model's weights, built; with float16 it scales losses.

    Args:
        config: The training configuration.
        model: A built model.
        strategy: The strategy under which it was built.
        learning_rate_factors: As in `make_optimizer`.
    """
    variables = model.trainable_variables
    with strategy.scope():
        optimizer = make_optimizer(config, variables, learning_rate_factors)
        if any(layer.compute_dtype == "float16" for layer in all_layers(model)):
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        optimizer.build(variables)
    return optimizer


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
