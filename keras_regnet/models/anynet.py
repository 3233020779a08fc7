"""Any network of the paper's design spaces as a functional Keras model."""

import os
from typing import Any

import keras

from keras_regnet.architecture import AnyNetParameters, BlockParameters
from keras_regnet.layers import (
    ConvNormActivation,
    ResBasicBlock,
    VanillaBlock,
    XBlock,
    YBlock,
)
from keras_regnet.models.arguments import check, model_inputs, specification_for
from keras_regnet.models.pretrained import prepare
from keras_regnet.preprocessing import PixelNormalization, PreprocessingSpec
from keras_regnet.weights import Weights, fill


def AnyNet(
    parameters: AnyNetParameters,
    *,
    include_top: bool = True,
    weights: str | os.PathLike[str] | Weights | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, int | None, int] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: Any = "softmax",
    dropout: float = 0.0,
    stochastic_depth: float = 0.0,
    include_preprocessing: bool = False,
    preprocessing: PreprocessingSpec | None = None,
    accept_license: bool = False,
    adapt_input_channels: bool = False,
    padding: str = "symmetric",
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
        weights: None for the official random initialisation; the name of a published
            set, see `keras_regnet.list_weights`; the path of a file: of torch's
            libraries (`.safetensors`, `.pth`, `.pyth`), of keras.applications (`.h5`),
            or written by `model.save_weights()` (`.weights.h5`) or `model.save()`
            (`.keras`) of an equal network; or what `keras_regnet.weights.read`
            returned. The classifier keeps its random initialisation, with a warning,
            where `classes` is another number than that of the weights.
        input_tensor: A Keras tensor to use as the input.
        input_shape: `(height, width, channels)`; height and width may be None. By
            default `(224, 224, 3)` with the classifier and `(None, None, 3)` without.
        pooling: Without the classifier: None for the last feature map, `"avg"` or
            `"max"` for a vector.
        classes: Number of classes. By default that of the weights' classifier, or 1000.
        classifier_activation: Applied to the logits; None leaves them as they are.
        dropout: Rate of the dropout before the classifier.
        stochastic_depth: Probability of leaving out the last block's branch; it grows
            linearly from 0 at the first.
        include_preprocessing: Whether the model itself maps pixels of 0 to 255 to
            `(pixels / 255 - mean) / std`. It never resizes or crops.
        preprocessing: What the network is to expect of its images. By default what
            belongs to the weights, otherwise ImageNet's statistics; averages where
            there are not three channels. The model keeps it, also where
            `include_preprocessing` is False: see `keras_regnet.preprocessing_for`.
        accept_license: Needed for published weights whose licence is not permissive.
        adapt_input_channels: Whether weights for three channels may be made ones for
            those of `input_shape`: the sum over the colours for one channel, otherwise
            colours repeated and scaled, as timm does it.
        padding: `"symmetric"`, the official one, or `"same"`: the graph of
            keras.applications, for its weights alone.
        feature_maps: Without the classifier: the outputs are a dictionary of the
            stem's and each stage's feature map, keyed by their stride: `"P3"` for 8,
            the third power of 2, and `"stride6"` where it is no such power. Where two
            have the same stride the deeper one counts; with `output_stride` these are
            the last ones.
        output_stride: 8, 16 or 32: the largest stride of a feature map. The first
            stride beyond it, and all after that, become dilations with the same
            weights; for X and Y blocks.
        synchronized_batch_norm: Whether batch statistics are those of all replicas of
            a `tf.distribute` strategy.
        dtype: A dtype policy or its name, for example `"mixed_bfloat16"`. The
            classifier and its activation stay in float32 in a mixed policy.
        name: Of the model.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: An argument is impossible, or the weights are damaged or of
            another network; the message names it.
        ImportError: The package that reads the weights' file is not installed.
        OSError: The download of published weights failed.
    """
    check(
        parameters,
        include_top,
        pooling,
        classes,
        feature_maps,
        output_stride,
        padding,
        preprocessing,
    )
    policy = keras.dtype_policies.get(dtype)
    head_dtype = "float32" if policy.compute_dtype != policy.variable_dtype else policy
    weights, _ = prepare(weights, parameters, False, accept_license, padding)
    if classes is None:
        classes = (weights.classes if weights else 0) or 1000
    of_weights = preprocessing or (weights and weights.preprocessing)
    size = of_weights.image_size if of_weights else 224
    inputs = model_inputs(parameters, include_top, input_tensor, input_shape, size)

    x = inputs
    if include_preprocessing or of_weights:
        specification = of_weights or specification_for(inputs.shape)
        x = PixelNormalization(
            specification.for_channels(inputs.shape[-1]), applied=include_preprocessing
        )(x)
    stride = parameters.stem_stride
    common = {
        "dtype": policy,
        "synchronized": synchronized_batch_norm,
        "padding": padding,
    }
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
    for index, block in enumerate(blocks):
        strides = block.stride
        # A stride that becomes a dilation: the block itself still samples the grid
        # of its input, the blocks after it the coarser one.
        own_dilation = dilation
        too_large = output_stride is not None and stride * strides > output_stride
        if too_large or dilation > 1:  # no convolution has both
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
        maps[_level(stride)] = x

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
        fill(model, weights, adapt_input_channels=adapt_input_channels)
    return model


def _level(stride: int) -> str:
    """The name of a feature map: the usual one where its stride is a power of 2."""
    power = stride.bit_length() - 1
    return f"P{power}" if stride == 2**power else f"stride{stride}"


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
