"""Preprocessing by the name of a set of weights."""

from typing import Any

from keras_regnet import preprocessing
from keras_regnet.architecture import canonical_name
from keras_regnet.weights.catalogue import find


def preprocessing_for(
    source: Any, *, model: str | None = None, normalize: bool | None = None
) -> preprocessing.Preprocessor:
    """What must be done with images for a model or for a set of weights.

        prepare = keras_regnet.preprocessing_for(model)
        model.predict(prepare("cat.jpg")[None])        # Pillow and numpy
        dataset.map(prepare.layer())                   # a Keras layer, equal pixels

    Args:
        source: A model of this package, or one that contains such a model or was cut
            out of it, also after saving and loading; or the name of a set of weights,
            see `list_weights`; or a `PreprocessingSpec`. If the model's images have a
            fixed size, the crop gets that size and the resize grows in proportion.
        model: The network by any of its names, where `source` is a mere tag or
            `"imagenet"`.
        normalize: Whether to scale and normalise; by default unless the model does so
            itself.

    Returns:
        A `Preprocessor`: call it with an image, or take its `layer()`.

    Raises:
        ValueError: There are no such weights, or the model does not know its
            preprocessing.
    """
    if isinstance(source, str):
        source = find(source, model and canonical_name(model))
    return preprocessing.preprocessing_for(source, normalize)
