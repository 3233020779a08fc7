"""Copies of models, layer by layer, where a layer may be copied as another one."""

from collections.abc import Callable
from typing import Any

import keras

from keras_regnet.layers import GroupedConv2D
from keras_regnet.layers.composite import all_layers


def copy_model(
    model: keras.Model,
    make: Callable[[Any, dict[str, Any]], Any],
    fill: Callable[[Any, Any], None],
) -> keras.Model:
    """A model of the same graph with new layers, also in the models inside it.

    Args:
        model: A built functional or sequential model. It stays as it is.
        make: Gets each layer (or other operation of the graph) and its configuration,
            and gives its copy, without weights.
        fill: Gets each layer and its copy, to fill the copy's weights from the layer's.

    Returns:
        The copy. Inputs, outputs and names are the model's; it is not compiled.

    Raises:
        ValueError: The model is not built, or its graph is not known.
    """
    copies: dict[int, tuple[Any, Any]] = {}

    def copy(layer: Any) -> Any:
        # A layer that is used twice, or in two models, stays one.
        if id(layer) not in copies:
            if isinstance(layer, keras.Model):
                copies[id(layer)] = layer, clone(layer)
            else:
                copies[id(layer)] = layer, make(layer, layer.get_config())
        return copies[id(layer)][1]

    def clone(part: keras.Model) -> keras.Model:
        part = functional(part)
        names = {
            id(layer.output): layer.name
            for layer in part.layers
            if isinstance(layer, keras.layers.InputLayer)
        }
        inputs = keras.tree.map_structure(
            lambda each: keras.Input(
                batch_shape=each.shape, dtype=each.dtype, name=names[id(each)]
            ),
            part.input,
        )
        return keras.models.clone_model(part, inputs, clone_function=copy)

    result = clone(model)
    for old, new in copies.values():
        if isinstance(old, keras.layers.Layer) and not isinstance(old, keras.Model):
            fill(old, new)
    return result


def functional(model: keras.Model) -> keras.Model:
    """The same graph of the same layers as a functional model, not compiled.

    Losses and optimizers, which need not be serializable, stay behind.

    Raises:
        ValueError: The model is not built, or its graph is not known.
    """
    if not isinstance(model, keras.Model):
        raise ValueError(f"`model` must be a Keras model. Received: model={model!r}")
    try:
        if isinstance(model, keras.Sequential):
            return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
        return keras.Model(model.input, model.output, name=model.name)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            "The model must be a built functional or sequential one, since the graph "
            f"of others is not known. Received: a model named {model.name!r} of type "
            f"{type(model).__name__}"
        ) from error


def remake(layer: Any, config: dict[str, Any]) -> Any:
    """A new layer of the same class."""
    return type(layer).from_config(config)


def refill(old: Any, new: Any) -> None:
    """Gives a copy the weights of its original."""
    new.set_weights(old.get_weights())


def in_float32(model: keras.Model) -> keras.Model:
    """The model itself if all of it computes in float32, otherwise a copy that does.

    Args:
        model: A built functional or sequential model.
    """
    if all(
        layer.dtype_policy.name == "float32"
        for layer in all_layers(model)
        if not isinstance(layer, keras.Model)
    ):
        return model
    return copy_model(model, lambda old, config: remake(old, float32(config)), refill)


def float32(config: dict[str, Any]) -> dict[str, Any]:
    """A layer's configuration with the policy float32."""
    return config | {"dtype": "float32"} if "dtype" in config else config


def set_form(model: keras.Model, form: str) -> None:
    """Chooses the kernel of a model's grouped convolutions for the next tracing.

    Args:
        model: One with this package's layers, also in models inside it.
        form: See `GroupedConv2D.form`.
    """
    for layer in all_layers(model):
        if isinstance(layer, GroupedConv2D):
            layer.form = form
