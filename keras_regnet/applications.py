"""The names and signatures of `tf.keras.applications.regnet` of Keras 2.

Who comes from there changes one import::

    from keras_regnet.applications import RegNetX002

What differs is that these networks are right: symmetric padding, the mean and standard
deviation in the preprocessing, `classifier_activation` applied. Hence `"imagenet"` are
other weights. Those of Keras 2 belong to its own graph, which is to be had too:
`keras_regnet.RegNet("RegNetX002", weights="keras_applications", padding="same",
include_preprocessing=True)`. It gave logits whatever `classifier_activation` was.
"""

from typing import Any, Protocol

import keras

from keras_regnet.architecture import canonical_name
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
    classes: Number of classes. By default that of the weights, or 1000 (in Keras 2
        always 1000).
    classifier_activation: Applied to the logits; None leaves them as they are.

Returns:
    A functional `keras.Model`.

Raises:
    ValueError: An argument is impossible.
    OSError: The download failed.
"""


class _Application(Protocol):
    """The signature of all of them."""

    __name__: str

    def __call__(
        self,
        model_name: str = ...,
        include_top: bool = True,
        include_preprocessing: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        input_shape: tuple[int | None, int | None, int] | None = None,
        pooling: str | None = None,
        classes: int | None = None,
        classifier_activation: Any = "softmax",
    ) -> keras.Model:
        """Builds the network."""


def _application(function_name: str) -> _Application:
    """The function of that name of Keras 2."""
    variant = canonical_name(function_name)

    def build(
        model_name: str = function_name.lower(),
        include_top: bool = True,
        include_preprocessing: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        input_shape: tuple[int | None, int | None, int] | None = None,
        pooling: str | None = None,
        classes: int | None = None,
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


# Written out, so that editors and type checkers see them.
RegNetX002 = _application("RegNetX002")
RegNetX004 = _application("RegNetX004")
RegNetX006 = _application("RegNetX006")
RegNetX008 = _application("RegNetX008")
RegNetX016 = _application("RegNetX016")
RegNetX032 = _application("RegNetX032")
RegNetX040 = _application("RegNetX040")
RegNetX064 = _application("RegNetX064")
RegNetX080 = _application("RegNetX080")
RegNetX120 = _application("RegNetX120")
RegNetX160 = _application("RegNetX160")
RegNetX320 = _application("RegNetX320")
RegNetY002 = _application("RegNetY002")
RegNetY004 = _application("RegNetY004")
RegNetY006 = _application("RegNetY006")
RegNetY008 = _application("RegNetY008")
RegNetY016 = _application("RegNetY016")
RegNetY032 = _application("RegNetY032")
RegNetY040 = _application("RegNetY040")
RegNetY064 = _application("RegNetY064")
RegNetY080 = _application("RegNetY080")
RegNetY120 = _application("RegNetY120")
RegNetY160 = _application("RegNetY160")
RegNetY320 = _application("RegNetY320")

__all__ = [
    "RegNetX002",
    "RegNetX004",
    "RegNetX006",
    "RegNetX008",
    "RegNetX016",
    "RegNetX032",
    "RegNetX040",
    "RegNetX064",
    "RegNetX080",
    "RegNetX120",
    "RegNetX160",
    "RegNetX320",
    "RegNetY002",
    "RegNetY004",
    "RegNetY006",
    "RegNetY008",
    "RegNetY016",
    "RegNetY032",
    "RegNetY040",
    "RegNetY064",
    "RegNetY080",
    "RegNetY120",
    "RegNetY160",
    "RegNetY320",
    "decode_predictions",
    "preprocess_input",
]


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Returns `x` as it is: preprocessing is part of the models, as in Keras 2.

    Args:
        x: Images with pixels of 0 to 255.
        data_format: Accepted for the sake of the signature; does not matter.
    """
    del data_format
    return x
