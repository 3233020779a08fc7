"""Batch normalisations folded into their convolutions, for inference."""

from typing import Any

import keras
import numpy as np

from keras_regnet.layers import ConvNormActivation
from keras_regnet.layers.composite import CompositeLayer
from keras_regnet.publishing.copying import copy_model, float32, refill, remake


def fuse(model: keras.Model, *, dtype: str | None = None) -> keras.Model:
    """Folds every BatchNormalization into the convolution before it.

    The result is for inference: it computes what `model` computes with
    `training=False`, to the rounding of its dtype, with fewer operations. It has no
    statistics that could learn, and nothing in it is trainable: fine-tune the model
    itself, then fuse. The result is a Keras model like any other, that can be called,
    saved, loaded and exported. The model stays as it is and shares nothing with it.

    Args:
        model: A built functional or sequential model: one of this package's networks,
            a part of one, or one that contains such networks.
        dtype: `"float32"` for a result that computes in float32 throughout; None for
            the dtype policies of `model`.

    Returns:
        A model of the same inputs, outputs and names, not compiled.

    Raises:
        ValueError: The model is not built, or not functional, or has a
            BatchNormalization that is not this package's convolution unit's.
    """
    if dtype not in (None, "float32"):
        raise ValueError(
            f"`dtype` must be None or 'float32'. Received: dtype={dtype!r}"
        )

    def make(layer: Any, config: dict[str, Any]) -> Any:
        if isinstance(layer, CompositeLayer) and "fused" in config:
            config = config | {"fused": True}
        elif _is_normalized(layer):
            raise ValueError(
                "A BatchNormalization can be folded only where it belongs to a "
                "convolution unit of this package. Received: a model with the layer "
                f"{layer.name!r} of type {type(layer).__name__}"
            )
        return remake(layer, float32(config) if dtype else config)

    fused = copy_model(model, make, _fill)
    fused.trainable = False
    return fused


def _is_normalized(layer: Any) -> bool:
    """Whether the layer is a batch normalisation or, by its variables, has one."""
    return isinstance(layer, keras.layers.BatchNormalization) or any(
        variable.name == "moving_variance"
        for variable in getattr(layer, "non_trainable_variables", ())
    )


def _fill(old: Any, new: Any) -> None:
    if isinstance(old, ConvNormActivation) and not old.fused:
        new.conv.set_weights(_folded(old))
    elif isinstance(old, CompositeLayer):
        for old_child, new_child in zip(old.layers, new.layers, strict=True):
            _fill(old_child, new_child)
    else:
        refill(old, new)


def _folded(unit: ConvNormActivation) -> list[np.ndarray]:
    """Kernel and bias of a unit's convolution with its batch normalisation inside.

    Computed in float64: the differences that remain are those of the sums.
    """
    norm = unit.bn
    gamma, beta, mean, variance = (
        keras.ops.convert_to_numpy(variable).astype(np.float64)
        for variable in (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
    )
    scale = gamma / np.sqrt(variance + norm.epsilon)
    kernel = keras.ops.convert_to_numpy(unit.conv.kernel).astype(np.float64)
    return [kernel * scale, beta - mean * scale]
