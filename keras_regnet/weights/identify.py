"""Which published network the tensors of a file are."""

from collections.abc import Mapping

import numpy as np

from keras_regnet.architecture import AnyNetParameters, variant, variant_names
from keras_regnet.weights.scheme import Scheme


def architecture_of(tensors: Mapping[str, np.ndarray], scheme: Scheme) -> str | None:
    """The canonical name of the network with these tensors, or None."""
    for name in variant_names():
        if _holds(tensors, scheme, variant(name).anynet()):
            return name
    return None


def architecture_name(parameters: AnyNetParameters) -> str | None:
    """The canonical name of the published network with these numbers, or None."""
    for name in variant_names():
        if variant(name).anynet() == parameters:
            return name
    return None


def _holds(
    tensors: Mapping[str, np.ndarray], scheme: Scheme, network: AnyNetParameters
) -> bool:
    """Whether the stages have the network's depths, widths and group widths."""

    def shape(stage: int, block: int, unit: str) -> tuple[int, ...] | None:
        found = tensors.get(scheme.key(f"s{stage}_b{block}/{unit}/kernel"))
        return None if found is None else scheme.to_keras(found).shape

    count = len(network.stages)
    if shape(count + 1, 1, "conv2/conv") is not None:
        return False
    if (shape(1, 1, "se/fc1") is not None) != (network.block == "y"):
        return False
    for number, stage in enumerate(network.stages, start=1):
        inner = stage.bottleneck_width
        group_width = inner // stage.groups
        if (
            shape(number, 1, "conv2/conv") != (3, 3, group_width, inner)
            or shape(number, stage.depth, "conv3/conv") != (1, 1, inner, stage.width)
            or shape(number, stage.depth + 1, "conv3/conv") is not None
        ):
            return False
    return True
