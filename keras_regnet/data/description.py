"""What a data set is like, as far as it can be said without its images."""

from dataclasses import dataclass, field

from keras_regnet.data import arrays, folders, sources, tfrecords
from keras_regnet.data.config import DataConfig
from keras_regnet.data.loading import find_source, image_size, locate

# Training and validation images of sets of which TFDS has no numbers before they are
# prepared.
_CUSTOMARY = {
    "cifar10": {"train": 50_000, "test": 10_000},
    "cifar100": {"train": 50_000, "test": 10_000},
    "fashion_mnist": {"train": 60_000, "test": 10_000},
    "imagenet2012": {"train": 1_281_167, "validation": 50_000},
    "imagenet_resized": {"train": 1_281_167, "validation": 50_000},
    "mnist": {"train": 60_000, "test": 10_000},
}


@dataclass(frozen=True)
class DataDescription:
    """The numbers of a data set.

    Attributes:
        config: What was described.
        train_size: Training images. (Damaged files of an image folder count here.)
        validation_size: Validation images.
        image_shape: (height, width, channels) of the images in the batches.
        class_names: One for each label, in the labels' order.
        prepared: Whether the images are on this disk.
    """

    config: DataConfig
    train_size: int
    validation_size: int
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...] = field(repr=False)
    prepared: bool

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def steps_per_epoch(self) -> int:
        """Training batches per epoch; an incomplete last one is left out."""
        return self.train_size // self.config.batch_size


def describe(config: DataConfig) -> DataDescription:
    """Finds the numbers of a data set, where it is a TFDS one without its images.

    Nothing is downloaded, whatever `config.download` says.

    Raises:
        ValueError: The data set is unknown or does not fit.
        FileNotFoundError: It is not on this disk, and its numbers are not known.
    """
    if locate(config)[0] != "tfds":
        source = find_source(config, checked=False)
        return DataDescription(
            config,
            source.train.size,
            source.validation.size,
            (*image_size(config, source.default_size), source.channels),
            source.class_names,
            True,
        )
    builder = sources.find_builder(config)
    image, label = sources.features(builder)
    sizes = {name: part.num_examples for name, part in builder.info.splits.items()}
    if not sizes:
        sizes = _CUSTOMARY.get(builder.name)
    if not sizes:
        raise FileNotFoundError(
            f"How many images {config.name!r} has is only known once it is prepared, "
            "and nothing is downloaded to describe it. "
            f"{sources.how_to_prepare(config, builder)}. "
            f"Received: name={config.name!r}, data_dir={config.data_dir!r}"
        )
    (train, train_size), (judged, judged_size) = sources.parts(config, sizes)
    if train == judged and builder.is_prepared():
        judged_size = int(sources.held_out_records(builder, config).sum())
        train_size = sizes[train] - judged_size
    size = image_size(config, sources.small_size(image) or (224, 224))
    return DataDescription(
        config,
        train_size,
        judged_size,
        (*size, image.shape[-1]),
        tuple(label.names),
        builder.is_prepared(),
    )


def has_own_validation(config: DataConfig) -> bool:
    """Whether a data set has a part of its own to evaluate on, as far as is known.

    False, too, where it is not here: others say so.
    """
    try:
        kind, root = locate(config)
        if kind in ("folder", "tfrecord"):
            room = {"folder": folders, "tfrecord": tfrecords}[kind]
            return room.has_own_validation(root)
        if kind == "npz":
            return arrays.has_own_validation(root)
        if kind == "tfds":
            builder = sources.find_builder(config)
            parts = builder.info.splits or _CUSTOMARY.get(builder.name, {})
            return not {"validation", "test"}.isdisjoint(parts)
    except (ValueError, ImportError, OSError):
        pass
    return False
