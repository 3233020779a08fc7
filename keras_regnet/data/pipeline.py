"""From a configuration to the batches of an epoch, with tf.data."""

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import tensorflow as tf

from keras_regnet.data import guard, transforms
from keras_regnet.data.augmentation import Augmentation
from keras_regnet.data.config import DataConfig
from keras_regnet.data.decoding import Decoder
from keras_regnet.data.image_reader import ImageReader
from keras_regnet.data.mixing import mixer
from keras_regnet.data.portions import Portion
from keras_regnet.data.problems import Problems
from keras_regnet.data.rows import RowFunction, unconverted
from keras_regnet.data.service import in_order
from keras_regnet.data.sources import Source
from keras_regnet.data.splits import ArraySplit, FileSplit, Split

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
        skipped: Files that were left out: they cannot be decoded, or are no pictures.
        problems: Names and number of what could not be read so far, `skipped` and what
            was met in an epoch.
        reader: What is done with validation images, where a network says it. None: what
            the configuration says.
    """

    config: DataConfig
    class_names: tuple[str, ...] = field(repr=False)
    image_shape: tuple[int, int, int]
    augment: str
    flip: bool
    pad: int
    skipped: tuple[str, ...] = field(repr=False)
    problems: Problems = field(repr=False, compare=False)
    _source: Source = field(repr=False)
    reader: ImageReader | None = None

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def evaluation_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images in validation batches."""
        if self.reader is not None:
            return (self.reader.height, self.reader.width, self.image_shape[-1])
        size = self.config.evaluation_size
        return (size, size, self.image_shape[-1]) if size else self.image_shape

    @property
    def batch_size(self) -> int:
        """Images of a batch, over all workers."""
        return self.config.batch_size

    @property
    def served(self) -> bool:
        """Whether other machines make the training batches."""
        return self.config.data_service is not None

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
    def hold_out(self) -> str | None:
        """By what rule records were held out to evaluate on; None where none were."""
        return self._source.hold_out

    @property
    def steps_per_epoch(self) -> int:
        """Training batches per epoch; an incomplete last one is left out."""
        return self.train_size // self.config.batch_size

    def skipped_images(self) -> int:
        """How many files were left out: undecodable ones, and those of other kinds."""
        return len(self.skipped)

    def class_counts(self) -> tuple[int, ...]:
        """How many training images each class has.

        Streamed records are read through once for it, without decoding the images.
        """
        labels = self._source.train.all_labels()
        return tuple(np.bincount(labels, minlength=self.num_classes).tolist())

    def train(
        self, epoch: int, start_step: int = 0, shard: tuple[int, int] = (0, 1)
    ) -> tf.data.Dataset:
        """The training batches of an epoch.

        They depend on the configuration and `epoch` alone: not on the epochs before,
        on timing, or on the number of cores. The seed of a batch's (or, for large
        images, an image's) augmentation comes from its place in the epoch.

        An image that cannot be used gives its place to the nearest good one before it
        in the batch, and is told to `problems`.

        Args:
            epoch: From 0 on.
            start_step: Leaves out so many batches at the beginning, without working
                for them (streamed records are read but not decoded); the rest is as it
                would have been.
            shard: (index, count) of a worker. Of images in memory or in files of their
                own it gets the rows index * b to (index + 1) * b of each batch, where
                b is `batch_size / count`: together the workers have the batches that
                one would have. Of streamed records each worker reads its own part, so
                that the order also depends on their count.

        Returns:
            Batches of images, float32 `(b, height, width, channels)`, and labels,
            int32 `(b,)`, or where images are mixed the shares of the classes, float32
            `(b, classes)`; `steps_per_epoch - start_step` of them for every worker.

        Raises:
            ValueError: `epoch`, `start_step` or `shard` is out of range.
        """
        portion = self._portion(epoch, start_step, shard)
        words = np.random.SeedSequence((self.config.seed, epoch, _AUGMENTATION))
        seed = words.generate_state(2).view(np.int32)
        split, rows = self._source.train, portion.rows
        order = (self.config.seed, epoch, _ORDER)
        together = isinstance(split, FileSplit)
        if isinstance(split, ArraySplit):
            dataset = split.batches(order, portion)
        else:
            # All rows of a batch of files are at hand, to replace the bad ones with.
            fields = split.fields(order, portion.whole if together else portion)
            first = 0 if together else rows.start
            dataset = guard.decode_batches(
                fields,
                self._training_row,
                seed,
                lambda step: step * portion.batch_size + first,
                rows if together else None,
            )
        own = rows if together else slice(0, portion.size)
        mix = mixer(self.config, self.num_classes, portion.size)

        @unconverted
        def batch(first: tuple, second: tuple) -> tuple:
            if isinstance(split, ArraySplit):
                step, (images, labels), lost = first, second, ()
            else:
                (step, fields), found = first, second
                images, labels, lost = guard.fill(*found, fields, own)
            images = tf.ensure_shape(images, (portion.size, *images.shape[1:]))
            labels = tf.ensure_shape(labels, (portion.size,))
            drawn = transforms.fold(~seed, step)
            if self._source.size is not None:
                whole = rows.start, portion.batch_size
                images = self._decoder.augmentation(images, drawn, *whole)
            return step, *mix(drawn, images, labels), lost

        dataset = dataset.map(batch, num_parallel_calls=tf.data.AUTOTUNE)
        if portion.served:
            dataset = in_order(dataset, self.config.data_service, portion)
        steps = tf.data.experimental.assert_cardinality(portion.stop - portion.start)
        return _options(self._told(dataset, split).apply(steps), portion.served)

    def validation(self, shard: tuple[int, int] = (0, 1)) -> tf.data.Dataset:
        """Every validation image once, in a fixed order; the last batch may be short.

        Images that cannot be used are left out and told to `problems`, so that other
        batches may be short, too.

        Args:
            shard: (index, count) of a worker, which gets its rows of each batch, or of
                streamed records its own part of them. All workers have the same number
                of batches; where there are several, one may be empty.

        Returns:
            Batches of float32 images and int32 labels, as `train` gives.

        Raises:
            ValueError: `shard` is out of range.
        """
        split, size = self._source.validation, self.config.batch_size
        index, count = shard
        portion = Portion(size, 0, -(-split.size // size), index, count)
        if isinstance(split, ArraySplit):
            dataset = split.batches(None, portion)
        else:
            dataset = guard.decode_batches(
                split.fields(None, portion),
                self._validation_row,
                np.zeros(2, np.int32),
                lambda step: step,
            )

        shape = (None, *self.evaluation_shape)

        @unconverted
        def batch(first: tuple, second: tuple) -> tuple:
            if isinstance(split, ArraySplit):
                step, (images, labels), lost = first, second, ()
            else:
                (step, fields), (kept, images, labels) = first, second
                lost = guard.leave_out(kept, fields)
            if self.reader is None:
                images = self._decoder.complete(images)
            elif isinstance(split, ArraySplit):
                images = self.reader.pixels(images)
            return step, tf.ensure_shape(images, shape), labels, lost

        dataset = dataset.map(batch, num_parallel_calls=tf.data.AUTOTUNE)
        dataset = self._told(dataset, split)
        if not isinstance(split, ArraySplit) and portion.count == 1:
            dataset = dataset.filter(unconverted(lambda _, labels: tf.size(labels) > 0))
        return _options(dataset)

    def batch_names(self, epoch: int, step: int, workers: int = 1) -> tuple[str, ...]:
        """The names of the images of a whole training batch, in its order.

        Files have their paths, records their ids, images in memory their places. They
        are found anew: of streamed records everything before them is read.

        Args:
            epoch: From 0 on.
            step: The number of the batch in the epoch, from 0 on.
            workers: How many workers there are.

        Raises:
            ValueError: There is no such batch.
        """
        portion = self._portion(epoch, step, (0, workers))
        portion = dataclasses.replace(portion, served=False)
        if step == portion.stop:
            raise ValueError(f"Expected a step below {portion.stop}. Received: {step}")
        split, order = self._source.train, (self.config.seed, epoch, _ORDER)
        if isinstance(split, ArraySplit):
            return split.names(order, portion.whole)
        together = isinstance(split, FileSplit)
        names: list[str] = []
        for index in range(1 if together else workers):
            part = dataclasses.replace(
                portion.whole if together else portion, index=index, stop=step + 1
            )
            for _, fields in split.fields(order, part):
                rows = zip(*(field.numpy().tolist() for field in fields), strict=True)
                names += [split.name(*row) for row in rows]
        return tuple(names)

    def validation_names(self) -> tuple[str, ...] | None:
        """The files of the validation images, in the order of `validation`.

        Without those that could not be used so far. None where the images are not files
        of their own.
        """
        split = self._source.validation
        if not isinstance(split, FileSplit):
            return None
        bad = set(self.problems.names)
        return tuple(path for path in split.paths if path not in bad)

    def _portion(self, epoch: int, start_step: int, shard: tuple[int, int]) -> Portion:
        """Checks what is asked of an epoch."""
        steps = self.steps_per_epoch
        if epoch < 0 or not 0 <= start_step <= steps:
            raise ValueError(
                f"Expected epoch >= 0 and 0 <= start_step <= {steps}. "
                f"Received: epoch={epoch}, start_step={start_step}"
            )
        config, (index, count) = self.config, shard
        repeats = config.repeated_augmentation
        served = bool(config.data_service) and start_step < steps
        portion = Portion(
            config.batch_size, start_step, steps, index, count, repeats, served
        )
        if config.mixed and count > 1 and portion.size % (2 * repeats):
            raise ValueError(
                "Mixing by several workers needs a multiple of twice "
                f"repeated_augmentation={repeats} images on each. "
                f"Received: batch_size={config.batch_size}, shard={shard}"
            )
        return portion

    def _told(self, dataset: tf.data.Dataset, split: Split) -> tf.data.Dataset:
        """From (step, images, labels, what was lost) to what the user sees."""
        if isinstance(split, ArraySplit):
            return dataset.map(
                unconverted(lambda _, images, labels, __: (images, labels))
            )
        return guard.tell(dataset, self.problems, split.name, split.reason)

    @cached_property
    def _decoder(self) -> Decoder:
        source, small = self._source, self._source.size is not None
        augmentation = Augmentation(
            self.config, self.augment, self.flip, self.pad, self.image_shape, small
        )
        return Decoder(
            self.config,
            source.size,
            source.channels,
            self.evaluation_shape,
            augmentation,
        )

    @cached_property
    def _training_row(self) -> RowFunction:
        return guard.row_function(self._source.train, self._decoder.train)

    @cached_property
    def _validation_row(self) -> RowFunction:
        def read(encoded: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
            return tf.ensure_shape(self.reader(encoded), self.evaluation_shape)

        decode = read if self.reader else self._decoder.validation
        return guard.row_function(self._source.validation, decode)


def _options(dataset: tf.data.Dataset, served: bool = False) -> tf.data.Dataset:
    """Fixes the order and how several workers share it, and prefetches.

    Without autotuning: a map then works on all cores, which is as fast (measured with
    JPEGs and with arrays). The autotuner's thread looks for the end of an epoch at
    doubling intervals of up to a minute, and the one who waits is the next epoch.
    Without rewriting: nothing here can be fused, and looking for it takes longer than
    the rest of what an epoch needs to begin.
    """
    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    if not served:  # whose own policy, to share nothing by itself, cannot be changed
        policy = tf.data.experimental.AutoShardPolicy.DATA
        options.experimental_distribute.auto_shard_policy = policy
    return dataset.with_options(options).prefetch(tf.data.AUTOTUNE)
