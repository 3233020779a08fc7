"""What a population consists of: networks as numbers that can be written and built."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

import keras

from keras_regnet.architecture import AnyNetParameters, RegNetParameters, complexity
from keras_regnet.design_space.mlp import MLPParameters
from keras_regnet.models import AnyNet

Shape = tuple[int, int, int]


class Cost(NamedTuple):
    """What a network costs for one image; the words are the paper's.

    Attributes:
        flops: Multiply-adds.
        parameters: Trainable parameters.
        activations: Outputs of convolutions and dense layers.
    """

    flops: int
    parameters: int
    activations: int


@runtime_checkable
class Network(Protocol):
    """A network that is no `AnyNetParameters` and still can be in a population.

    Its class must be importable where workers run.
    """

    def to_dict(self) -> dict[str, Any]:
        """The network as plain JSON types."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` wrote."""

    def build(self, input_shape: Shape, classes: int) -> keras.Model:
        """A new model from normalised images to logits, in the global dtype policy."""

    def cost(self, input_shape: Shape, classes: int) -> tuple[int, int, int]:
        """Multiply-adds, trainable parameters and activations for one image."""


AnyNetwork = AnyNetParameters | RegNetParameters | Network

# By the names under which they stand in files; other kinds are passed by who uses them.
KINDS: Mapping[str, type] = MappingProxyType(
    {"anynet": AnyNetParameters, "regnet": RegNetParameters, "mlp": MLPParameters}
)


def encode(network: AnyNetwork, kinds: Mapping[str, type] = KINDS) -> str:
    """A network as one line of JSON, the same for equal networks.

    Args:
        network: The network.
        kinds: The classes of networks by their names in files.

    Raises:
        ValueError: Its class is not among them.
    """
    for name, kind in kinds.items():
        if type(network) is kind:
            values = {name: network.to_dict()}
            return json.dumps(values, sort_keys=True, separators=(",", ":"))
    raise ValueError(
        f"A network must be one of {sorted(k.__name__ for k in kinds.values())}, or "
        f"its class be given in `kinds`. Received: {network!r}"
    )


def decode(text: str, kinds: Mapping[str, type] = KINDS) -> AnyNetwork:
    """The network that `encode` wrote.

    Raises:
        ValueError: It is of a kind that is not given, or damaged.
    """
    try:
        ((name, values),) = json.loads(text).items()
    except (ValueError, AttributeError):
        raise ValueError(
            'A network is written as {"kind": {...}}. Received: ' + repr(text)
        ) from None
    if name not in kinds:
        raise ValueError(
            f"Networks here are of the kinds {sorted(kinds)}; others must be given in "
            f"`kinds`. Received: {name!r}"
        )
    return kinds[name].from_dict(values)


def build(network: AnyNetwork, input_shape: Shape, classes: int) -> keras.Model:
    """A new model of a network, from normalised images to logits."""
    if isinstance(network, (AnyNetParameters, RegNetParameters)):
        return AnyNet(
            network.anynet(),
            input_shape=tuple(input_shape),
            classes=classes,
            classifier_activation=None,
        )
    return network.build(tuple(input_shape), classes)


def cost(network: AnyNetwork, input_shape: Shape, classes: int) -> Cost:
    """What a network costs for one image."""
    if isinstance(network, (AnyNetParameters, RegNetParameters)):
        height, width, channels = input_shape
        counts = complexity(network, (height, width), channels, classes)
        return Cost(counts.multiply_adds, counts.parameters, counts.activations)
    return Cost(*network.cost(tuple(input_shape), classes))
