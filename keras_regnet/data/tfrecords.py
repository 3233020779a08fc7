"""TFRecords in the customary layout of ImageNet: a folder of numbered files.

`train-00000-of-01024` and so on, and `validation-00000-of-00128`; in them Examples with
`image/encoded`, `image/class/label` and, where they are there, `image/filename`,
`image/class/text` and `image/class/synset`.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_regnet.data.config import DataConfig
from keras_regnet.data.hold_out import LABELS_READ, RULE, held_out
from keras_regnet.data.layouts import RECORD_FILE, RECORD_TEXTS, RECORD_VALIDATION
from keras_regnet.data.picture_sizes import ensure
from keras_regnet.data.problems import reason_for
from keras_regnet.data.record_counts import Notes, count_records
from keras_regnet.data.remote import is_folder, names_in, stat, why_missing
from keras_regnet.data.rows import unconverted
from keras_regnet.data.sources import Source
from keras_regnet.data.splits import RecordSplit

_AT_ONCE = 16  # files that are read in turn, as many records of each
_READ_BYTES = 2**20
_SMALL_BYTES = 2**31  # of files, up to which the labels of all of them are read


def tfrecords(config: DataConfig, root: str, training: bool = True) -> Source:
    """A folder of TFRecords in the customary layout of ImageNet.

    The records are counted, and the labels of the validation part looked at, the first
    time; what was found is kept in Keras' folder. Where there is no validation part, or
    with `config.hold_out`, `config.validation_fraction` of the training records is held
    out at random (see `hold_out.py`): of each class, whose labels are read once, where
    the files have up to `LABELS_READ` bytes. All training files are read through to
    evaluate then.

    Args:
        config: The configuration.
        root: The folder, on this disk or remote.
        training: False: the files of the validation part are enough.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: The files are not complete or not of this kind, or it cannot be
            known which label is the first.
    """
    if not is_folder(root):
        raise FileNotFoundError(
            f"The folder of TFRecords is missing{why_missing(root)}. Received: {root}"
        )
    files = _files(root, training or config.hold_out)
    notes = Notes([path for paths in files.values() for path in paths])
    known = notes.read()
    if not _fits(known, files):
        known = {
            "counts": {part: count_records(paths) for part, paths in files.items()},
            "labels": _labels(files),
        }
        notes.write(known)
    first = _first_label(config, known["labels"], root)
    names = _class_names(known["labels"], first)
    records = {
        part: _Records(paths, known["counts"][part], first, len(names))
        for part, paths in files.items()
    }
    train, judged = records.get("train"), records.get("validation")
    kept = chosen = rule = None
    if train is None:
        train, kept = judged, np.zeros(judged.size, bool)
    elif judged is None or config.hold_out:
        chosen = held_out(
            train.places(),
            _each_label(files["train"], known, notes),
            config.validation_fraction,
            config.split_seed,
        )
        judged, kept, rule = train, ~chosen, RULE
    return Source(
        class_names=names,
        channels=3,
        size=None,
        default_size=(224, 224),
        train=train.split(config, kept),
        validation=judged.split(config, chosen),
        hold_out=rule,
    )


def _fits(known: Mapping[str, Any], files: Mapping[str, Sequence[str]]) -> bool:
    """Whether notes are whole: somebody else may have written that file."""
    try:
        counts, labels = known["counts"], known["labels"]
        return (
            {part: len(found) for part, found in counts.items()}
            == {part: len(paths) for part, paths in files.items()}
            and isinstance(labels["names"], dict)
            and 0 <= labels["least"] <= labels["greatest"]
        )
    except (KeyError, TypeError, AttributeError):
        return False


class _Records:
    """The records of the files of a part, numbered through."""

    def __init__(
        self, paths: Sequence[str], counts: Sequence[int], first: int, classes: int
    ) -> None:
        self.paths = list(paths)
        self.ends = np.cumsum(counts)
        self.size = int(self.ends[-1])
        self.first = first
        self.classes = classes

    def places(self) -> list[str]:
        """A name for each record: its file and its number there."""
        counts = np.diff(self.ends, prepend=0).tolist()
        return [
            f"{os.path.basename(path)}:{number}"
            for path, count in zip(self.paths, counts, strict=True)
            for number in range(count)
        ]

    def split(self, config: DataConfig, kept: np.ndarray | None = None) -> RecordSplit:
        """Those records for which `kept` is true; all for None."""
        rows = np.arange(self.size) if kept is None else np.flatnonzero(kept)
        return RecordSplit(
            len(rows),
            config.shuffle_buffer,
            (tf.string, tf.int64, tf.int64),
            open=lambda seed, start, stop: self.open(seed, rows[start:stop]),
            read=self.read,
            name=self.name,
            reason=self.reason,
        )

    def open(self, seed: int | None, rows: np.ndarray) -> tf.data.Dataset:
        """Streams (record, its number in its file, number of the file).

        Args:
            seed: Of the files' order; None keeps it.
            rows: The numbers of the records, increasing.
        """
        begins = self.ends - np.diff(self.ends, prepend=0)
        first, last = np.searchsorted(rows, begins), np.searchsorted(rows, self.ends)
        needed = np.flatnonzero(last > first)
        if seed is not None:
            needed = np.random.default_rng(seed).permutation(needed)
        lows = rows[first[needed]] - begins[needed]
        highs = rows[last[needed] - 1] + 1 - begins[needed]
        paths = tf.constant([self.paths[number] for number in needed], tf.string)
        some = (highs - lows).sum() > len(rows)
        with tf.device("/CPU:0"):
            firsts = tf.constant(begins)
            wanted = tf.constant(np.isin(np.arange(self.size if some else 0), rows))

        @unconverted
        def records(
            path: tf.Tensor, low: tf.Tensor, high: tf.Tensor, number: tf.Tensor
        ) -> tf.data.Dataset:
            dataset = tf.data.TFRecordDataset(path, buffer_size=_READ_BYTES)
            dataset = tf.data.Dataset.zip(
                dataset.skip(low).take(high - low),
                tf.data.Dataset.range(low, high),
                tf.data.Dataset.from_tensors(number).repeat(),
            )
            if not some:
                return dataset
            is_wanted = unconverted(lambda _, place, file: wanted[firsts[file] + place])
            return dataset.filter(is_wanted)

        return tf.data.Dataset.from_tensor_slices(
            (paths, lows, highs, needed)
        ).interleave(
            records,
            cycle_length=_AT_ONCE,
            block_length=_AT_ONCE,
            num_parallel_calls=_AT_ONCE,
            deterministic=True,
        )

    def read(
        self, record: tf.Tensor, _: tf.Tensor, __: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The bytes of an image and its label, from 0 on."""
        features = {
            "image/encoded": tf.io.FixedLenFeature((), tf.string),
            "image/class/label": tf.io.FixedLenFeature((), tf.int64),
        }
        example = tf.io.parse_single_example(record, features)
        label = example["image/class/label"] - self.first
        known = (label >= 0) & (label < self.classes)
        with tf.control_dependencies([ensure(known, "label")]):
            label = tf.cast(label, tf.int32)
        return example["image/encoded"], label

    def name(self, record: bytes, number: int, file: int) -> str:
        """The name of the image's file as the record has it, or where the record is."""
        name = _feature(record, "image/filename")
        return name.decode() if name else f"{self.paths[file]}:{number}"

    def reason(self, record: bytes, _: int, __: int) -> str:
        """Why an image cannot be used."""
        label = _feature(record, "image/class/label")
        if label is None:
            return "the record is no Example with one image/class/label"
        if not 0 <= label - self.first < self.classes:
            last = self.first + self.classes - 1
            return f"its label {label} is not one of {self.first} to {last}"
        return reason_for(_feature(record, "image/encoded") or b"")


def _feature(record: bytes, name: str) -> Any:
    """The only value of a feature, or None."""
    try:
        feature = tf.train.Example.FromString(record).features.feature[name]
    except Exception:  # protobuf's DecodeError, which has no public name of its own
        return None
    values = feature.bytes_list.value or feature.int64_list.value
    return values[0] if len(values) == 1 else None


def _files(root: str, training: bool = True) -> dict[str, list[str]]:
    """The files of the training and the validation part, complete and in order."""
    found: dict[str, list[tuple[str, int, int]]] = {}
    for name in names_in(root):
        path = os.path.join(root, name)
        if (match := RECORD_FILE.fullmatch(name)) and not is_folder(path):
            part, number, total = match[1], int(match[2]), int(match[3])
            found.setdefault(part, []).append((path, number, total))
    files = {}
    if "train" in found:
        files["train"] = _complete(found["train"], root)
    elif training or not set(found) & set(RECORD_VALIDATION):
        raise ValueError(
            f"{root} has no training files. Expected train-00000-of-01024 and so on. "
            f"Received: parts {sorted(found)}"
        )
    for name in RECORD_VALIDATION:
        if name in found:
            files["validation"] = _complete(found[name], root)
            break
    return files


def has_own_validation(root: str) -> bool:
    """Whether a folder has files to evaluate on."""
    found = (RECORD_FILE.fullmatch(name) for name in names_in(root))
    return any(match and match[1] in RECORD_VALIDATION for match in found)


def _complete(found: Sequence[tuple[str, int, int]], root: str) -> list[str]:
    """The files of a part in their order, each of its numbers once."""
    total = max(total for _, _, total in found)
    numbers = {number for _, number, _ in found}
    missing = sorted(set(range(total)) - numbers)
    if missing:
        name = os.path.basename(found[0][0])
        raise ValueError(
            f"The TFRecord files like {name} must be numbered 0 to "
            f"{total - 1}; {len(missing)} are missing: {missing[:5]}. Received: {root}"
        )
    if len(found) > total:
        some = [os.path.basename(path) for path, _, _ in found]
        raise ValueError(
            f"The TFRecord files like {some[0]} must be numbered once, as {total} "
            f"files. Received: {len(found)} in {root}: {', '.join(some[:5])}"
        )
    by_number = {number: path for path, number, _ in found}
    return [by_number[number] for number in range(total)]


def _labels(files: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The least and the greatest label, and the classes' names by label.

    Of the validation part; of everything where that is little or there is none.
    """
    paths = [path for part in files.values() for path in part]
    small = sum(stat(path).size for path in paths) <= _SMALL_BYTES
    if "validation" in files and not small:
        paths = list(files["validation"])
    features = {"image/class/label": tf.io.FixedLenFeature((), tf.int64, -1)}
    features |= {key: tf.io.FixedLenFeature((), tf.string, "") for key in RECORD_TEXTS}
    dataset = tf.data.Dataset.from_tensor_slices(paths)
    dataset = dataset.interleave(
        lambda path: tf.data.TFRecordDataset(path, buffer_size=_READ_BYTES),
        cycle_length=_AT_ONCE,
        num_parallel_calls=_AT_ONCE,
        deterministic=True,
    ).batch(256)
    names: dict[int, str] = {}
    labels: set[int] = set()
    for records in dataset.prefetch(4):
        try:
            examples = tf.io.parse_example(records, features)
        except tf.errors.InvalidArgumentError:
            continue  # told when it is met in an epoch
        found = examples["image/class/label"].numpy()
        texts = (examples[key].numpy().tolist() for key in RECORD_TEXTS)
        for label, text, synset in zip(found.tolist(), *texts, strict=True):
            labels.add(label)
            if name := text or synset:
                names.setdefault(label, name.decode(errors="replace"))
    labels.discard(-1)
    if not labels:
        raise ValueError(
            "The records must be Examples with image/class/label. "
            f"Received: {os.path.dirname(paths[0])}"
        )
    return {
        "least": min(labels),
        "greatest": max(labels),
        "names": {str(label): names[label] for label in sorted(names)},
    }


def _each_label(
    paths: Sequence[str], known: dict[str, Any], notes: Notes
) -> list[int] | None:
    """The label of each record, -1 where it has none; None where that takes too long.

    Read once, and added to the notes.
    """
    counts = known["counts"]["train"]
    if isinstance(each := known.get("each"), list) and len(each) == sum(counts):
        return each
    size = sum(stat(path).size for path in paths)
    if size > LABELS_READ:
        logging.getLogger("keras_regnet").warning(
            "The labels of %d GiB of records are not read: images are held out at "
            "random, without regard to their classes",
            size // 2**30,
        )
        return None
    if size > _SMALL_BYTES:
        logging.getLogger("keras_regnet").warning(
            "Reading the labels of %d GiB of records, once", size // 2**30
        )
    features = {"image/class/label": tf.io.FixedLenFeature((), tf.int64, -1)}

    def label(record: tf.Tensor) -> tf.Tensor:
        return tf.io.parse_single_example(record, features)["image/class/label"]

    def numbered(path: tf.Tensor, begin: tf.Tensor) -> tf.data.Dataset:
        records = tf.data.TFRecordDataset(path, buffer_size=_READ_BYTES)
        return (
            records.enumerate(begin)
            .map(lambda number, record: (number, label(record)))
            .ignore_errors()
        )

    begins = np.cumsum(counts) - counts
    found = tf.data.Dataset.from_tensor_slices((list(paths), begins))
    found = found.interleave(
        numbered, cycle_length=_AT_ONCE, num_parallel_calls=_AT_ONCE
    )
    each = np.full(sum(counts), -1)
    for numbers, labels in found.batch(4096):
        each[numbers] = labels
    known["each"] = each.tolist()
    notes.write(known)
    return known["each"]


def _first_label(config: DataConfig, labels: Mapping[str, Any], root: str) -> int:
    """The label of the first class: as configured, or what the labels say."""
    least, greatest = labels["least"], labels["greatest"]
    if config.first_label is None:
        if least > 1:
            raise ValueError(
                f"The labels in {root} are {least} to {greatest}, so that first_label "
                "must be given. Received: first_label=None"
            )
        logging.getLogger("keras_regnet").warning(
            "The labels in %s are %d to %d: %d is taken as the first class",
            root,
            least,
            greatest,
            least,
        )
        return least
    if least < config.first_label:
        raise ValueError(
            f"The labels in {root} are {least} to {greatest}. "
            f"Received: first_label={config.first_label}"
        )
    return config.first_label


def _class_names(labels: Mapping[str, Any], first: int) -> tuple[str, ...]:
    """A name for each class, its number where there is none."""
    return tuple(
        labels["names"].get(str(label), str(label - first))
        for label in range(first, labels["greatest"] + 1)
    )
