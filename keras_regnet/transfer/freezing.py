"""Which layers of a network move, and which run in inference mode."""

import re
from typing import Any

import keras
from keras import ops

from keras_regnet.layers.composite import all_layers
from keras_regnet.transfer.source import HEAD


class FrozenPart(keras.layers.Layer):
    """A part of a network in inference mode, also while the rest is trained.

    Batch normalisation uses its running statistics and leaves them as they are, no
    branch is left out, and no gradient is computed.

    Args:
        part: The part.
        **kwargs: Of the layer.
    """

    def __init__(self, part: keras.Model, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)  # the part casts as it needs
        self.part = part
        self.trainable = False

    def call(self, inputs: Any) -> Any:
        """What the part gives in inference."""
        return ops.stop_gradient(self.part(inputs, training=False))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The part's."""
        return self.part.compute_output_shape(input_shape)


def training_model(
    network: keras.Model, unfreeze: int | str, train_batch_norm: bool = True
) -> keras.Model:
    """The model to train, from images to logits; it shares the network's variables.

    Sets the `trainable` of the network's layers.

    Args:
        network: As `AnyNet` builds it.
        unfreeze: How many of the last stages are trained besides the head; 0 for the
            head alone, "all" for the whole network with its stem.
        train_batch_norm: Whether batch normalisations in what is trained move, too;
            otherwise they run in inference mode.

    Raises:
        ValueError: There are fewer stages.
    """
    unfreeze_all(network)
    layers = [
        layer
        for layer in network.layers
        if not isinstance(layer, keras.layers.InputLayer)
    ]
    if not train_batch_norm:
        for layer in all_layers(network):
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False
    moving = layers if unfreeze == "all" else layers[_last_frozen(layers, unfreeze) :]
    outputs = network.inputs[0]
    if len(moving) < len(layers):
        cut = layers[len(layers) - len(moving) - 1].output
        part = keras.Model(network.inputs[0], cut, name="frozen")
        outputs = FrozenPart(part, dtype="float32", name="frozen_part")(outputs)
    for layer in moving:
        outputs = layer(outputs)
        if layer.name == HEAD:  # without the softmax after it
            return keras.Model(network.inputs[0], outputs, name=network.name)
    raise ValueError(f"The network must have a layer {HEAD}. Received: {network.name}")


def unfreeze_all(network: keras.Model) -> None:
    """Makes every layer of a network trainable, whatever was frozen in it before.

    Each by itself: with TensorFlow Keras leaves out an assignment that changes nothing,
    so that `network.trainable = True` does not reach frozen layers in a network that is
    itself trainable.
    """
    for layer in all_layers(network):
        layer.trainable = True


def stages_of(network: keras.Model) -> int:
    """The number of a network's stages."""
    return max((_stage(layer.name) or 0 for layer in network.layers), default=0)


def layer_factors(network: keras.Model, decay: float) -> dict[str, float]:
    """What each layer's learning rate is multiplied with, by the layer's name.

    The head has 1, the last block `decay`, the block before it `decay ** 2`, and so on
    to the stem.

    Args:
        network: As `AnyNet` builds it.
        decay: From each block to the one before it.
    """
    names = [layer.name for layer in network.layers if layer.weights]
    return {name: decay**place for place, name in enumerate(reversed(names))}


def _last_frozen(layers: list[keras.layers.Layer], stages: int) -> int:
    """How many of the layers stand still where the last `stages` move."""
    numbers = [_stage(layer.name) for layer in layers]
    most = max(number for number in numbers if number)
    if stages > most:
        raise ValueError(
            f"unfreeze must be at most the {most} stages of the network, or 'all' for "
            f"the stem too. Received: {stages}"
        )
    wanted = most - stages
    last = max((i for i, number in enumerate(numbers) if number == wanted), default=-1)
    if not wanted:  # all stages: the stem, with its pooling, ends before the first
        last = numbers.index(1) - 1
    return last + 1


def _stage(name: str) -> int | None:
    found = re.fullmatch(r"s(\d+)_b\d+", name)
    return int(found[1]) if found else None
