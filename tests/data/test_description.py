"""What a data set is like, without its images."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data import DataConfig, describe, load
from tests.data.records import write_records

tfds = pytest.importorskip("tensorflow_datasets")


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    """Whoever downloads fails."""

    def download(self, *_, **__):
        raise AssertionError(f"{self.name} is downloaded")

    builder = tfds.core.DatasetBuilder
    monkeypatch.setattr(builder, "download_and_prepare", download)


def test_digits():
    config = DataConfig(batch_size=100, image_size=24)
    found = describe(config)
    assert dataclasses.asdict(found) == {
        "config": dataclasses.asdict(config),
        "train_size": 1437,
        "validation_size": 360,
        "image_shape": (24, 24, 1),
        "class_names": tuple("0123456789"),
        "prepared": True,
    }
    assert (found.num_classes, found.steps_per_epoch) == (10, 14)
    assert describe(DataConfig()).image_shape == (32, 32, 1)


@pytest.mark.parametrize("way", ["folder", "tfrecord"])
def test_folders_are_as_when_they_are_loaded(tmp_path, monkeypatch, way):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    root = tmp_path / "images"
    if way == "folder":
        for name in ("cat", "dog"):
            (root / name).mkdir(parents=True)
            for index in range(10):
                image = np.full((9, 9, 3), index, np.uint8)
                encoded = tf.io.encode_png(image).numpy()
                (root / name / f"{index}.png").write_bytes(encoded)
    else:
        write_records(root, "train", [5, 6], names=("cat", "dog"))
    config = DataConfig(f"{way}:{root}", batch_size=2)
    found, data = describe(config), load(config)
    assert found.class_names == data.class_names == ("cat", "dog")
    assert found.image_shape == data.image_shape == (224, 224, 3)
    assert found.train_size == data.train_size > found.validation_size
    assert found.validation_size == data.validation_size > 0
    assert found.steps_per_epoch == data.steps_per_epoch
    assert found.prepared


def test_a_damaged_file_counts_until_it_is_looked_at(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for index in range(4):
            image = np.full((9, 9, 3), index, np.uint8)
            encoded = tf.io.encode_png(image).numpy()
            (tmp_path / name / f"{index}.png").write_bytes(encoded)
    (tmp_path / "cat" / "0.png").write_bytes(b"")
    found = describe(DataConfig(str(tmp_path), batch_size=2))
    assert found.train_size + found.validation_size == 8


@pytest.mark.parametrize("download", [False, True])
def test_imagenet_without_its_images(tmp_path, download):
    found = describe(
        DataConfig(
            "imagenet2012", str(tmp_path / "none"), batch_size=512, download=download
        )
    )
    assert (found.train_size, found.validation_size) == (1_281_167, 50_000)
    assert found.image_shape == (224, 224, 3)
    assert found.num_classes == len(set(found.class_names)) == 1000
    assert found.class_names[0] == "n01440764"  # the tench
    assert found.steps_per_epoch == 2502
    assert not found.prepared
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("name", "sizes", "shape", "classes"),
    [
        ("cifar10", (50_000, 10_000), (32, 32, 3), 10),
        ("cifar100", (50_000, 10_000), (32, 32, 3), 100),
        ("mnist", (60_000, 10_000), (28, 28, 1), 10),
        ("fashion_mnist", (60_000, 10_000), (28, 28, 1), 10),
        ("imagenet_resized/32x32", (1_281_167, 50_000), (32, 32, 3), 1000),
    ],
)
def test_well_known_sets_that_are_not_there(tmp_path, name, sizes, shape, classes):
    found = describe(DataConfig(name, str(tmp_path)))
    assert (found.train_size, found.validation_size) == sizes
    assert (found.image_shape, found.num_classes) == (shape, classes)
    assert not found.prepared
    larger = describe(DataConfig(name, str(tmp_path), image_size=48))
    assert larger.image_shape == (48, 48, shape[-1])


@pytest.mark.parametrize("download", [False, True])
def test_numbers_that_nobody_knows(tmp_path, download):
    """They are not downloaded for: a dry run is to cost nothing."""
    config = DataConfig("uc_merced", str(tmp_path), download=download)
    with pytest.raises(
        FileNotFoundError, match=r"tfds build uc_merced.*Received: name"
    ):
        describe(config)


def test_unknown_names(tmp_path):
    with pytest.raises(ValueError, match=r"Near names: .*mnist.*Received: name='mnits"):
        describe(DataConfig("mnits"))
    with pytest.raises(FileNotFoundError, match="Received: "):
        describe(DataConfig(f"folder:{tmp_path / 'none'}"))
    with pytest.raises(FileNotFoundError, match=r"TFRecords is missing. Received: "):
        describe(DataConfig(f"tfrecord:{tmp_path / 'none'}"))
