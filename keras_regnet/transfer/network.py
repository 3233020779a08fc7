"""A network for another data set, with the body of a pretrained one."""

import dataclasses
from typing import Any

import keras

from keras_regnet.models import AnyNet
from keras_regnet.preprocessing import PreprocessingSpec
from keras_regnet.transfer.source import HEAD, Source
from keras_regnet.weights.channels import adapt_input_channels

_STEM = "stem/conv/kernel"
_OF_THE_TOP = ("include_top", "pooling", "feature_maps")


def new_network(
    source: Source,
    image_shape: tuple[int | None, int | None, int],
    classes: int,
    *,
    pretrained: bool = True,
    resize_size: int | None = None,
    **options: Any,
) -> keras.Model:
    """Builds the network of a source again, for other images and classes.

    It takes pixels of 0 to 255, normalises them as the source did, and gives
    probabilities. The body has the weights of the source, the classifier new random
    ones. For images with another number of channels the first convolution is adapted:
    colours to grey by their sum, grey to colours in equal shares, so that a picture
    without colours gives what it gave before.

    Args:
        source: The pretrained network.
        image_shape: (height, width, channels); None for any size.
        classes: Number of classes.
        pretrained: False: the body has random weights too.
        resize_size: The shorter side of which evaluation cuts out `image_shape`'s
            side; for the specification that the network keeps. None: that side.
        **options: Further arguments of `AnyNet` that are not to be the source's:
            `dropout`, `stochastic_depth`, `dtype`, `synchronized_batch_norm`, `name`.

    Returns:
        A `keras.Model`.

    Raises:
        ValueError: The images do not fit the network.
    """
    channels = image_shape[-1]
    own = source.image_shape[-1]
    if channels != own and own not in (1, 3):
        raise ValueError(
            f"{source.origin} is for images of {own} channels; only networks for 1 or "
            "3 can be adapted to another number. Received: images of "
            f"{channels} channels"
        )
    arguments = dict(source.arguments)
    for name in _OF_THE_TOP:
        arguments.pop(name, None)
    specification = arguments.pop("preprocessing", None)
    if specification is not None:
        specification = _resized(
            specification.for_channels(channels), image_shape, resize_size
        )
    network = AnyNet(
        source.parameters,
        **arguments
        | {
            "input_shape": image_shape,
            "classes": classes,
            "classifier_activation": "softmax",
            "include_preprocessing": True,
            "preprocessing": specification,
        }
        | options,
    )
    if pretrained:
        _fill(network, source, channels)
    return network


def _resized(
    specification: PreprocessingSpec,
    image_shape: tuple[int | None, int | None, int],
    resize_size: int | None,
) -> PreprocessingSpec:
    height, width, _ = image_shape
    if height is None or height != width:
        return specification
    return dataclasses.replace(
        specification, image_size=height, resize_size=resize_size or height
    )


def _fill(network: keras.Model, source: Source, channels: int) -> None:
    """Copies the body's weights by path; all of them, and no other."""
    left = source.body
    for variable in network.weights:
        if variable.path.split("/")[0] == HEAD:
            continue
        found = left.pop(variable.path, None)
        value = None if found is None else found.numpy()
        if value is not None and variable.path == _STEM:
            value = adapt_input_channels(value, channels)
        if value is None or value.shape != tuple(variable.shape):
            raise ValueError(
                f"{source.origin} must have weights of shape {tuple(variable.shape)} "
                f"for {variable.path}. Received: "
                + ("none" if value is None else f"shape {value.shape}")
            )
        variable.assign(value)
    if left:
        raise ValueError(
            f"{source.origin} has weights for which the new network has no place. "
            f"Received: {sorted(left)[:5]}"
        )
