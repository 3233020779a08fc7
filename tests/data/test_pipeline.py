"""The batches of an epoch: what they hold, in which order, the same every time."""

import dataclasses
import functools
import json

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data import DataConfig, load


def stack(dataset):
    batches = [(x.numpy(), y.numpy()) for x, y in dataset]
    return [np.concatenate(part) for part in zip(*batches, strict=True)]


def assert_same(one, two):
    assert_equal(stack(one), stack(two))


def assert_equal(one, two):
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def differs(one, two):
    (x, _), (u, _) = next(iter(one)), next(iter(two))
    return bool((x.numpy() != u.numpy()).any())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes of 18 noisy pictures of many sizes, without a val folder."""
    root = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        (root / name).mkdir()
        for index in range(18):
            size = (*random.integers(20, 60, 2), 3)
            image = random.integers(0, 256, size).astype(np.uint8)
            encode = tf.io.encode_png if index % 2 else tf.io.encode_jpeg
            (root / name / f"{index}.jpg").write_bytes(encode(image).numpy())
    return root


@pytest.fixture(scope="module")
def configs(folder):
    """One configuration for each way through the pipeline."""
    return {
        "memory": DataConfig(image_size=24, batch_size=100),
        "memory, crops": DataConfig(
            image_size=24, batch_size=100, augment="random_resized_crop"
        ),
        "files": DataConfig(str(folder), image_size=16, batch_size=8),
        "files, pad": DataConfig(
            str(folder), image_size=16, batch_size=8, augment="pad_crop_flip"
        ),
    }


WAYS = ("memory", "memory, crops", "files", "files, pad")


@pytest.fixture(scope="module")
def loaded(configs):
    """Gives the data of a way."""
    return functools.cache(lambda way: load(configs[way]))


@pytest.fixture(scope="module")
def epoch(configs):
    """Gives images and labels of epoch 3 of a way, of data that had no other epoch."""
    return functools.cache(lambda way: stack(load(configs[way]).train(3)))


@pytest.fixture(scope="module")
def validation(loaded):
    """Gives images and labels of the validation of a way."""
    return functools.cache(lambda way: stack(loaded(way).validation()))


@pytest.mark.parametrize("way", WAYS)
def test_an_epoch_depends_on_its_number_alone(loaded, epoch, way):
    data = loaded(way)
    before = stack(data.train(1).take(2))[0]
    after = stack(data.train(3))
    assert_equal(after, epoch(way))
    assert (before != after[0][: len(before)]).any()


@pytest.mark.parametrize("way", WAYS)
def test_threads_change_nothing(loaded, epoch, way):
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    options.autotune.enabled = False
    assert_equal(stack(loaded(way).train(3).with_options(options)), epoch(way))


@pytest.mark.parametrize("way", WAYS)
def test_a_late_start_gives_the_rest_of_the_epoch(loaded, epoch, way):
    data = loaded(way)
    steps = data.steps_per_epoch
    rest = [part[(steps - 2) * data.batch_size :] for part in epoch(way)]
    assert_equal(stack(data.train(3, steps - 2)), rest)
    assert len(rest[0]) == 2 * data.batch_size
    assert len(list(data.train(3, steps))) == 0


@pytest.mark.parametrize("way", WAYS)
def test_shapes_types_and_range(configs, loaded, epoch, way):
    config = configs[way]
    data = loaded(way)
    steps = data.train_size // config.batch_size
    assert data.steps_per_epoch == steps
    train = data.train(3)
    assert train.cardinality() == steps
    images, labels = train.element_spec
    assert images.shape == (config.batch_size, *data.image_shape)
    assert labels.shape == (config.batch_size,)
    assert (images.dtype, labels.dtype) == (tf.float32, tf.int32)
    x, y = epoch(way)
    assert len(x) == len(y) == steps * config.batch_size
    assert x.min() >= 0
    assert 200 < x.max() < 255.5
    assert set(np.unique(y)) <= set(range(data.num_classes))


@pytest.mark.parametrize("way", ["memory", "files"])  # the others' are the same
def test_validation_is_complete_and_fixed(configs, loaded, validation, way):
    found = validation(way)
    assert len(found[0]) == loaded(way).validation_size
    assert_equal(found, stack(load(configs[way]).validation()))


@pytest.mark.parametrize("way", WAYS)
def test_evaluation_at_another_size(configs, loaded, epoch, validation, way):
    config = dataclasses.replace(configs[way], evaluation_size=20, crop_fraction=0.8)
    data, plain = load(config), loaded(way)
    assert data.image_shape == plain.image_shape
    assert data.evaluation_shape == (20, 20, data.image_shape[-1])
    expected = epoch(way)
    if way == "files, pad":  # there crop_fraction is training's too
        cropped = load(dataclasses.replace(configs[way], crop_fraction=0.8))
        expected = stack(cropped.train(3))
    assert_equal(stack(data.train(3)), expected)
    images, labels = stack(data.validation())
    assert images.shape == (data.validation_size, 20, 20, data.image_shape[-1])
    np.testing.assert_array_equal(labels, validation(way)[1])
    if way.startswith("files"):
        large = load(dataclasses.replace(config, image_size=20, evaluation_size=None))
        assert_equal((images, labels), stack(large.validation()))


def test_validation_counts_each_image_once_whatever_the_batch():
    expected = stack(load(DataConfig(image_size=8, batch_size=360)).validation())
    for size in (1, 7, 128):
        found = stack(load(DataConfig(image_size=8, batch_size=size)).validation())
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_array_equal(a, b)
    images = load(DataConfig(image_size=8))._source.validation.load()[0]
    np.testing.assert_array_equal(expected[0], images)


def test_an_epoch_has_every_training_image_once():
    data = load(DataConfig(image_size=8, batch_size=479, augment="none"))  # 3 * 479
    images, labels = stack(data.train(4))
    stored, targets = data._source.train.load()

    def rows(x, y):
        return sorted(zip((i.astype(np.uint8).tobytes() for i in x), y, strict=True))

    assert rows(images, labels) == rows(stored, targets)
    assert (labels != targets).any()  # shuffled


def test_seeds_differ_and_epochs_of_one_are_not_those_of_the_next():
    one, two = (load(DataConfig(image_size=8, seed=seed)) for seed in (0, 1))
    assert differs(one.train(0), two.train(0))
    assert differs(one.train(1), two.train(0))


def test_digits_are_moved_never_mirrored():
    plain = load(DataConfig(image_size=8, batch_size=479, augment="none"))
    moved = load(DataConfig(image_size=8, batch_size=479, pad=1))
    assert (moved.augment, moved.flip, moved.pad) == ("pad_crop", False, 1)
    before, after = stack(plain.train(0))[0], stack(moved.train(0))[0]
    padded = np.pad(before, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = [
        padded[:, down : down + 8, right : right + 8]
        for down in range(3)
        for right in range(3)
    ]
    hits = np.array([(window == after).all((1, 2, 3)) for window in windows])
    assert hits.any(0).all()  # each is one of the nine shifts
    assert (hits.mean(1) > 0.08).all()  # and all nine are taken


def test_about_half_are_mirrored_where_that_is_asked_for():
    plain = load(DataConfig(image_size=8, batch_size=479, augment="none"))
    mirrored = load(DataConfig(image_size=8, batch_size=479, augment="none", flip=True))
    before, after = stack(plain.train(0))[0], stack(mirrored.train(0))[0]
    same = (before == after).all((1, 2, 3))
    assert (same | (before[:, :, ::-1] == after).all((1, 2, 3))).all()
    assert abs(same.mean() - 0.5) < 0.06


def test_an_images_crop_depends_on_its_place_not_on_its_batch(folder):
    options = {"name": str(folder), "image_size": 16, "flip": False}
    one = stack(load(DataConfig(batch_size=16, **options)).train(0))
    two = stack(load(DataConfig(batch_size=4, **options)).train(0))
    np.testing.assert_array_equal(one[0][:32], two[0][:32])


def test_normalize():
    raw = load(DataConfig(image_size=8))
    options = {"normalize": True, "mean": (0.3,), "std": (0.4,)}
    done = load(DataConfig(image_size=8, **options))
    for dataset in ("validation", "train"):
        arguments = (1,) if dataset == "train" else ()
        x = stack(getattr(raw, dataset)(*arguments))[0]
        u = stack(getattr(done, dataset)(*arguments))[0]
        np.testing.assert_allclose(u, (x / 255 - 0.3) / 0.4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "augment", "flip"),
    [
        ("digits", "pad_crop", False),
        ("digits", "random_resized_crop", False),
        ("folder", "random_resized_crop", True),
        ("folder", "pad_crop", False),
        ("folder", "none", False),
    ],
)
def test_what_auto_means(folder, name, augment, flip):
    asked = "auto" if augment != "none" else "none"
    if (name, augment) in {("digits", "random_resized_crop"), ("folder", "pad_crop")}:
        asked = augment
    where = str(folder) if name == "folder" else None
    data = load(DataConfig(name, where, 16, 8, asked))
    assert (data.augment, data.flip) == (augment, flip)


@pytest.mark.parametrize(
    "name", ["mnist", "svhn_cropped", "emnist/letters", "kmnist:3"]
)
def test_letters_and_digits_are_not_mirrored(name):
    assert not DataConfig(name).mirrored
    assert DataConfig("cifar10").mirrored


def test_under_mirrored_strategy(configs):
    strategy = tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
    data = load(configs["memory"])
    for name, arguments in (("train", (0,)), ("validation", ())):
        expected = getattr(data, name)(*arguments)
        distributed = strategy.experimental_distribute_dataset(expected)
        batches = [
            [tf.concat(strategy.experimental_local_results(p), 0) for p in parts]
            for parts in distributed
        ]
        assert_same(expected, batches)
    with strategy.scope():
        assert_same(data.train(0), load(configs["memory"]).train(0))


def test_first_use_inside_a_function():
    data = load(DataConfig(image_size=8, batch_size=200))

    @tf.function
    def count():
        number = 0
        for images, _ in data.train(0):
            number += tf.shape(images)[0]
        return number

    assert count() == 1400
    assert len(stack(data.train(0))[0]) == 1400


def test_configuration_round_trip():
    config = DataConfig(
        "folder:/x", image_size=64, normalize=True, mean=[0.5] * 3, std=[0.2] * 3
    )
    fields = json.loads(json.dumps(config.to_dict()))
    assert DataConfig.from_dict(fields) == config
    assert hash(config) == hash(DataConfig.from_dict(fields))
    with pytest.raises(ValueError, match=r"DataConfig does not know \['colour'\]"):
        DataConfig.from_dict({"colour": 1})


@pytest.mark.parametrize(
    "options",
    [
        {"name": ""},
        {"image_size": 0},
        {"image_size": -32},
        {"image_size": 32.0},
        {"batch_size": 0},
        {"batch_size": True},
        {"augment": "flip"},
        {"pad": -1},
        {"seed": -1},
        {"crop_area": (0.5, 0.1)},
        {"crop_area": (0.0, 1.0)},
        {"crop_aspect": (1.0,)},
        {"crop_fraction": 0.0},
        {"validation_fraction": 1.0},
        {"cache": "always"},
        {"normalize": True},
        {"mean": (0.5,), "std": (0.0,)},
    ],
)
def test_impossible_configurations(options):
    with pytest.raises(ValueError, match="Received: ") as error:
        DataConfig(**options)
    assert next(iter(options)) in str(error.value) or "std" in str(error.value)


def test_configurations_that_do_not_fit_the_data():
    with pytest.raises(ValueError, match=r"at most the 1437.*Received: 1438"):
        load(DataConfig(batch_size=1438))
    with pytest.raises(ValueError, match="mean must have 1 values"):
        load(DataConfig(normalize=True, mean=(0.5,) * 3, std=(0.2,) * 3))


@pytest.mark.parametrize("arguments", [(-1,), (0, -1), (0, 12)])
def test_impossible_epochs(arguments):
    with pytest.raises(ValueError, match="Received: epoch="):
        load(DataConfig()).train(*arguments)
