"""Models that end in logits or in probabilities, and the names of what comes out."""

from typing import Any

import keras

from keras_regnet.models import output_activation

ENDINGS = ("logits", "softmax")

_LINEAR = keras.activations.linear
_SOFTMAX = keras.activations.softmax


def image_model(model: keras.Model) -> tuple[int | None, int | None, int]:
    """The size and the channels of a model's images.

    Raises:
        ValueError: It does not take one batch of images.
    """
    inputs = getattr(model, "inputs", None) or []
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].shape[-1] is None:
        raise ValueError(
            "The model must take one batch of images, (batch, height, width, "
            f"channels). Received: a model named {model.name!r} with inputs of shape "
            f"{[tuple(each.shape) for each in inputs]}"
        )
    return tuple(inputs[0].shape[1:])


def with_ending(model: keras.Model, activation: str | None) -> keras.Model:
    """The model so that it gives logits, or their softmax, whichever it gave before.

    Args:
        model: A functional model. If it ends otherwise, its layers are shared.
        activation: `"logits"`, `"softmax"`, or None for the model as it is.

    Raises:
        ValueError: It is no classifier, or ends in something else.
    """
    if activation is None:
        return model
    if activation not in ENDINGS:
        raise ValueError(
            f"`activation` must be None or one of {ENDINGS}. "
            f"Received: activation={activation!r}"
        )
    last = _last_layer(model)
    found = _activation(last)
    if activation == output_activation(model):
        return model
    wanted = _SOFTMAX if activation == "softmax" else _LINEAR
    if found is wanted:
        return model
    if found is _LINEAR and isinstance(last, keras.layers.Dense):
        output = keras.layers.Softmax(name="predictions", dtype="float32")(model.output)
    elif found is _SOFTMAX and not isinstance(last, keras.layers.Dense):
        output = last.input
    elif found is _SOFTMAX:
        dense = keras.layers.Dense.from_config(
            last.get_config() | {"activation": "linear"}
        )
        output = dense(last.input)
        dense.set_weights(last.get_weights())
    else:
        raise ValueError(
            "The model must end in a Dense layer, or a softmax after one, to give "
            f"{activation}; give activation=None for the model as it is. Received: "
            f"{model.name!r}, that ends in {getattr(last, 'name', last)!r}"
        )
    return keras.Model(model.input, output, name=model.name)


def output_names(model: keras.Model) -> dict[str, str] | str:
    """What the outputs are called outside: a name, or one for each key.

    `"logits"`; `"probabilities"` where the graph ends in a softmax or sigmoids, and
    `"scores"` where it ends in another function; `"features"` for other vectors,
    `"feature_map"`, or the keys of a dictionary.
    """
    if isinstance(model.output, dict):
        return {key: str(key) for key in model.output}
    if len(model.outputs) != 1:
        raise ValueError(
            "The model must have one output, or a dictionary of them. Received: "
            f"{model.name!r} with {len(model.outputs)} outputs"
        )
    if len(model.outputs[0].shape) == 4:
        return "feature_map"
    found = output_activation(model)
    if found in ("softmax", "sigmoid"):
        return "probabilities"
    return {None: "features", "linear": "logits"}.get(found, "scores")


def _last_layer(model: keras.Model) -> Any:
    """The layer that gives the only output; None where there is no such one."""
    if isinstance(model.output, dict) or len(model.outputs) != 1:
        return None
    for layer in reversed(model.layers):
        try:
            output = layer.output
        except AttributeError:  # never called, or called more than once
            continue
        if output is model.outputs[0]:
            return layer
    # The last layer may be a model, whose own output is another symbol.
    last = model.layers[-1]
    return _last_layer(last) if isinstance(last, keras.Model) else None


def _activation(layer: Any) -> Any:
    """The activation in which a layer ends; None for layers without any."""
    if isinstance(layer, keras.layers.Softmax):
        return _SOFTMAX
    return getattr(layer, "activation", None)
