"""From a model back to the arguments that made it."""

import re
from typing import Any

import keras

from keras_regnet.architecture import AnyNetParameters, Stage
from keras_regnet.layers import (
    ConvNormActivation,
    ResBasicBlock,
    VanillaBlock,
    XBlock,
    YBlock,
)
from keras_regnet.preprocessing import PixelNormalization

_KINDS = {
    XBlock: "x",
    YBlock: "y",
    ResBasicBlock: "res_basic",
    VanillaBlock: "vanilla",
}
_FUNCTIONS = {
    name.lower().replace("_", "")
    for name in (*dir(keras.activations), "PReLU")
    if not name.startswith("_")
}
_PASSING = (
    keras.layers.ActivityRegularization,
    keras.layers.Dropout,
    keras.layers.Flatten,
    keras.layers.Identity,
    keras.layers.Reshape,
)
_OTHERS = {
    "stem_pad",
    "stem_pool",
    "avg_pool",
    "max_pool",
    "head_dropout",
    "head_fc",
    "predictions",
}


def arguments_of(model: keras.Model) -> tuple[AnyNetParameters, dict[str, Any]]:
    """What `AnyNet` must be given to build this network again, without its weights.

    Args:
        model: A model that `AnyNet`, `RegNet`, `RegNetX` or `RegNetY` built, or one cut
            out of such a model, for example to end in the logits.

    Returns:
        The parameters, and the other arguments that are not defaults of all networks:
        `AnyNet(parameters, **arguments)` has variables of the same paths and shapes.

    Raises:
        ValueError: It is another model, is fused, or has dilations.
    """
    layers = {layer.name: layer for layer in model.layers}
    blocks = [layer for layer in model.layers if type(layer) in _KINDS]
    foreign = [
        name
        for name, layer in layers.items()
        if name not in _OTHERS
        and not isinstance(layer, keras.layers.InputLayer | PixelNormalization)
        and not (name == "stem" and isinstance(layer, ConvNormActivation))
        and type(layer) not in _KINDS
    ]
    if foreign or not blocks or "stem" not in layers or len(model.inputs) != 1:
        raise ValueError(
            "The model must be one of this package's networks as RegNet() and AnyNet() "
            f"build them. Received: {model.name!r}, "
            + (f"with the layers {foreign}" if foreign else "without stem and blocks")
        )
    if any(layer.fused for layer in (layers["stem"], *blocks)):
        raise ValueError(
            "The network must have its batch normalisations. Received: "
            f"{model.name!r}, which is fused for inference"
        )
    if any(block.dilation_rate != 1 for block in blocks):
        raise ValueError(
            f"The network must not be dilated. Received: {model.name!r}, which was "
            "built with `output_stride`"
        )
    stem, last = layers["stem"], blocks[-1]
    kind = "simple" if stem.strides == 2 else "small"
    parameters = AnyNetParameters(
        _stages(blocks),
        _KINDS[type(last)],
        getattr(last, "squeeze_excite_ratio", 0.0),
        "resnet" if "stem_pool" in layers else kind,
        stem.filters,
    )
    arguments = {
        "input_shape": tuple(model.input_shape[1:]),
        "padding": stem.padding,
        "stochastic_depth": last.stochastic_depth if len(blocks) > 1 else 0.0,
        "synchronized_batch_norm": stem.synchronized,
        "dtype": stem.dtype_policy.name,
        "name": model.name,
    }
    return parameters, arguments | _first(layers) | _last(model, layers)


def output_activation(model: keras.Model) -> str | None:
    """The function in which a model's graph ends; the values it gives are not asked.

    Layers after it that change no number (a dropout, a reshape, a linear activation, as
    mixed precision has it) are passed over.

    Args:
        model: Any model; of one that is no graph of layers nothing is known.

    Returns:
        `"softmax"` (over the last axis), `"sigmoid"`, or the name of another activation
        (`"relu"`, ...); `"linear"` for a layer of weights without one; None for other
        ends, for several outputs, and where there is no graph.
    """
    if len(getattr(model, "outputs", None) or ()) != 1:
        return None
    rank = len(model.outputs[0].shape)
    for operation in reversed(getattr(model, "operations", model.layers)):
        if isinstance(operation, keras.Model):
            return output_activation(operation)
        function = getattr(operation, "activation", None)
        if function is None:  # layers and operations that are a function themselves
            name = type(operation).__name__.lower()
            found = name if name.removeprefix("leaky") in _FUNCTIONS else None
        else:
            name = getattr(function, "__name__", type(function).__name__)
            found = name.lower().removesuffix("_v2")  # as in tf.nn.softmax
        if found == "softmax" and getattr(operation, "axis", -1) not in (-1, rank - 1):
            return "softmax over another axis"
        linear = found == "linear" and isinstance(operation, keras.layers.Activation)
        if not (linear or isinstance(operation, _PASSING)):
            return found
    return None


def _stages(blocks: list[Any]) -> tuple[Stage, ...]:
    grouped: dict[int, list[Any]] = {}
    for block in blocks:
        number = re.fullmatch(r"s(\d+)_b\d+", block.name)
        if number is None:
            raise ValueError(
                f"Blocks must be named 's1_b1' and so on. Received: {block.name!r}"
            )
        grouped.setdefault(int(number[1]), []).append(block)
    return tuple(
        Stage(
            len(members),
            members[0].filters,
            members[0].strides,
            getattr(members[0], "group_width", None),
            getattr(members[0], "bottleneck_ratio", 1.0),
        )
        for members in grouped.values()
    )


def _first(layers: dict[str, Any]) -> dict[str, Any]:
    """What the first layer says of the images."""
    for layer in layers.values():
        if isinstance(layer, PixelNormalization):
            return {
                "preprocessing": layer.specification,
                "include_preprocessing": layer.applied,
            }
    return {}


def _last(model: keras.Model, layers: dict[str, Any]) -> dict[str, Any]:
    """How the network ends."""
    if "head_fc" not in layers:
        if isinstance(model.output, dict):
            return {"include_top": False, "feature_maps": True}
        pooling = next((k for k in ("avg", "max") if f"{k}_pool" in layers), None)
        return {"include_top": False, "pooling": pooling}
    activation = None
    if "predictions" in layers:
        activation = keras.activations.serialize(layers["predictions"].activation)
    dropout = layers.get("head_dropout")
    return {
        "classes": layers["head_fc"].units,
        "classifier_activation": activation,
        "dropout": dropout.rate if dropout else 0.0,
    }
