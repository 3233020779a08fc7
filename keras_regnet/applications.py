"""The names and signatures of `tf.keras.applications.regnet` of Keras 2.

Who comes from there changes one import::

    from keras_regnet.applications import RegNetX002

What differs is that these networks are right: symmetric padding, the mean and standard
deviation in the preprocessing, `classifier_activation` applied. Hence `"imagenet"` are
other weights. Those of Keras 2 belong to its own graph, which is to be had too:
`keras_regnet.RegNet("RegNetX002", weights="keras_applications", padding="same",
include_preprocessing=True)`. It gave logits whatever `classifier_activation` was.
"""

from typing import Any

import keras

from keras_regnet.architecture import application_name, published_names
from keras_regnet.models import RegNet
from keras_regnet.preprocessing import decode_predictions

_DOCUMENTATION = """{name}, with the signature of Keras 2.

Args:
    model_name: Name of the model.
    include_top: Whether the model ends in the classifier.
    include_preprocessing: Whether the model takes pixels of 0 to 255 and scales and
        normalises them itself.
    weights: `"imagenet"`: the official ones, as timm publishes them, which is not the
        file of Keras 2. Also the name of another published set, see
        `keras_regnet.list_weights`, the path of a file, or None for a random
        initialisation.
    input_tensor: A Keras tensor to use as the input.
    input_shape: `(height, width, channels)`.
    pooling: Without the classifier: None, `"avg"` or `"max"`.
    classes: Number of classes.
    classifier_activation: Applied to the logits; None leaves them as they are.

Returns:
    A functional `keras.Model`.

Raises:
    ValueError: An argument is impossible.
    OSError: The download failed.
"""


def _application(variant: str) -> Any:
    """The function that builds `variant` under its name of Keras 2."""
    function_name = application_name(variant)

    def build(
        model_name: str = function_name.lower(),
        include_top: bool = True,
        include_preprocessing: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        input_shape: tuple | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: Any = "softmax",
    ) -> keras.Model:
        return RegNet(
            variant,
            name=model_name,
            include_top=include_top,
            include_preprocessing=include_preprocessing,
            weights=weights,
            input_tensor=input_tensor,
            input_shape=input_shape,
            pooling=pooling,
            classes=classes,
            classifier_activation=classifier_activation,
        )

    build.__name__ = build.__qualname__ = function_name
    build.__doc__ = _DOCUMENTATION.format(name=variant)
    return build


_APPLICATIONS = {
    application_name(name): _application(name) for name in published_names()
}
globals().update(_APPLICATIONS)

__all__ = [*_APPLICATIONS, "decode_predictions", "preprocess_input"]


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Returns `x` as it is: preprocessing is part of the models, as in Keras 2.

    Args:
        x: Images with pixels of 0 to 255.
        data_format: Accepted for the sake of the signature; does not matter.
    """
    del data_format
    return x
