"""From a configuration to a data set that is ready to give batches."""

from keras_regnet.data.config import DataConfig, locate
from keras_regnet.data.folders import folder
from keras_regnet.data.pipeline import Data
from keras_regnet.data.problems import Problems
from keras_regnet.data.sources import Source, digits, npz, tfds
from keras_regnet.data.tfrecords import tfrecords


def load(config: DataConfig, training: bool = True) -> Data:
    """Finds a data set and checks that it can serve `config`.

    Small image folders are read through once here, and the records of TFRecords are
    counted; other images are decoded when they are first used.

    Args:
        config: The configuration.
        training: False: only `Data.validation` is needed. There may be fewer training
            images than a batch has, or none.

    Raises:
        ValueError: The data set is unknown or does not fit the configuration.
        FileNotFoundError: It is not on this disk.
        ImportError: scikit-learn or tensorflow-datasets is not installed.
    """
    source = find_source(config, training=training)
    if training and source.train.size < config.batch_size:
        raise ValueError(
            f"batch_size must be at most the {source.train.size} training images of "
            f"{config.name!r}. Received: {config.batch_size}"
        )
    for key in ("mean", "std"):
        value = getattr(config, key)
        if config.normalize and len(value) != source.channels:
            raise ValueError(
                f"{key} must have {source.channels} values, one for each channel. "
                f"Received: {value}"
            )
    if config.pca_lighting and source.channels != 3:
        raise ValueError(
            "pca_lighting is noise in red, green and blue: it must be 0 for images of "
            f"{source.channels} channel(s). Received: {config.pca_lighting}"
        )
    small = source.size is not None
    augment = config.augment
    if augment == "auto":
        enlarged = "pad_crop_flip" if config.mirrored else "pad_crop"
        augment = enlarged if small else "random_resized_crop"
    flip = config.flip
    if flip is None:
        flip = augment == "pad_crop_flip" or (
            augment == "random_resized_crop" and config.mirrored
        )
    height, width = image_size(config, source.default_size)
    if augment == "random_resized_crop" and height != width:
        raise ValueError(
            "random_resized_crop gives square images: image_size must be given for "
            f"this data set. Received: images of {height} x {width} pixels"
        )
    pad = config.pad
    if pad is None:
        pad = max(1, round((source.size[0] if small else height) / 8))
    return Data(
        config=config,
        class_names=source.class_names,
        image_shape=(height, width, source.channels),
        augment=augment,
        flip=flip,
        pad=pad,
        skipped=source.skipped,
        problems=Problems(config.strict, source.skipped),
        _source=source,
    )


def image_size(config: DataConfig, customary: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the images in the batches."""
    size = config.image_size
    return (size, size) if size else customary


def find_source(
    config: DataConfig, checked: bool = True, training: bool = True
) -> Source:
    """Reads the data set that `config.name` names.

    Args:
        config: The configuration.
        checked: False: the files of an image folder are not looked into.
        training: False: validation images are enough.
    """
    kind, root = locate(config)
    if kind == "digits":
        return digits(config)
    if kind == "folder":
        return folder(config, root, checked, training)
    if kind == "tfrecord":
        return tfrecords(config, root, training)
    if kind == "npz":
        return npz(config, root)
    return tfds(config)
