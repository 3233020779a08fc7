"""From a model of this package back to the state dicts of torch's libraries."""

from typing import Any

import keras
import numpy as np

from keras_regnet.architecture import checks
from keras_regnet.layers import ConvNormActivation, ResBasicBlock
from keras_regnet.optional import require
from keras_regnet.weights.scheme import Scheme
from keras_regnet.weights.timm import TIMM
from keras_regnet.weights.torchvision import TORCHVISION


def to_timm_state_dict(model: keras.Model, framework: str = "torch") -> dict[str, Any]:
    """The weights as timm's network of the same architecture takes them.

    `timm.create_model("regnety_008").load_state_dict(to_timm_state_dict(model))`. The
    values are those of the model, bit by bit. Preprocessing inside the model is not
    part of them: the torch network takes normalised images. Neither are strides and
    dilations: one with other than the usual ones needs a torch network that has them.

    Args:
        model: With X or Y blocks and symmetric padding.
        framework: `"torch"` for tensors, or `"numpy"` for arrays, which
            `safetensors.numpy.save_file` writes and which need no torch. The
            triton of a CUDA build of torch must have been imported before TensorFlow:
            afterwards it crashes (seen with torch 2.13 and TensorFlow 2.21).

    Returns:
        Values by timm's names; also its counters `num_batches_tracked`, as 0.

    Raises:
        ValueError: timm has no such network.
        ImportError: torch is not installed.
    """
    return _state_dict(model, TIMM, framework)


def to_torchvision_state_dict(
    model: keras.Model, framework: str = "torch"
) -> dict[str, Any]:
    """The weights as torchvision's network takes them; see `to_timm_state_dict`.

    torchvision's `regnet_x_400mf`, `regnet_y_800mf` and `regnet_y_8gf` are the twins,
    for example `RegNetX("regnet_x_400mf")` here.
    """
    return _state_dict(model, TORCHVISION, framework)


def _state_dict(model: keras.Model, scheme: Scheme, framework: str) -> dict[str, Any]:
    checks.one_of("framework", framework, ("torch", "numpy"))
    torch = require("torch", "torch") if framework == "torch" else None
    strange = [v.path for v in model.weights if scheme.key(v.path) is None]
    strange += [each.name for each in model.layers if _is_foreign(each)]
    if strange or not model.weights:
        raise ValueError(
            f"{scheme.name}'s RegNets have a 3x3 stem, X or Y blocks and a classifier; "
            f"what is in none of them: {', '.join(strange[:6]) or 'all'}. "
            f"Received: {model.name}"
        )
    for layer in model.layers:
        if getattr(layer, "padding", "symmetric") == "same":
            raise ValueError(
                f"{scheme.name}'s networks pad symmetrically; these weights belong to "
                f"the graph of keras.applications. Received: {model.name} with "
                f"padding='same' in {layer.name}"
            )
    state: dict[str, Any] = {}
    for variable in model.weights:
        key = scheme.key(variable.path)
        state[key] = scheme.from_keras(keras.ops.convert_to_numpy(variable))
        if key.endswith("running_var"):
            counter = key.removesuffix("running_var") + "num_batches_tracked"
            state[counter] = np.zeros((), np.int64)
    if torch is None:
        return state
    return {key: torch.from_numpy(np.array(state[key])) for key in state}


def _is_foreign(layer: keras.layers.Layer) -> bool:
    """Whether torch's RegNets have no such part though its variables have names."""
    if isinstance(layer, ConvNormActivation):
        return layer.kernel_size != 3
    return isinstance(layer, ResBasicBlock)
