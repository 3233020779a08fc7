"""Several workers: together they have what one would have."""

import re

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data import DataConfig, load


def batches(dataset):
    return [(x.numpy(), y.numpy()) for x, y in dataset]


def assert_same(one, two):
    for pair in zip(one, two, strict=True):
        for a, b in zip(*pair, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes of 26 noisy pictures, and 7 of each to validate."""
    root = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for part, count in (("train", 26), ("val", 7)):
        for name in ("a", "b"):
            (root / part / name).mkdir(parents=True)
            for index in range(count):
                size = (*random.integers(20, 60, 2), 3)
                image = random.integers(0, 256, size).astype(np.uint8)
                file = root / part / name / f"{index}.jpg"
                file.write_bytes(tf.io.encode_jpeg(image).numpy())
    return root


@pytest.fixture
def configs(folder):
    everything = {
        "auto_augment": "trivialaugment",
        "random_erasing": 0.5,
        "mixup_alpha": 0.4,
        "cutmix_alpha": 1.0,
        "repeated_augmentation": 2,
    }
    return {
        "memory": DataConfig(image_size=16, batch_size=240),
        "memory, mixed": DataConfig(image_size=16, batch_size=240, **everything),
        "files": DataConfig(str(folder), image_size=16, batch_size=8),
        "files, mixed": DataConfig(
            str(folder), image_size=16, batch_size=8, **everything
        ),
        "files, pad": DataConfig(
            str(folder), image_size=16, batch_size=8, augment="pad_crop_flip"
        ),
    }


@pytest.mark.parametrize("way", ["memory, mixed", "files, mixed", "files, pad"])
def test_the_workers_have_the_rows_of_each_batch(configs, way):
    data = load(configs[way])
    start = data.steps_per_epoch - 3
    whole = batches(data.train(1, start))
    parts = [batches(data.train(1, start, (index, 2))) for index in range(2)]
    together = [
        tuple(np.concatenate(part) for part in zip(*shares, strict=True))
        for shares in zip(*parts, strict=True)
    ]
    assert_same(whole, together)
    assert parts[0][0][0].shape[0] == data.config.batch_size // 2


# The first of two workers has as much as the first two of four.
SHARES = {
    "two": [(0, 2), (1, 2)],
    "four": [(0, 4), (1, 4), (2, 4), (3, 4)],
    "of two and of four": [(0, 2), (2, 4), (3, 4)],
}


@pytest.mark.parametrize(
    ("way", "shares"),
    [("memory", "two"), ("memory", "four"), ("files", "of two and of four")],
)
def test_each_validation_image_is_one_workers(configs, way, shares):
    data = load(configs[way])
    whole = batches(data.validation())
    parts = [batches(data.validation(shard)) for shard in SHARES[shares]]
    together = [
        tuple(np.concatenate(part) for part in zip(*each, strict=True))
        for each in zip(*parts, strict=True)
    ]
    assert_same(whole, together)
    assert sum(len(y) for _, y in together) == data.validation_size


def test_validation_when_there_are_more_workers_than_images(tmp_path):
    image = tf.io.encode_jpeg(np.full((20, 20, 3), 90, np.uint8)).numpy()
    for part, counts in (("train", (2, 2)), ("val", (2, 1))):
        for name, count in zip("ab", counts, strict=True):
            (tmp_path / part / name).mkdir(parents=True)
            for index in range(count):
                (tmp_path / part / name / f"{index}.jpg").write_bytes(image)
    data = load(DataConfig(str(tmp_path), image_size=16, batch_size=4))
    parts = [batches(data.validation((index, 4))) for index in range(4)]
    assert [len(part) for part in parts] == [1] * 4
    assert [len(part[0][1]) for part in parts] == [1] * 3 + [0]
    assert parts[3][0][0].shape == (0, 16, 16, 3)


@pytest.mark.parametrize(
    ("shard", "message"),
    [
        ((2, 2), "0 <= index < count"),
        ((-1, 2), "0 <= index < count"),
        ((0, 0), "0 <= index < count"),
        ((0, 3), "multiple of the 3 workers"),
    ],
)
def test_impossible_shards(configs, shard, message):
    data = load(configs["files"])
    for call in (lambda: data.train(0, 0, shard), lambda: data.validation(shard)):
        with pytest.raises(ValueError, match=f"{message}.*Received: "):
            call()


def test_workers_who_would_mix_across_each_other(configs):
    with pytest.raises(
        ValueError, match=r"twice repeated_augmentation=2.*shard=\(0, 4"
    ):
        load(configs["files, mixed"]).train(0, 0, (0, 4))


# Names


def test_names_of_files(configs):
    data = load(configs["files, pad"])
    images = dict(zip(data._source.train.paths, data._source.train.labels, strict=True))
    for step, (_, labels) in enumerate(data.train(2)):
        names = data.batch_names(2, step)
        assert [images[name] for name in names] == labels.numpy().tolist()
        assert data.batch_names(2, step, workers=4) == names
    with pytest.raises(ValueError, match=r"Expected a step below 6\. Received: 6"):
        data.batch_names(2, 6)


def test_names_of_images_in_memory():
    data = load(DataConfig(image_size=8, batch_size=100, augment="none"))
    stored, _ = data._source.train.load()
    images = next(iter(data.train(0, 3)))[0].numpy()
    names = data.batch_names(0, 3)
    rows = [int(re.fullmatch(r"train\[(\d+)\]", name)[1]) for name in names]
    np.testing.assert_array_equal(images, stored[rows])


# TFDS, streamed


@pytest.fixture(scope="module")
def streamed(tiny_fashion_mnist):
    config = DataConfig(
        "fashion_mnist",
        tiny_fashion_mnist,
        batch_size=24,
        cache=False,
        augment="none",
        shuffle_buffer=50,
    )
    return load(config)


def images_of(dataset):
    return [x.tobytes() for images, _ in dataset for x in images.numpy()]


def test_each_worker_reads_its_own_records(streamed):
    seen = [images_of(streamed.train(0, 0, (i, 2))) for i in range(2)]
    assert [len(part) for part in seen] == [120] * 2
    assert len(set(seen[0] + seen[1])) == 240  # all of them
    again = images_of(streamed.train(0, 5, (1, 2)).take(1))
    assert again == seen[1][5 * 12 : 6 * 12]


def test_validation_of_streamed_records(streamed):
    whole = images_of(streamed.validation())
    assert len(whole) == 60
    parts = [list(streamed.validation((i, 2))) for i in range(2)]
    assert [len(part) for part in parts] == [3] * 2
    assert sorted(images_of(parts[0] + parts[1])) == sorted(whole)


def test_names_of_records(streamed):
    first, second = streamed.batch_names(1, 0), streamed.batch_names(1, 1)
    assert len(first) == len(set(first + second)) / 2 == 24
    assert all(name.startswith("fashion_mnist-train.tfrecord-0") for name in first)
    assert len({name.partition("__")[0] for name in first}) > 1  # of several files
    assert streamed.batch_names(1, 0, workers=2) != first
