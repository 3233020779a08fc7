"""Where images come from: scikit-learn's digits and TFDS; others have own files."""

import difflib
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from keras_regnet.data import arrays
from keras_regnet.data.config import DataConfig
from keras_regnet.data.hold_out import LABELS_READ, RULE, count_held_out, held_out
from keras_regnet.data.layouts import SMALL
from keras_regnet.data.problems import reason_for
from keras_regnet.data.record_counts import Notes
from keras_regnet.data.splits import ArraySplit, RecordSplit, Split
from keras_regnet.optional import require

_AUTO_CACHE_BYTES = 2**30


@dataclass(frozen=True)
class Source:
    """A data set before anything is done to its images.

    Attributes:
        class_names: One for each label, in the labels' order.
        channels: 1 or 3.
        size: (height, width) where all images are small and of one size, else None:
            then each is cropped on its own.
        default_size: The image size when none is asked for.
        train: The training part.
        validation: The part to judge by.
        skipped: Files that were left out: they cannot be decoded, or are no pictures.
        hold_out: By what rule records were held out; None where they were not.
    """

    class_names: tuple[str, ...]
    channels: int
    size: tuple[int, int] | None
    default_size: tuple[int, int]
    train: Split
    validation: Split
    skipped: tuple[str, ...] = ()
    hold_out: str | None = None


def digits(config: DataConfig) -> Source:
    """The 1,797 handwritten digits of scikit-learn: see `arrays.digits`."""
    return _in_memory(arrays.digits(config))


def npz(config: DataConfig, path: str) -> Source:
    """The arrays of a file: see `arrays.npz`."""
    return _in_memory(arrays.npz(config, path))


def _in_memory(found: arrays.Arrays) -> Source:
    height, width, channels = found.train[0].shape[1:]

    def part(pair: tuple[np.ndarray, np.ndarray]) -> ArraySplit:
        return ArraySplit(len(pair[1]), lambda: pair)

    return Source(
        class_names=found.class_names,
        channels=channels,
        size=(height, width),
        default_size=(height, width),
        train=part(found.train),
        validation=part(found.validation),
        hold_out=found.hold_out,
    )


def tfds(config: DataConfig) -> Source:
    """A TFDS data set that has `image` and `label`.

    The validation part is "validation" where there is one (ImageNet's "test" has no
    labels), else "test". Without both, and with `config.hold_out`, it is
    `config.validation_fraction` of "train", held out at random (see `hold_out.py`): of
    each class where "train" has up to `LABELS_READ` bytes.

    Raises:
        ValueError: TFDS does not know the name, or the features do not fit.
        FileNotFoundError: The data set is not prepared on this disk.
    """
    builder = find_builder(config)
    image, label = features(builder)  # before anything large is downloaded
    prepare(builder, config)
    height, width, channels = image.shape
    size = small_size(image)
    sizes = {name: part.num_examples for name, part in builder.info.splits.items()}

    def in_memory(count: int) -> bool:
        if config.cache == "auto":
            return count * height * width * channels <= _AUTO_CACHE_BYTES
        return bool(config.cache)

    def split(name: str, count: int, kept: np.ndarray | None) -> Split:
        shards = _Shards(builder.info.splits[name], kept)
        if size and in_memory(count):
            return ArraySplit(count, lambda: _decode_all(builder, name, shards), name)
        return RecordSplit(
            count,
            config.shuffle_buffer,
            (tf.string, tf.int32, tf.string),
            open=lambda seed, start, stop: _open(
                builder, name, shards, seed, start, stop
            ),
            read=lambda encoded, label, _: (encoded, label),
            name=lambda _, __, identity: identity.decode(),
            reason=lambda encoded, *_: reason_for(encoded),
        )

    (train, _), (judged, _) = parts(config, sizes)
    kept = chosen = None
    if judged == train:
        chosen = held_out_records(builder, config)
        kept = ~chosen
    return Source(
        class_names=tuple(label.names),
        channels=channels,
        size=size,
        default_size=size or (224, 224),
        train=split(train, sizes[train] if kept is None else int(kept.sum()), kept),
        validation=split(
            judged, sizes[judged] if chosen is None else int(chosen.sum()), chosen
        ),
        hold_out=None if chosen is None else RULE,
    )


def small_size(image: Any) -> tuple[int, int] | None:
    """Height and width of an Image feature if it is small and always the same."""
    height, width = image.shape[:2]
    small = None not in (height, width) and max(height, width) <= SMALL
    return (height, width) if small else None


def find_builder(config: DataConfig) -> Any:
    """TFDS's builder of `config.name`, or an error with the nearest names."""
    tensorflow_datasets = require("tensorflow_datasets", "train")
    name = config.name
    try:
        builder = tensorflow_datasets.builder(name, data_dir=config.data_dir)
    except tensorflow_datasets.core.DatasetNotFoundError as error:
        near = difflib.get_close_matches(name, tensorflow_datasets.list_builders())
        hint = f" Near names: {', '.join(near)}." if near else ""
        raise ValueError(
            'Unknown data set. Expected "digits", a name that TFDS knows, or an image '
            f'folder as "folder:/path".{hint} Received: name={name!r}, '
            f"data_dir={config.data_dir!r}"
        ) from error
    except (ValueError, AssertionError) as error:
        # An unknown configuration or version, or no name at all ("Fashion MNIST").
        reason = str(error).splitlines()[0].rstrip(".")
        raise ValueError(f"{reason}. Received: name={name!r}") from error
    return builder


def prepare(builder: Any, config: DataConfig) -> None:
    """Makes sure that the data is on the disk, or says how to get it there."""
    if builder.is_prepared():
        return
    if config.download:
        builder.download_and_prepare()
        return
    raise FileNotFoundError(
        f"The data set {config.name!r} is not prepared in {builder.data_dir}, and "
        f"nothing is downloaded unasked. {how_to_prepare(config, builder)}, or allow "
        "it with download=True. "
        f"Received: name={config.name!r}, data_dir={config.data_dir!r}"
    )


def how_to_prepare(config: DataConfig, builder: Any) -> str:
    """What to do where a TFDS data set is not on the disk, without a full stop."""
    root = config.data_dir or builder.data_dir.partition(f"/{builder.name}/")[0]
    return (
        f"Prepare it with `tfds build {config.name} --data_dir={root}`, point data_dir "
        "or the environment variable TFDS_DATA_DIR at a folder that has it"
    )


def features(builder: Any) -> tuple[Any, Any]:
    """The `image` and `label` features, checked."""
    known = dict(builder.info.features.items())
    kinds = require("tensorflow_datasets", "train").features
    found = {key: type(value).__name__ for key, value in known.items()}
    image, label = known.get("image"), known.get("label")
    if not isinstance(image, kinds.Image) or not isinstance(label, kinds.ClassLabel):
        raise ValueError(
            f"The data set {builder.name!r} does not fit. Expected the features "
            f"image (Image) and label (ClassLabel). Received: {found}"
        )
    if image.shape[-1] not in (1, 3) or image.np_dtype != np.uint8:
        raise ValueError(
            f"The images of {builder.name!r} do not fit. Expected uint8 with 1 or 3 "
            f"channels. Received: {image.np_dtype.__name__} {image.shape}"
        )
    return image, label


def parts(
    config: DataConfig, sizes: Mapping[str, int]
) -> tuple[tuple[str, int], tuple[str, int]]:
    """The training and the validation part: a name, and about how many images.

    Where some of "train" are held out, both are "train"; the numbers are exact but for
    the rounding in each class.

    Args:
        config: The configuration.
        sizes: The number of images of each part that the data set has.
    """
    if "train" not in sizes:
        raise ValueError(
            f'The data set {config.name!r} has no "train" part. '
            f"Received: {sorted(sizes)}"
        )
    total = sizes["train"]
    for name in ("validation", "test"):
        if name in sizes and not config.hold_out:
            return ("train", total), (name, sizes[name])
    count = count_held_out(total, config.validation_fraction)
    return ("train", total - count), ("train", count)


def held_out_records(builder: Any, config: DataConfig) -> np.ndarray:
    """Which of the records of "train" are held out, in the order of its files.

    Their labels are read once, and noted in Keras' folder.
    """
    split = builder.info.splits["train"]
    shards, labels = _Shards(split), None
    if split.num_bytes <= LABELS_READ:
        notes = Notes([os.fspath(path) for path in split.filepaths])
        labels = notes.read().get("each")
        if not isinstance(labels, list) or len(labels) != shards.total:
            found = np.full(shards.total, -1)
            examples = _open(builder, "train", shards, None, 0, shards.total)
            examples = examples.map(lambda _, label, identity: (label, identity))
            for each, names in examples.batch(4096).as_numpy_iterator():
                found[[shards.place(name) for name in names]] = each
            labels = found.tolist()
            notes.write({"each": labels})
    return held_out(
        shards.names(), labels, config.validation_fraction, config.split_seed
    )


class _Shards:
    """The records of a part of a TFDS data set, numbered through its files.

    Args:
        split: TFDS's description of the part.
        kept: Which records there are; None for all.
    """

    def __init__(self, split: Any, kept: np.ndarray | None = None) -> None:
        self.files = [os.path.basename(path) for path in split.filepaths]
        self.lengths = np.asarray(split.shard_lengths, np.int64)
        self.begins = np.cumsum(self.lengths) - self.lengths
        self.total = int(self.lengths.sum())
        self.whole = kept is None
        self.rows = np.arange(self.total) if kept is None else np.flatnonzero(kept)
        self._begin = dict(zip(self.files, self.begins.tolist(), strict=True))

    def names(self) -> list[str]:
        """TFDS's ids of all records."""
        return [
            f"{file}__{number}"
            for file, length in zip(self.files, self.lengths, strict=True)
            for number in range(length)
        ]

    def place(self, identity: bytes) -> int:
        """The number of a record, by its id."""
        file, _, number = identity.decode().rpartition("__")
        return self._begin[file] + int(number)

    def filter(self, dataset: tf.data.Dataset, rows: np.ndarray) -> tf.data.Dataset:
        """Keeps those records, by their `tfds_id`."""
        with tf.device("/CPU:0"):
            files, begins = tf.constant(self.files), tf.constant(self.begins)
            wanted = tf.constant(np.isin(np.arange(self.total), rows))

        def is_wanted(example: Mapping[str, tf.Tensor]) -> tf.Tensor:
            identity = example["tfds_id"]
            file = tf.strings.regex_replace(identity, r"__\d+$", "")
            number = tf.strings.regex_replace(identity, r"^.*__", "")
            begin = begins[tf.argmax(files == file)]
            return wanted[begin + tf.strings.to_number(number, tf.int64)]

        return dataset.filter(is_wanted)


def _decode_all(
    builder: Any, name: str, shards: _Shards
) -> tuple[np.ndarray, np.ndarray]:
    """All images and labels of a part, decoded, in the stored order."""
    tensorflow_datasets = require("tensorflow_datasets", "train")
    config = tensorflow_datasets.ReadConfig(add_tfds_id=not shards.whole)
    with _without_warnings("CounterV2"):
        everything = builder.as_dataset(
            split=name, batch_size=-1, shuffle_files=False, read_config=config
        )
    images = everything["image"].numpy()
    labels = everything["label"].numpy().astype(np.int32)
    if shards.whole:
        return images, labels
    places = np.array([shards.place(each) for each in everything["tfds_id"].numpy()])
    rows = np.argsort(places)[shards.rows]
    return images[rows], labels[rows]


def _open(
    builder: Any, name: str, shards: _Shards, seed: int | None, start: int, stop: int
) -> tf.data.Dataset:
    """Streams (encoded image, label, id), the files of the part in the seed's order."""
    rows = shards.rows[start:stop]
    first, last = int(rows[0]), int(rows[-1]) + 1
    part = name if (first, last) == (0, shards.total) else f"{name}[{first}:{last}]"
    tensorflow_datasets = require("tensorflow_datasets", "train")
    options = tf.data.Options()
    options.deterministic = True
    reading = tensorflow_datasets.ReadConfig(
        options=options,
        try_autocache=False,
        shuffle_seed=seed,
        shuffle_reshuffle_each_iteration=False,
        skip_prefetch=True,
        add_tfds_id=True,
    )
    # TFDS counts the ids with something that TensorFlow warns of.
    with _without_warnings("CounterV2"):
        dataset = builder.as_dataset(
            split=part,
            shuffle_files=seed is not None,
            decoders={"image": tensorflow_datasets.decode.SkipDecoding()},
            read_config=reading,
        )
    if last - first > len(rows):
        dataset = shards.filter(dataset, rows)
    return dataset.map(
        lambda example: (
            example["image"],
            tf.cast(example["label"], tf.int32),
            example["tfds_id"],
        ),
        num_parallel_calls=tf.data.AUTOTUNE,
    )


@contextmanager
def _without_warnings(text: str) -> Iterator[None]:
    """Keeps TensorFlow from logging what has `text` in it."""

    def others(record: logging.LogRecord) -> bool:
        return text not in record.getMessage()

    logger = tf.get_logger()
    logger.addFilter(others)
    try:
        yield
    finally:
        logger.removeFilter(others)
