"""Any network of the paper's design spaces as a functional Keras model."""

import os
from pathlib import Path
from typing import Any, TypedDict

import keras

from keras_regnet.architecture import AnyNetParameters, BlockParameters
from keras_regnet.layers import (
    ConvNormActivation,
    ResBasicBlock,
    VanillaBlock,
    XBlock,
    YBlock,
)
from keras_regnet.preprocessing import channel_statistics, normalization_layer

_DEFAULT_SIZE = 224


class ModelOptions(TypedDict, total=False):
    """The arguments of `AnyNet` besides the architecture; see there."""

    include_top: bool
    weights: str | os.PathLike[str] | None
    input_tensor: Any
    input_shape: tuple[int | None, int | None, int] | None
    pooling: str | None
    classes: int
    classifier_activation: Any
    dropout: float
    stochastic_depth: float
    include_preprocessing: bool
    feature_maps: bool
    output_stride: int | None
    synchronized_batch_norm: bool
    dtype: Any
    name: str


def AnyNet(
    parameters: AnyNetParameters,
    *,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, int | None, int] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    dropout: float = 0.0,
    stochastic_depth: float = 0.0,
    include_preprocessing: bool = False,
    feature_maps: bool = False,
    output_stride: int | None = None,
    synchronized_batch_norm: bool = False,
    dtype: Any = None,
    name: str = "anynet",
) -> keras.Model:
    """Builds the network that `parameters` describe.

    The model is a functional graph of `stem`, the blocks (`s1_b1`, `s1_b2`, ...) and
    the head (`avg_pool`, `head_fc`, `predictions`); the last block of a stage gives
    its feature map: `model.get_layer("s2_b3").output`.

    Args:
        parameters: Stem, stages and block kind.
        include_top: Whether the model ends in the classifier.
        weights: None for the official random initialisation, or the path of a file
            written by `model.save_weights()` (`.weights.h5`) or `model.save()`
            (`.keras`) of an equal network.
        input_tensor: A Keras tensor to use as the input.
        input_shape: `(height, width, channels)`; height and width may be None. By
            default `(224, 224, 3)` with the classifier and `(None, None, 3)` without.
        pooling: Without the classifier: None for the last feature map, `"avg"` or
            `"max"` for a vector.
        classes: Number of classes.
        classifier_activation: Applied to the logits; None leaves them as they are.
        dropout: Rate of the dropout before the classifier.
        stochastic_depth: Probability of leaving out the last block's branch; it grows
            linearly from 0 at the first.
        include_preprocessing: Whether the model itself maps pixels of 0 to 255 to
            `(pixels / 255 - mean) / std` with ImageNet's statistics (their average
            per channel where there are not three). It never resizes or crops.
        feature_maps: Without the classifier: the outputs are a dictionary of the
            stem's and each stage's feature map, keyed `"P1"` to `"P5"` by the power of
            2 of their stride. Where two have the same stride the deeper one counts.
            With `output_stride` the keys stay those of the undilated network.
        output_stride: 8, 16 or 32: the largest stride of a feature map. Further
            strides become dilations with the same weights; for X and Y blocks.
        synchronized_batch_norm: Whether batch statistics are those of all replicas of
            a `tf.distribute` strategy.
        dtype: A dtype policy or its name, for example `"mixed_bfloat16"`. The
            classifier and its activation stay in float32 in a mixed policy.
        name: Of the model.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: An argument is impossible; the message names it.
    """
    _check(include_top, pooling, classes, feature_maps, parameters, output_stride)
    policy = keras.dtype_policies.get(dtype)
    head_dtype = "float32" if policy.compute_dtype != policy.variable_dtype else policy
    inputs = _inputs(parameters, include_top, input_tensor, input_shape)

    x = inputs
    if include_preprocessing:
        x = normalization_layer(*channel_statistics(inputs.shape[-1]))(x)
    stride = parameters.stem_stride
    common = {"dtype": policy, "synchronized": synchronized_batch_norm}
    pooled = parameters.stem == "resnet"
    x = ConvNormActivation(
        parameters.stem_width,
        kernel_size=7 if pooled else 3,
        strides=stride // 2 if pooled else stride,
        name="stem",
        **common,
    )(x)
    if pooled:
        # Its input is not negative, so that zeros are as good as minus infinity.
        x = keras.layers.ZeroPadding2D(
            1, data_format="channels_last", dtype=policy, name="stem_pad"
        )(x)
        x = keras.layers.MaxPooling2D(
            3, 2, data_format="channels_last", dtype=policy, name="stem_pool"
        )(x)
    maps = {_level(stride): x}

    blocks = list(parameters.blocks())
    dilation = 1
    undilated = stride
    for index, block in enumerate(blocks):
        undilated *= block.stride
        strides = block.stride
        # A stride that becomes a dilation: the block itself still samples the grid
        # of its input, the blocks after it the coarser one.
        own_dilation = dilation
        if output_stride is not None and stride * strides > output_stride:
            dilation *= strides
            strides = 1
        stride *= strides
        x = _block(
            parameters,
            block,
            strides=strides,
            dilation_rate=own_dilation,
            stochastic_depth=stochastic_depth * index / max(1, len(blocks) - 1),
            **common,
        )(x)
        maps[_level(undilated)] = x

    if feature_maps:
        outputs: Any = maps
    elif include_top:
        x = _pool("avg", policy)(x)
        if dropout:
            x = keras.layers.Dropout(dropout, dtype=policy, name="head_dropout")(x)
        outputs = keras.layers.Dense(
            classes,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            dtype=head_dtype,
            name="head_fc",
        )(x)
        if keras.activations.get(classifier_activation) != keras.activations.linear:
            outputs = keras.layers.Activation(
                classifier_activation, dtype=head_dtype, name="predictions"
            )(outputs)
    else:
        outputs = _pool(pooling, policy)(x) if pooling else x

    if input_tensor is not None:
        inputs = keras.utils.get_source_inputs(input_tensor)
        inputs = inputs[0] if len(inputs) == 1 else inputs
    model = keras.Model(inputs, outputs, name=name)
    if weights is not None:
        _load(model, weights)
    return model


def _level(stride: int) -> str:
    """The customary name of a feature map: the power of 2 of its stride."""
    return f"P{stride.bit_length() - 1}"


def _pool(kind: str, policy: Any) -> keras.layers.Layer:
    layer = {
        "avg": keras.layers.GlobalAveragePooling2D,
        "max": keras.layers.GlobalMaxPooling2D,
    }[kind]
    return layer(data_format="channels_last", dtype=policy, name=f"{kind}_pool")


def _block(
    parameters: AnyNetParameters, block: BlockParameters, **arguments: Any
) -> keras.layers.Layer:
    arguments |= {"filters": block.width, "name": block.name}
    if parameters.block == "vanilla":
        if arguments.pop("stochastic_depth"):
            raise ValueError(
                "Blocks without a shortcut cannot be left out. Received: "
                "block='vanilla' with stochastic_depth"
            )
        return VanillaBlock(**arguments)
    arguments["projection"] = block.has_projection
    if parameters.block == "res_basic":
        return ResBasicBlock(**arguments)
    arguments["group_width"] = block.group_width
    arguments["bottleneck_ratio"] = block.width / block.bottleneck_width
    if parameters.block == "x":
        return XBlock(**arguments)
    return YBlock(squeeze_excite_ratio=parameters.squeeze_excite_ratio, **arguments)


def _check(
    include_top: bool,
    pooling: str | None,
    classes: int,
    feature_maps: bool,
    parameters: AnyNetParameters,
    output_stride: int | None,
) -> None:
    if not isinstance(parameters, AnyNetParameters):
        raise ValueError(
            "`parameters` must be AnyNetParameters; RegNet() takes names and "
            f"RegNetParameters. Received: {parameters!r}"
        )
    if pooling not in (None, "avg", "max"):
        raise ValueError(
            f"`pooling` must be None, 'avg' or 'max'. Received: pooling={pooling!r}"
        )
    if not isinstance(classes, int) or classes < 1:
        raise ValueError(
            f"`classes` must be a positive integer. Received: classes={classes!r}"
        )
    if feature_maps and (include_top or pooling):
        raise ValueError(
            "`feature_maps=True` needs `include_top=False` and no pooling. Received: "
            f"include_top={include_top}, pooling={pooling!r}"
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


def _inputs(
    parameters: AnyNetParameters,
    include_top: bool,
    input_tensor: Any,
    input_shape: tuple | None,
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
        size = _DEFAULT_SIZE if include_top else None
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


def _load(model: keras.Model, weights: str | os.PathLike[str]) -> None:
    path = Path(weights)
    if not path.is_file():
        raise ValueError(
            "`weights` must be None or the path of an existing '.weights.h5' or "
            "'.keras' file; pretrained sets are not part of this version. "
            f"Received: weights={str(weights)!r}"
        )
    if not path.name.endswith((".weights.h5", ".keras")):
        raise ValueError(
            "`weights` must be a '.weights.h5' or '.keras' file. Received: "
            f"weights={str(weights)!r}"
        )
    try:
        model.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        raise ValueError(
            f"The weights are damaged or of another network than {model.name}: "
            f"{error} Received: weights={str(weights)!r}"
        ) from error
