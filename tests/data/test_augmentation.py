"""Augmentations in the pipeline: the same every time, whatever the batch and worker."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data import DataConfig, load, mixing
from keras_regnet.data.augmentation import Augmentation
from keras_regnet.data.portions import Portion
from keras_regnet.data.splits import RecordSplit, order_of
from tests.data.pictures import pictures

SEED = np.array([7, 11], np.int32)
EVERYTHING = {
    "auto_augment": "randaugment",
    "auto_augment_interpolation": "bilinear",
    "randaugment_magnitude_std": 0.5,
    "colour_jitter": 0.4,
    "random_erasing": 0.5,
    "erasing_mode": "noise",
    "mixup_alpha": 0.2,
    "cutmix_alpha": 1.0,
    "repeated_augmentation": 2,
}


def stack(dataset):
    batches = [(x.numpy(), y.numpy()) for x, y in dataset]
    return [np.concatenate(part) for part in zip(*batches, strict=True)]


def assert_same(one, two):
    for a, b in zip(stack(one), stack(two), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes of 20 pictures of many sizes, a PNG and a JPEG of each."""
    root = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        (root / name).mkdir()
        for index in range(20):
            height, width = random.integers(30, 60, 2)
            image = pictures(height, width)[index % 3]
            encode = tf.io.encode_png if index % 2 else tf.io.encode_jpeg
            (root / name / f"{index}.jpg").write_bytes(encode(image).numpy())
    return root


@pytest.fixture(scope="module")
def configs(folder):
    """Everything at once, on grey batches in memory and on single files."""
    files = {
        "name": str(folder),
        "image_size": 16,
        "batch_size": 8,
        "pca_lighting": 0.1,
    }
    memory = {"image_size": 24, "batch_size": 100, "augment": "random_resized_crop"}
    return {
        "memory": DataConfig(**memory, **EVERYTHING),
        "files": DataConfig(**files, **EVERYTHING),
    }


@pytest.fixture(scope="module")
def plain(configs):
    """Gives the configuration of a way without its augmentations."""
    fields = {field: getattr(DataConfig(), field) for field in EVERYTHING}
    return lambda way: dataclasses.replace(configs[way], pca_lighting=0.0, **fields)


@pytest.mark.long
@pytest.mark.parametrize("way", ["memory", "files"])
def test_an_epoch_depends_on_its_number_alone(configs, way):
    config = configs[way]
    data = load(config)
    dataset = data.train(3)
    images, labels = dataset.element_spec
    assert images.shape == (config.batch_size, *data.image_shape)
    assert labels.shape == (config.batch_size, data.num_classes)
    assert images.dtype == labels.dtype == tf.float32
    x, y = stack(dataset)
    assert len(x) == data.steps_per_epoch * config.batch_size
    assert np.isfinite(x).all()
    np.testing.assert_allclose(y.sum(1), 1, atol=1e-5)
    assert ((y > 0).sum(1) <= 2).all()
    assert (y.max(1) < 1).any()
    # From the second batch on, by one thread, without the epochs before.
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    options.autotune.enabled = False
    again = load(config) if way == "memory" else data
    u, v = stack(again.train(3, 1).with_options(options))
    np.testing.assert_array_equal(u, x[config.batch_size :])
    np.testing.assert_array_equal(v, y[config.batch_size :])
    assert (next(iter(data.train(4)))[0].numpy() != x[: config.batch_size]).any()


def test_evaluation_is_not_augmented(configs):
    config = configs["files"]
    plain = DataConfig(config.name, image_size=16, batch_size=8)
    assert_same(load(config).validation(), load(plain).validation())


def augmentation(config, same_size=True):
    return Augmentation(config, "pad_crop_flip", True, 3, (31, 37, 3), same_size)


def test_each_part_changes_the_images():
    images = tf.constant(np.concatenate([pictures()] * 5))
    plain = augmentation(DataConfig())(images, SEED).numpy()
    parts = [
        {"colour_jitter": 0.4},
        {"random_erasing": 0.5},
        {"auto_augment": "randaugment"},
        {"auto_augment": "autoaugment"},
        {"auto_augment": "trivialaugment"},
    ]
    for part in parts:
        after = augmentation(DataConfig(**part))(images, SEED).numpy()
        changed = np.abs(after - plain).max((1, 2, 3)) > 0.5  # more than rounded
        assert changed.mean() > 0.3, part
        if part.get("auto_augment") in ("autoaugment", "trivialaugment"):
            assert changed.mean() < 1, part
    lit = augmentation(DataConfig(pca_lighting=0.1))(images, SEED).numpy()
    # One number for each channel of an image; a grey level is 1 / 255 of it at most.
    assert np.ptp(lit - plain, axis=(1, 2)).max() < 1e-3
    assert np.abs(lit - plain).max() > 1


@pytest.mark.parametrize("part", [{}, {"random_erasing": 0.0, "normalize": False}])
def test_a_part_of_a_batch_gets_what_it_gets_in_the_whole(part):
    statistics = {"normalize": True, "mean": (0.5,) * 3, "std": (0.25,) * 3}
    config = DataConfig(**EVERYTHING | statistics | {"pca_lighting": 0.1} | part)
    augment = augmentation(config)
    images = np.concatenate([pictures()] * 3)
    whole = augment(tf.constant(images), SEED).numpy()
    for first in (0, 4, 8):
        found = augment(tf.constant(images[first : first + 4]), SEED, first, 12)
        np.testing.assert_array_equal(found, whole[first : first + 4])


@pytest.mark.parametrize("mean", [None, (0.1, 0.2, 0.3)])
@pytest.mark.parametrize("normalize", [False, True])
def test_what_is_erased_becomes_the_mean(mean, normalize):
    std = (0.5,) * 3
    if normalize and mean is None:
        mean = (0.485, 0.456, 0.406)
    config = DataConfig(
        random_erasing=1.0,
        normalize=normalize,
        mean=mean,
        std=std if mean else None,
    )
    augment = Augmentation(config, "none", False, 0, (31, 37, 3), True)
    found = augment(tf.constant(pictures()), SEED).numpy()
    value = 255 * np.array(mean or (0.485, 0.456, 0.406))  # ImageNet's
    hit = np.abs(found - (0 if normalize else value)).max(-1) < 1e-4
    assert (hit.mean((1, 2)) > 0.015).all()
    assert (hit.mean((1, 2)) < 0.5).all()
    # A rectangle: as many rows times columns as pixels.
    for image in hit:
        assert image.any(0).sum() * image.any(1).sum() == image.sum()


@pytest.mark.parametrize(
    ("way", "kind"), [("memory", "cutmix_alpha"), ("files", "mixup_alpha")]
)
def test_batches_are_mixed_each_in_a_way_of_its_own(plain, way, kind):
    # An odd number of pairs, and for "memory" images that are left over.
    base = dataclasses.replace(plain(way), batch_size=10 if way == "files" else 111)
    before = load(base).train(2)
    after = load(dataclasses.replace(base, **{kind: 1.0})).train(2)
    partner = mixing.partners(base.batch_size)
    own = set()
    for (images, labels), (mixed, shares) in zip(before, after, strict=True):
        labels, shares = labels.numpy(), shares.numpy()
        pairs = labels != labels[partner]
        (share,) = np.unique(shares[np.arange(len(labels)), labels][pairs].round(5))
        own.add(share)
        one_hot = np.eye(shares.shape[1])[labels]
        expected = share * one_hot + (1 - share) * one_hot[partner]
        np.testing.assert_allclose(shares, expected, atol=1e-4)
        images, mixed = images.numpy(), mixed.numpy()
        others = images[partner]
        if kind == "mixup_alpha":
            expected = share * images + (1 - share) * others
            np.testing.assert_allclose(mixed, expected, atol=0.01)
        else:
            taken = (mixed == others) & (mixed != images)
            np.testing.assert_array_equal(np.where(taken, others, images), mixed)
            inside = taken.any((0, 3))
            assert inside.mean() <= 1 - share + 1e-4
    assert len(own) > 1


def test_an_order_with_repeats():
    plain = order_of(10, (1, 2))
    assert sorted(plain) == list(range(10))
    np.testing.assert_array_equal(order_of(10, (1, 2), 3), np.repeat(plain, 3)[:10])
    np.testing.assert_array_equal(order_of(4, None, 2), [0, 0, 1, 1])


@pytest.mark.parametrize("way", ["memory", "files"])
def test_images_are_repeated_in_a_row_and_augmented_otherwise(plain, way):
    config = dataclasses.replace(plain(way), repeated_augmentation=4)
    data = load(config)
    images, labels = stack(data.train(0))
    assert len(images) == data.steps_per_epoch * config.batch_size
    groups = labels[: len(labels) // 4 * 4].reshape(-1, 4)
    assert (groups == groups[:, :1]).all()
    pairs = images[: len(groups) * 4].reshape(-1, 4, *images.shape[1:])
    assert (pairs[:, 0] != pairs[:, 1]).any((1, 2, 3)).mean() > 0.9
    unmoved = dataclasses.replace(config, augment="none", flip=False)
    images = stack(load(unmoved).train(0))[0][: len(groups) * 4]
    pairs = images.reshape(-1, 4, *images.shape[1:])
    np.testing.assert_array_equal(pairs, np.repeat(pairs[:, :1], 4, 1))
    assert len(np.unique(pairs[:, 0].reshape(len(pairs), -1), axis=0)) > 0.8 * len(
        pairs
    )


@pytest.mark.parametrize(("start", "stop"), [(0, 5), (0, 3), (2, 5), (3, 4)])
def test_streamed_images_are_repeated_too(start, stop):
    def stream(seed, first, last):
        return tf.data.Dataset.zip((tf.data.Dataset.range(first, last),))

    unused = {"read": None, "name": None, "reason": None}
    split = RecordSplit(10, 4, (tf.int64,), stream, **unused)

    def numbers(portion):
        batches = split.fields((1, 2), portion)
        return [int(number) for _, (batch,) in batches for number in batch]

    shuffled = numbers(Portion(2, 0, 5))
    assert sorted(shuffled) == list(range(10)) != shuffled
    expected = np.repeat(shuffled, 3)[2 * start : 2 * stop].tolist()
    assert numbers(Portion(2, start, stop, repeats=3)) == expected


def test_configuration_round_trip():
    config = DataConfig(**EVERYTHING, pca_lighting=0.1)
    fields = json.loads(json.dumps(config.to_dict()))
    assert DataConfig.from_dict(fields) == config
    assert config.mixed
    assert not dataclasses.replace(config, mix_probability=0.0).mixed
    assert not DataConfig().mixed


@pytest.mark.parametrize(
    "options",
    [
        {"auto_augment": "augmix"},
        {"autoaugment_policy": "mnist"},
        {"auto_augment_interpolation": "bicubic"},
        {"auto_augment_fill": 256},
        {"auto_augment_fill": 0.5},
        {"randaugment_ops": -1},
        {"randaugment_ops": 1.5},
        {"randaugment_magnitude": 31},
        {"randaugment_magnitude": 11, "randaugment_space": "timm"},
        {"randaugment_magnitude": True},
        {"randaugment_magnitude_std": -0.5},
        {"randaugment_space": "keras"},
        {"colour_jitter": 1.5},
        {"pca_lighting": float("nan")},
        {"random_erasing": 1.1},
        {"erasing_mode": "mean"},
        {"mixup_alpha": -0.2},
        {"mixup_alpha": 0.001},
        {"cutmix_alpha": float("inf")},
        {"mix_probability": 2},
        {"repeated_augmentation": 0},
        {"batch_size": 1, "mixup_alpha": 0.2},
    ],
)
def test_impossible_configurations(options):
    with pytest.raises(ValueError, match="Received: ") as error:
        DataConfig(**options)
    assert str(error.value).startswith(next(iter(options)))


def test_lighting_needs_colours():
    with pytest.raises(ValueError, match=r"pca_lighting.*1 channel.*Received: 0.1"):
        load(DataConfig(pca_lighting=0.1))
