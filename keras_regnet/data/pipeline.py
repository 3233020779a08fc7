"""From a configuration to the batches of an epoch, with tf.data."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_regnet.data import transforms
from keras_regnet.data.augmentation import CROPS, Augmentation
from keras_regnet.data.config import DataConfig
from keras_regnet.data.folders import folder
from keras_regnet.data.mixing import batch_and_mix
from keras_regnet.data.sources import Source, digits, tfds
from keras_regnet.data.splits import ArraySplit, FileSplit

_ORDER, _AUGMENTATION = 0, 1  # what the two random streams of an epoch are for


@dataclass(frozen=True)
class Data:
    """A data set that gives the batches of any epoch.

    Attributes:
        config: What it was loaded with.
        class_names: One for each label, in the labels' order.
        image_shape: (height, width, channels) of the images in training batches.
        augment: What is done to training images: `config.augment`, with `"auto"`
            resolved.
        flip: Whether training images are mirrored at random.
        pad: Pixels of padding of a pad-crop.
        skipped: Files that were left out because they cannot be decoded.
    """

    config: DataConfig
    class_names: tuple[str, ...] = field(repr=False)
    image_shape: tuple[int, int, int]
    augment: str
    flip: bool
    pad: int
    skipped: tuple[str, ...] = field(repr=False)
    _source: Source = field(repr=False)

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def evaluation_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images in validation batches."""
        size = self.config.evaluation_size
        return (size, size, self.image_shape[-1]) if size else self.image_shape

    @property
    def train_size(self) -> int:
        """The number of training images."""
        return self._source.train.size

    @property
    def validation_size(self) -> int:
        """The number of validation images."""
        return self._source.validation.size

    @property
    def centre_cropped(self) -> bool:
        """Whether evaluation sees the middle of each image, or all of it, resized.

        The middle where images have different sizes; its share of the shorter side is
        `config.crop_fraction`.
        """
        return self._source.size is None

    @property
    def steps_per_epoch(self) -> int:
        """Training batches per epoch; an incomplete last one is left out."""
        return self.train_size // self.config.batch_size

    def skipped_images(self) -> int:
        """How many files were left out because they cannot be decoded."""
        return len(self.skipped)

    def train(self, epoch: int, start_step: int = 0) -> tf.data.Dataset:
        """The training batches of an epoch.

        They depend on the configuration and `epoch` alone: not on the epochs before,
        on timing, or on the number of cores. The seed of a batch's (or, for large
        images, an image's) augmentation comes from its place in the epoch.

        Args:
            epoch: From 0 on.
            start_step: Leaves out so many batches at the beginning, without working
                for them; the rest is as it would have been.

        Returns:
            Batches of images, float32 `(batch_size, height, width, channels)`, and
            labels, int32 `(batch_size,)`, or where images are mixed the shares of the
            classes, float32 `(batch_size, classes)`; `steps_per_epoch - start_step`
            of them.

        Raises:
            ValueError: `epoch` or `start_step` is out of range.
        """
        steps = self.steps_per_epoch
        if epoch < 0 or not 0 <= start_step <= steps:
            raise ValueError(
                f"Expected epoch >= 0 and 0 <= start_step <= {steps}. "
                f"Received: epoch={epoch}, start_step={start_step}"
            )
        size = self.config.batch_size
        order = (self.config.seed, epoch, _ORDER)
        words = np.random.SeedSequence((self.config.seed, epoch, _AUGMENTATION))
        seed = words.generate_state(2).view(np.int32)
        split = self._source.train
        repeats = self.config.repeated_augmentation
        if isinstance(split, ArraySplit):
            dataset = split.batches(order, size, start_step, steps, repeats)
        else:
            begin = start_step * size
            dataset = split.encoded(order, begin, steps * size, repeats)
            dataset = dataset.enumerate(begin).map(
                lambda index, example: (
                    self._decode_train(example[0], transforms.fold(seed, index)),
                    example[1],
                ),
                num_parallel_calls=tf.data.AUTOTUNE,
            )
            if self._source.size is not None:
                dataset = dataset.batch(size, drop_remainder=True)
        if self._source.size is not None:
            dataset = dataset.enumerate(start_step).map(
                lambda step, batch: (
                    self._augmentation(
                        tf.ensure_shape(batch[0], (size, *batch[0].shape[1:])),
                        transforms.fold(~seed, step),
                    ),
                    tf.ensure_shape(batch[1], (size,)),
                ),
                num_parallel_calls=tf.data.AUTOTUNE,
            )
        return _finish(
            batch_and_mix(dataset, self.config, self.num_classes, ~seed, start_step)
        )

    def validation(self) -> tf.data.Dataset:
        """Every validation image once, in a fixed order; the last batch may be short.

        Returns:
            Batches of float32 images and int32 labels, as `train` gives.
        """
        size = self.config.batch_size
        split = self._source.validation
        if isinstance(split, ArraySplit):
            dataset = split.batches(None, size, 0, -(-split.size // size))
        else:
            dataset = (
                split.encoded(None, 0, split.size)
                .map(
                    lambda encoded, label: (
                        self._decode_whole(encoded, self.evaluation_shape[0]),
                        label,
                    ),
                    num_parallel_calls=tf.data.AUTOTUNE,
                )
                .batch(size)
            )
        dataset = dataset.map(
            lambda images, labels: (self._complete(images), labels),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        return _finish(dataset)

    def validation_names(self) -> tuple[str, ...] | None:
        """The files of the validation images, in the order of `validation`.

        None where the images are not files of their own.
        """
        split = self._source.validation
        return split.paths if isinstance(split, FileSplit) else None

    @property
    def _augmentation(self) -> Augmentation:
        return Augmentation(
            self.config,
            self.augment,
            self.flip,
            self.pad,
            self.image_shape,
            self._source.size is not None,
        )

    def _decode_train(self, encoded: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """One encoded image to the size that all images of a batch share.

        Where they are stored at many sizes, they are augmented here, each by itself: a
        batch of large ones would leave the processor's cache at every operation.
        """
        if self._source.size is not None:
            return self._decode_whole(encoded, self.image_shape[0])
        if self.augment == "random_resized_crop":
            image = transforms.decode_random_crop(
                encoded,
                transforms.stream(seed, CROPS),
                self.image_shape[0],
                self.config.crop_area,
                self.config.crop_aspect,
                self._source.channels,
            )
        else:
            image = self._decode_whole(encoded, self.image_shape[0])
        image = tf.ensure_shape(image, self.image_shape)
        return self._augmentation(image[None], seed)[0]

    def _decode_whole(self, encoded: tf.Tensor, size: int) -> tf.Tensor:
        """One encoded image, whole where all have one size, else its middle."""
        channels = self._source.channels
        if self._source.size is None:
            return transforms.decode_centre_crop(
                encoded, size, self.config.crop_fraction, channels
            )
        image = transforms.decode(encoded, channels)
        return tf.ensure_shape(image, (*self._source.size, channels))

    def _complete(self, images: tf.Tensor) -> tf.Tensor:
        """Resizes a validation batch to its size, and normalises it where asked to."""
        images = transforms.resize(images, *self.evaluation_shape[:2])
        if self.config.normalize:
            images = transforms.normalize(images, self.config.mean, self.config.std)
        return tf.ensure_shape(images, (None, *self.evaluation_shape))


def load(config: DataConfig) -> Data:
    """Finds a data set and checks that it can serve `config`.

    Image folders are read through once here; the images of TFDS data are decoded when
    they are first used.

    Raises:
        ValueError: The data set is unknown or does not fit the configuration.
        FileNotFoundError: It is not on this disk.
        ImportError: scikit-learn or tensorflow-datasets is not installed.
    """
    source = _source(config)
    if source.train.size < config.batch_size:
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
    size = config.image_size
    height, width = (size, size) if size else source.default_size
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
        _source=source,
    )


def _source(config: DataConfig) -> Source:
    """Reads `config.name`: the embedded set, a folder, or else a TFDS name."""
    kind, _, path = config.name.partition(":")
    if config.name == "digits":
        return digits(config)
    if kind == "folder":
        root = path or config.data_dir
        if not root:
            raise ValueError(
                'An image folder needs its path: "folder:/path", or "folder" and '
                f"data_dir. Received: name={config.name!r}, data_dir=None"
            )
        return folder(config, Path(root).expanduser())
    # A slash alone may be TFDS's ("imagenet_resized/32x32"); a bare word is a name.
    if config.name.startswith(("/", "./", "../", "~")) or (
        "/" in config.name and Path(config.name).is_dir()
    ):
        return folder(config, Path(config.name).expanduser())
    return tfds(config)


def _finish(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Fixes the order and how several workers share it, and prefetches.

    Without autotuning: a map then works on all cores, which is as fast (measured with
    JPEGs and with arrays). The autotuner's thread looks for the end of an epoch at
    doubling intervals of up to a minute, and the one who waits is the next epoch.
    """
    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = False
    policy = tf.data.experimental.AutoShardPolicy.DATA
    options.experimental_distribute.auto_shard_policy = policy
    return dataset.with_options(options).prefetch(tf.data.AUTOTUNE)
