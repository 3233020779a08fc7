"""What a trainer can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from keras_regnet.training.config import WITH_FACTORS, TrainingConfig

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf


def check_arguments(
    model: keras.Model,
    config: Any,
    loss: Any,
    strategy: tf.distribute.Strategy,
    learning_rate_factors: Mapping[str, float] | None = None,
    from_logits: bool = True,
) -> None:
    """Checks that a model can be trained under a strategy.

    Args:
        model: The model.
        config: The training configuration.
        loss: The loss if it is the user's own, or None.
        strategy: The strategy.
        learning_rate_factors: Of single layers, or None.
        from_logits: What the default loss is told of the model.

    Raises:
        ValueError: It cannot; the message says why.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "Training needs the TensorFlow backend (KERAS_BACKEND=tensorflow). "
            f"Received: {keras.backend.backend()}"
        )
    if not isinstance(config, TrainingConfig):
        raise ValueError(f"config must be a TrainingConfig. Received: {config!r}")
    if loss is not None and config.label_smoothing:
        raise ValueError(
            "label_smoothing belongs to the default loss; give it to your own. "
            f"Received: label_smoothing={config.label_smoothing} and loss={loss!r}"
        )
    if loss is not None and (config.loss != "cross_entropy" or not from_logits):
        raise ValueError(
            "The configuration's loss and from_logits are of the default loss; yours "
            f"has neither. Received: config.loss={config.loss!r}, "
            f"from_logits={from_logits} and loss={loss!r}"
        )
    if learning_rate_factors and config.optimizer not in WITH_FACTORS:
        raise ValueError(
            "learning_rate_factors need one of the optimizers "
            f"{WITH_FACTORS}; the others, which are Keras' own, have one learning rate "
            f"for all layers. Received: optimizer={config.optimizer!r}"
        )
    _check_model(model, strategy)
    for path in learning_rate_factors or ():
        if not any(f"{v.path}/".startswith(f"{path}/") for v in model.variables):
            names = sorted({v.path.partition("/")[0] for v in model.variables})
            raise ValueError(
                "learning_rate_factors must name the beginnings of variables' paths, "
                f"such as {names}. Received: {path!r}, with which none begins"
            )
    replicas = strategy.num_replicas_in_sync
    if config.jit_compile and replicas > 1:
        raise ValueError(
            "XLA compiles the step of one replica only. "
            f"Received: jit_compile=True and {replicas} replicas"
        )


def _check_model(model: keras.Model, strategy: tf.distribute.Strategy) -> None:
    if not model.built or not model.trainable_variables:
        raise ValueError(
            "model must be built and have trainable variables. "
            f"Received: built={model.built}, "
            f"{len(model.trainable_variables)} trainable variables"
        )
    for variable in model.variables:
        if not strategy.extended.variable_created_in_scope(variable.value):
            raise ValueError(
                "The model must be built under the strategy's scope "
                "(with strategy.scope(): ...). "
                f"Received: {variable.path}, built elsewhere"
            )
