"""The arguments that all networks share, and their checks."""

import os
from typing import Any, TypedDict

import keras

from keras_regnet.architecture import AnyNetParameters
from keras_regnet.preprocessing import PreprocessingSpec
from keras_regnet.weights import Weights


class ModelOptions(TypedDict, total=False):
    """The arguments of `AnyNet` besides the architecture; see there."""

    include_top: bool
    weights: str | os.PathLike[str] | Weights | None
    input_tensor: Any
    input_shape: tuple[int | None, int | None, int] | None
    pooling: str | None
    classes: int | None
    classifier_activation: Any
    dropout: float
    stochastic_depth: float
    include_preprocessing: bool
    preprocessing: PreprocessingSpec | None
    accept_license: bool
    adapt_input_channels: bool
    padding: str
    feature_maps: bool
    output_stride: int | None
    synchronized_batch_norm: bool
    dtype: Any
    name: str


def check(
    parameters: AnyNetParameters,
    include_top: bool,
    pooling: str | None,
    classes: int | None,
    feature_maps: bool,
    output_stride: int | None,
    padding: str,
    preprocessing: PreprocessingSpec | None,
) -> None:
    """Checks the arguments that do not check themselves.

    Raises:
        ValueError: One is impossible; the message names it.
    """
    if not isinstance(parameters, AnyNetParameters):
        raise ValueError(
            "`parameters` must be AnyNetParameters; RegNet() takes names and "
            f"RegNetParameters. Received: {parameters!r}"
        )
    if pooling not in (None, "avg", "max"):
        raise ValueError(
            f"`pooling` must be None, 'avg' or 'max'. Received: pooling={pooling!r}"
        )
    if classes is not None and (not isinstance(classes, int) or classes < 1):
        raise ValueError(
            f"`classes` must be a positive integer. Received: classes={classes!r}"
        )
    if feature_maps and (include_top or pooling):
        raise ValueError(
            "`feature_maps=True` needs `include_top=False` and no pooling. Received: "
            f"include_top={include_top}, pooling={pooling!r}"
        )
    if not isinstance(preprocessing, PreprocessingSpec | None):
        raise ValueError(
            "`preprocessing` must be a keras_regnet.preprocessing.PreprocessingSpec. "
            f"Received: preprocessing={preprocessing!r}"
        )
    if padding not in ("symmetric", "same"):
        raise ValueError(
            "`padding` must be 'symmetric', or 'same' for the graph of "
            f"keras.applications. Received: padding={padding!r}"
        )
    if output_stride is None:
        return
    if output_stride not in (8, 16, 32):
        raise ValueError(
            "`output_stride` must be None, 8, 16 or 32. Received: "
            f"output_stride={output_stride!r}"
        )
    if parameters.block not in ("x", "y"):
        raise ValueError(
            "`output_stride` is for X and Y blocks. Received: "
            f"output_stride={output_stride}, block={parameters.block!r}"
        )


def model_inputs(
    parameters: AnyNetParameters,
    include_top: bool,
    input_tensor: Any,
    input_shape: tuple | None,
    default_size: int,
) -> Any:
    """The model's input, checked against what the network needs."""
    if input_tensor is not None:
        if input_shape is not None and tuple(input_tensor.shape[1:]) != tuple(
            input_shape
        ):
            raise ValueError(
                "`input_shape` must agree with `input_tensor`, or be left out. "
                f"Received: input_shape={input_shape}, input_tensor of shape "
                f"{tuple(input_tensor.shape)}"
            )
        input_shape = tuple(input_tensor.shape[1:])
    elif input_shape is None:
        size = default_size if include_top else None
        input_shape = (size, size, 3)
    smallest = parameters.total_stride
    if (
        len(input_shape) != 3
        or not input_shape[2]
        or any(size is not None and size < smallest for size in input_shape[:2])
    ):
        raise ValueError(
            f"`input_shape` must be (height, width, channels), channels last, with at "
            f"least {smallest} pixels along height and width for this network, whose "
            f"strides multiply to {smallest} (a stem of kind 'small' halves that). "
            f"Received: input_shape={input_shape}"
        )
    if input_tensor is not None:
        return input_tensor
    return keras.Input(shape=tuple(input_shape))


def specification_for(shape: tuple[int | None, ...]) -> PreprocessingSpec:
    """ImageNet's statistics, and the official share of the middle: 224 of 256 pixels.

    Args:
        shape: Of the input, `(batch, height, width, channels)`; a square one's side is
            the size, otherwise 224.
    """
    _, height, width, _ = shape
    side = height if height and height == width else 224
    return PreprocessingSpec(side, round(side * 256 / 224))
