"""A training step: ours through `compile` and `fit`, timm's in eager torch."""

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

import keras_regnet
from keras_regnet.benchmarks import peers
from keras_regnet.benchmarks.alternation import Comparison, alternate

_TIMM_NAMES = {
    "RegNetX-200MF": "regnetx_002",
    "RegNetX-3.2GF": "regnetx_032",
    "RegNetY-400MF": "regnety_004",
}


def training_step(
    name: str,
    image_size: int,
    batch_size: int,
    rounds: int,
    steps: int,
    jit_compile: bool = False,
    stock_layers: bool = False,
) -> Comparison:
    """Seconds of a training step of one network, SGD with Nesterov momentum.

    Args:
        name: A network's canonical name.
        image_size: Pixels along both sides.
        batch_size: Images in a batch.
        rounds: How often the cases alternate.
        steps: Training steps that a case does in a round.
        jit_compile: Whether `compile(jit_compile=True)` is a case too.
        stock_layers: Whether the same network on `keras.layers.Conv2D(groups=...)` and
            `keras.layers.BatchNormalization` is a case too. On a CPU it takes minutes.
    """
    rng = np.random.default_rng(0)
    images = rng.normal(size=(batch_size, image_size, image_size, 3)).astype("float32")
    labels = rng.integers(0, 1000, batch_size)

    def ours(**arguments: Any) -> Callable[[], float]:
        model = keras_regnet.RegNet(
            name, input_shape=images.shape[1:], classifier_activation=None
        )
        return _fit(model, images, labels, steps, **arguments)

    cases = {"keras_regnet, fit": ours()}
    if jit_compile:
        cases["keras_regnet, fit, jit_compile=True"] = ours(jit_compile=True)
    if stock_layers:
        cases["stock Keras layers, fit"] = _fit(
            _with_stock_layers(name, images.shape[1:]), images, labels, 1
        )
    torch_cases = {}
    if peers.timm() is not None and name in _TIMM_NAMES:
        torch_cases = {
            f"timm, {layout}": _torch_steps(name, images, labels, steps, layout)
            for layout in ("contiguous", "channels_last")
        }
    return alternate(
        f"training step, {name}, {image_size}x{image_size}, batch {batch_size}",
        cases | torch_cases,
        tuple(torch_cases),
        rounds,
    )


def _fit(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    steps: int,
    **arguments: Any,
) -> Callable[[], float]:
    """A case: `fit` with all defaults over `steps` equal batches."""
    import tensorflow as tf

    data = tf.data.Dataset.from_tensors((images, labels)).repeat(steps)
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        **arguments,
    )

    def case() -> float:
        start = time.perf_counter()
        model.fit(data, verbose=0)
        return (time.perf_counter() - start) / steps

    return case


def _with_stock_layers(name: str, input_shape: tuple) -> keras.Model:
    """The network with Keras' own layers in the place of ours."""
    from keras_regnet.layers import conv_norm

    class Conv2D(keras.layers.Conv2D):
        def __init__(self, *args: Any, padding: str, **kwargs: Any) -> None:
            super().__init__(*args, padding="same", **kwargs)

    ours = conv_norm.GroupedConv2D, conv_norm.BatchNormalization
    conv_norm.GroupedConv2D = Conv2D
    conv_norm.BatchNormalization = keras.layers.BatchNormalization
    try:
        return keras_regnet.RegNet(
            name, input_shape=input_shape, classifier_activation=None
        )
    finally:
        conv_norm.GroupedConv2D, conv_norm.BatchNormalization = ours


def _torch_steps(
    name: str, images: np.ndarray, labels: np.ndarray, steps: int, layout: str
) -> Callable[[], float]:
    """A case: timm's network in eager torch, the customary five lines a step."""
    import torch

    memory_format = {
        "contiguous": torch.contiguous_format,
        "channels_last": torch.channels_last,
    }[layout]
    model = peers.timm().create_model(_TIMM_NAMES[name], pretrained=False).train()
    model = model.to(memory_format=memory_format)
    inputs = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    inputs = inputs.contiguous(memory_format=memory_format)
    targets = torch.from_numpy(labels)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, nesterov=True)

    def case() -> float:
        start = time.perf_counter()
        for _ in range(steps):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
        return (time.perf_counter() - start) / steps

    return case
