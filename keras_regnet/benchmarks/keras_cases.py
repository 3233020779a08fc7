"""Our side: the networks of this package, trained and called as a user does."""

import gc
import time
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

import keras_regnet
from keras_regnet.benchmarks.alternation import Builder, Case
from keras_regnet.benchmarks.settings import Setting


def network(setting: Setting) -> keras.Model:
    """The network, with logits as its outputs."""
    return keras_regnet.RegNet(
        setting.network,
        input_shape=(setting.image_size, setting.image_size, 3),
        classes=setting.classes,
        classifier_activation=None,
        dtype=None if setting.precision == "float32" else "mixed_bfloat16",
    )


def fit(setting: Setting, **arguments: Any) -> Case:
    """`compile` and `fit` with all defaults; returns the seconds of a step.

    Args:
        setting: What to train; SGD with Nesterov momentum, no augmentation.
        **arguments: To `compile`.
    """
    return fit_model(network(setting), setting, setting.training_steps, **arguments)


def stock_fit(setting: Setting) -> Case:
    """The same network on Keras' own layers, one step a call: on a CPU it is slow."""
    return fit_model(_with_stock_layers(setting), setting, 1)


def fit_model(
    model: keras.Model, setting: Setting, steps: int, **arguments: Any
) -> Case:
    """A case that trains `model` for `steps` equal batches."""
    import tensorflow as tf

    # Without autotuning, which has nothing to tune here. In one of three epochs its
    # thread wakes up 0.6, 1.3, 2.5, 5.1 s (10 ms, doubled) after the first batch
    # before it lets go of the finished iterator, and `fit` waits for it.
    options = tf.data.Options()
    options.autotune.enabled = False
    data = tf.data.Dataset.from_tensors(setting.batch()).repeat(steps)
    data = data.with_options(options)
    model.compile(
        keras_regnet.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        **arguments,
    )

    def case() -> float:
        with warnings.catch_warnings():
            # Keras 3.15 warns of its own default, shuffle=True, with a tf.data.Dataset.
            warnings.filterwarnings("ignore", "`shuffle=True` was passed")
            start = time.perf_counter()
            model.fit(data, verbose=0)
            return (time.perf_counter() - start) / steps

    return case


def inference_builders(setting: Setting, jit_compile: bool) -> dict[str, Builder]:
    """Our ways to classify a batch, all on one network.

    Further artefacts (a SavedModel, LiteRT) are further entries: a name and a function
    that prepares the call.
    """
    import tensorflow as tf

    model = network(setting)
    images = setting.batch()[0]
    tensor = tf.constant(images)
    size = setting.batch_size

    def in_graph(**arguments: Any) -> Callable[[], Any]:
        function = tf.function(lambda x: model(x, training=False), **arguments)
        return lambda: function(tensor).numpy()

    def fixed() -> Callable[[], Any]:
        function = keras_regnet.inference_function(model)
        return lambda: function(tensor).numpy()

    calls = {
        "keras_regnet, tf.function": in_graph,
        "keras_regnet, inference_function": fixed,
        "keras_regnet, predict_on_batch": lambda: (
            lambda: model.predict_on_batch(images)
        ),
        "keras_regnet, predict": lambda: (
            lambda: model.predict(images, batch_size=size, verbose=0)
        ),
    }
    if jit_compile:
        calls["keras_regnet, tf.function, jit_compile=True"] = lambda: in_graph(
            jit_compile=True
        )
    steps = setting.inference_steps
    return {
        name: lambda prepare=prepare: repeated(prepare(), steps)
        for name, prepare in calls.items()
    }


def repeated(call: Callable[[], Any], times: int) -> Case:
    """A case that calls a function several times and returns the seconds of one."""

    def case() -> float:
        start = time.perf_counter()
        for _ in range(times):
            call()
        return (time.perf_counter() - start) / times

    return case


def free() -> None:
    """Gives the memory of networks that are no longer referred to back."""
    keras.backend.clear_session()
    gc.collect()


def _with_stock_layers(setting: Setting) -> keras.Model:
    """The network with Keras' own layers in the place of ours."""
    from keras_regnet.layers import conv_norm

    class Conv2D(keras.layers.Conv2D):
        def __init__(self, *args: Any, padding: str, **kwargs: Any) -> None:
            super().__init__(*args, padding="same", **kwargs)

    ours = conv_norm.GroupedConv2D, conv_norm.BatchNormalization
    conv_norm.GroupedConv2D = Conv2D
    conv_norm.BatchNormalization = keras.layers.BatchNormalization
    try:
        return network(setting)
    finally:
        conv_norm.GroupedConv2D, conv_norm.BatchNormalization = ours


def count_parameters(setting: Setting) -> int:
    """Trainable parameters of our network."""
    return int(sum(np.prod(v.shape) for v in network(setting).trainable_variables))
