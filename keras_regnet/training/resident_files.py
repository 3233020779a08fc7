"""What folders and TFRecords hold: encoded images and labels, without TensorFlow."""

import json
import os
import re
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_regnet.data.config import DataConfig
from keras_regnet.data.layouts import (
    EXTENSIONS,
    FOLDER_VALIDATION,
    RECORD_FILE,
    RECORD_TEXTS,
    RECORD_VALIDATION,
    SMALL,
)

_IMAGENET = ("image/encoded", "image/class/label", *RECORD_TEXTS)


@dataclass(frozen=True, eq=False)
class Encoded:
    """Images of a part before they are decoded: files or their bytes, and labels."""

    files: list[Any]
    labels: list[int]
    names: list[str]

    def only(self, rows: Iterable[int]) -> "Encoded":
        """The images of some rows."""
        rows = list(rows)
        lists = (self.files, self.labels, self.names)
        return Encoded(*([each[row] for row in rows] for each in lists))


Found = tuple[tuple[str, ...], int, bool, Encoded, Encoded | None]
"""Class names, channels, whether images are small and whole, and the two parts.

The second part is None where it is to be held out of the first.
"""


def image_folder(config: DataConfig, root: str) -> Found:
    """`root/train/<class>/*` and `root/val/<class>/*`: see `data.folders`."""
    top = Path(root)
    if not top.is_dir():
        raise FileNotFoundError(f"The image folder is missing. Received: {root}")
    judged_root = next((top / n for n in FOLDER_VALIDATION if (top / n).is_dir()), None)
    train_root = top / "train"
    if not train_root.is_dir():
        train_root, judged_root = top, None
    classes = _class_folders(train_root)
    judged = None
    if judged_root is not None and not config.hold_out:
        others = _class_folders(judged_root)
        if others != classes:
            raise ValueError(
                f"{train_root} and {judged_root} must have the same classes. Only in "
                f"one of them: {sorted(set(classes) ^ set(others))}. Received: {root}"
            )
        judged = _files(top, judged_root, classes)
    return classes, 3, False, _files(top, train_root, classes), judged


def _class_folders(root: Path) -> tuple[str, ...]:
    names = sorted(p.name for p in root.iterdir() if p.is_dir() and p.name[0] != ".")
    if len(names) < 2:
        raise ValueError(
            f"{root} must have a folder for each of at least two classes. "
            f"Received: {names}"
        )
    return tuple(names)


def _files(top: Path, root: Path, classes: Sequence[str]) -> Encoded:
    """The image files of each class, sorted, by their paths below `top`."""
    found = Encoded([], [], [])
    for label, name in enumerate(classes):
        paths = sorted(
            os.path.join(inner, file)
            for inner, _, files in os.walk(root / name)
            for file in files
            if file.lower().endswith(EXTENSIONS) and file[0] != "."
        )
        if not paths:
            raise ValueError(
                f"Class {name!r} must have {', '.join(EXTENSIONS)} files. "
                f"Received: {root / name}"
            )
        found.files.extend(paths)
        found.labels.extend([label] * len(paths))
        found.names.extend(os.path.relpath(path, top) for path in paths)
    return found


# --- TFRecords -----------------------------------------------------------------------


def imagenet_records(config: DataConfig, root: str) -> Found:
    """ImageNet's customary layout; see `data.tfrecords`."""
    if not Path(root).is_dir():
        raise FileNotFoundError(f"The folder of TFRecords is missing. Received: {root}")
    found: dict[str, dict[int, Path]] = {}
    totals: dict[str, set[int]] = {}
    for path in sorted(Path(root).iterdir()):
        if match := RECORD_FILE.fullmatch(path.name):
            found.setdefault(match[1], {})[int(match[2])] = path
            totals.setdefault(match[1], set()).add(int(match[3]))
    for part, files in found.items():
        if totals[part] != {len(files)} or sorted(files) != list(range(len(files))):
            raise ValueError(
                f"The files {part}-* must be numbered 0 to {max(totals[part]) - 1}. "
                f"Received: {sorted(files)} in {root}"
            )
    if "train" not in found:
        raise ValueError(
            f"{root} has no training files. Expected train-00000-of-01024 and so on. "
            f"Received: parts {sorted(found)}"
        )
    texts: dict[int, str] = {}

    def read(part: str) -> Encoded:
        read = Encoded([], [], [])
        for _, path in sorted(found[part].items()):
            for number, example in enumerate(_examples(path, _IMAGENET)):
                name = f"{path.name}:{number}"
                encoded = _only(example, "image/encoded", name)
                label = int(_only(example, "image/class/label", name))
                for key in RECORD_TEXTS:
                    if text := bytes(*example.get(key, ())[:1]).decode(
                        errors="replace"
                    ):
                        texts.setdefault(label, text)
                        break
                read.files.append(encoded)
                read.labels.append(label)
                read.names.append(name)
        return read

    judged_part = next((name for name in RECORD_VALIDATION if name in found), None)
    train = read("train")
    judged = read(judged_part) if judged_part and not config.hold_out else None
    labels = [*train.labels, *(judged.labels if judged else ())]
    least, greatest = min(labels), max(labels)
    first = least if config.first_label is None else config.first_label
    if (config.first_label is None and least > 1) or least < first:
        raise ValueError(
            f"The labels in {root} are {least} to {greatest}, so that first_label must "
            f"be given, at most {least}. Received: first_label={config.first_label}"
        )
    for part in (train, judged):
        if part is not None:
            part.labels[:] = [label - first for label in part.labels]
    names = tuple(
        texts.get(label, str(label - first)) for label in range(first, greatest + 1)
    )
    return names, 3, False, train, judged


def tfds_records(config: DataConfig, _: str | None) -> Found:
    """A data set that TFDS has prepared as TFRecords, with `image` and `label`."""
    root = Path(
        config.data_dir
        or os.environ.get("TFDS_DATA_DIR")
        or Path.home() / "tensorflow_datasets"
    ).expanduser()
    name, _, version = config.name.partition(":")
    versions = sorted(
        (path.parent for path in (root / name).glob(f"{version or '*'}/features.json")),
        key=lambda path: [int(n) for n in re.findall(r"\d+", path.name)],
    )
    if not versions:
        raise FileNotFoundError(
            "The data set must be digits, folder:/path, tfrecord:/path, npz:/path, or "
            f"one that TFDS has prepared in {root} (--data_dir, TFDS_DATA_DIR). "
            f"Received: {config.name!r}"
        )
    folder = versions[-1]
    info = json.loads((folder / "dataset_info.json").read_text())
    features = json.loads((folder / "features.json").read_text())
    known = features.get("featuresDict", {}).get("features", {})
    image = known.get("image", {}).get("image")
    if not image or "classLabel" not in known.get("label", {}):
        raise ValueError(
            f"The data set {config.name!r} must have the features image (Image) and "
            f"label (ClassLabel). Received: {sorted(known)}"
        )
    shape = [int(side) for side in image["shape"]["dimensions"]]
    channels = shape[-1]
    if image.get("dtype") != "uint8" or channels not in (1, 3):
        raise ValueError(
            f"The images of {config.name!r} must be uint8 with 1 or 3 channels. "
            f"Received: {image.get('dtype')} {shape}"
        )
    whole = min(shape) > 0 and max(shape[:2]) <= SMALL
    names = (folder / "label.labels.txt").read_text().split("\n")
    names = tuple(name for name in names if name)
    splits = {split["name"]: split for split in info["splits"]}
    if "train" not in splits or info.get("fileFormat", "tfrecord") != "tfrecord":
        raise ValueError(
            f"{config.name!r} must have a part train, as TFRecords. Received: "
            f"{sorted(splits)} as {info.get('fileFormat')}"
        )

    def read(split: str) -> Encoded:
        counts = [int(count) for count in splits[split]["shardLengths"]]
        files = sorted(folder.glob(f"{info['name']}-{split}.tfrecord-*"))
        if len(files) != len(counts):
            raise ValueError(
                f"{folder} must have {len(counts)} files of the part {split}. "
                f"Received: {len(files)}"
            )
        found = Encoded([], [], [])
        for path in files:
            for number, example in enumerate(_examples(path, ("image", "label"))):
                record = f"{path.name}__{number}"
                found.files.append(_only(example, "image", record))
                found.labels.append(int(_only(example, "label", record)))
                found.names.append(record)
        return found

    judged = next((part for part in ("validation", "test") if part in splits), None)
    if config.hold_out:
        judged = None
    return names, channels, whole, read("train"), read(judged) if judged else None


def _only(example: Mapping[str, Sequence[Any]], key: str, name: str) -> Any:
    """The only value of a feature of an Example."""
    values = example.get(key, ())
    if len(values) != 1:
        raise ValueError(
            f"A record must be an Example with one {key}. Received: {name}, with "
            f"{sorted(example)}"
        )
    return values[0]


def _examples(path: Path, keys: Collection[str]) -> Iterator[dict[str, list[Any]]]:
    """The Examples of a TFRecord file: the values of some features by name."""
    wanted = {key.encode(): key for key in keys}
    for record in _records(memoryview(path.read_bytes()), path):
        example: dict[str, list[Any]] = {}
        for _, features in _fields(record):
            for _, entry in _fields(features):
                parts = dict(_fields(entry))
                key = wanted.get(bytes(parts.get(1, b"")))
                if key is None:
                    continue
                values = example.setdefault(key, [])
                for kind, content in _fields(parts.get(2, b"")):
                    for _, value in _fields(content):
                        packed = kind == 3 and not isinstance(value, int)
                        values.extend(_numbers(value) if packed else [value])
        yield example


def _records(data: memoryview, path: Path) -> Iterator[memoryview]:
    """The records of a TFRecord file: length, its checksum, content, its checksum."""
    place = 0
    while place < len(data):
        header = bytes(data[place : place + 12])
        length = int.from_bytes(header[:8], "little")
        end = place + 16 + length
        if len(header) < 12 or _checksum(header[:8]) != header[8:] or end > len(data):
            raise ValueError(
                "A TFRecord file must be whole and not compressed. "
                f"Received: {path}, with no record at byte {place}"
            )
        yield data[place + 12 : end - 4]
        place = end


def _crc_table() -> tuple[int, ...]:
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
        table.append(number)
    return tuple(table)


_CRC = _crc_table()


def _checksum(data: bytes) -> bytes:
    """TFRecord's masked CRC-32C, as it stands in a file."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _fields(message: Any) -> Iterator[tuple[int, Any]]:
    """The fields of a protocol buffer: number, and whole number or bytes."""
    place = 0
    while place < len(message):
        key, place = _number(message, place)
        kind = key & 7
        if kind == 0:
            value, place = _number(message, place)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, place = message[place : place + size], place + size
        elif kind == 2:
            size, place = _number(message, place)
            value, place = message[place : place + size], place + size
        else:
            raise ValueError(f"A record must be an Example. Received: wire type {kind}")
        yield key >> 3, value


def _number(message: Any, place: int) -> tuple[int, int]:
    """A number of a protocol buffer, and the place after it."""
    value = shift = 0
    while True:
        if place >= len(message):
            raise ValueError("A record must be an Example. Received: one cut off")
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place


def _numbers(message: Any) -> list[int]:
    """Packed numbers; those of 64 bits with a sign."""
    values, place = [], 0
    while place < len(message):
        value, place = _number(message, place)
        values.append(value - (1 << 64) if value >> 63 else value)
    return values
