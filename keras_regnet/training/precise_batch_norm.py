"""Precise batch-normalisation statistics: means over many batches at fixed weights."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_regnet.layers.composite import all_layers
from keras_regnet.training.replicas import own_masks


class PreciseBatchNorm:
    """Estimates running statistics anew, as the official code does after each epoch.

    The running statistics of training are averages over weights that moved. Here the
    weights stand still: over a number of batches the plain mean of each batch's mean,
    and the plain mean of its unbiased variance, replace them (pycls, `core/net.py`,
    `compute_precise_bn_stats`). Under several replicas each one's part of a batch
    counts alike.

    Args:
        model: A built model. Frozen normalisations keep their statistics.
        strategy: The strategy under which it was built.
    """

    def __init__(self, model: keras.Model, strategy: tf.distribute.Strategy) -> None:
        self._model = model
        self._strategy = strategy
        self._layers = [
            layer
            for layer in all_layers(model)
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        ]
        self._statistics = [
            variable
            for layer in self._layers
            for variable in (layer.moving_mean, layer.moving_variance)
        ]
        self._forward = tf.function(self._forward_step, reduce_retracing=True)

    def update(
        self, batches: Iterator, steps: int, average: Callable[[], None]
    ) -> None:
        """Replaces the statistics by those of the next batches.

        Args:
            batches: Iterator over (images, labels), distributed by the strategy.
            steps: How many batches.
            average: Makes the statistics of all replicas their mean.
        """
        if not self._layers:
            return
        # Dropout draws in these passes too; training shall not notice.
        seeds = [
            (variable, variable.numpy())
            for variable in self._model.non_trainable_variables
            if not keras.backend.is_float_dtype(variable.dtype)
        ]
        means = [np.zeros(variable.shape) for variable in self._statistics]
        for _ in range(steps):
            self._forward(next(batches))
            average()
            for mean, variable in zip(means, self._statistics, strict=True):
                mean += variable.numpy().astype(np.float64) / steps
        for mean, variable in zip(means, self._statistics, strict=True):
            variable.assign(mean.astype(variable.dtype))
        for variable, seed in seeds:
            variable.assign(seed)

    @tf.autograph.experimental.do_not_convert
    def _forward_step(self, batch: Any) -> None:
        def forward(batch: Any) -> None:
            with own_masks(self._model):
                self._model(batch[0], training=True)

        with self._without_memory():
            self._strategy.run(forward, args=(batch,))

    @contextmanager
    def _without_memory(self) -> Iterator[None]:
        """What is traced here leaves a batch's own statistics as the running ones."""
        momenta = [layer.momentum for layer in self._layers]
        try:
            for layer in self._layers:
                layer.momentum = 0.0
            yield
        finally:
            for layer, momentum in zip(self._layers, momenta, strict=True):
                layer.momentum = momentum
