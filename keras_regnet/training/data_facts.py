"""How large a data set is, without opening it where its sizes are known."""

import dataclasses
from types import MappingProxyType

from keras_regnet.data import DataConfig, load


@dataclasses.dataclass(frozen=True)
class DataFacts:
    """What a dry run wants to know about a data set.

    Attributes:
        train_size: Number of training images.
        validation_size: Number of images to judge by.
        classes: Number of classes.
        image_shape: (height, width, channels) of training images.
    """

    train_size: int
    validation_size: int
    classes: int
    image_shape: tuple[int, int, int]


# What TFDS only knows of a data set that is prepared: (training, validation, classes).
_IMAGENET = (1_281_167, 50_000, 1000)
_LARGE = MappingProxyType({"imagenet2012": _IMAGENET})


def describe_data(config: DataConfig) -> DataFacts:
    """The sizes of a data set; of ImageNet also where it is not there.

    Raises:
        FileNotFoundError: The data are not there, and their sizes not known.
        ValueError: There is no such data set.
    """
    try:
        data = load(dataclasses.replace(config, download=False))
    except FileNotFoundError:
        known = _LARGE.get(config.name.partition("/")[0].partition(":")[0])
        if known is None:
            raise
        size = config.image_size or 224
        return DataFacts(*known, image_shape=(size, size, 3))
    return DataFacts(
        data.train_size, data.validation_size, data.num_classes, data.image_shape
    )
