"""Where images come from, and what is said when they do not."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data import DataConfig, load
from keras_regnet.data.folders import check
from keras_regnet.data.sources import parts
from keras_regnet.files import keras_home

REAL_DATA = os.environ.get("KERAS_REGNET_TEST_DATA", "")
needs_real_data = pytest.mark.skipif(
    not Path(REAL_DATA, "tfds").is_dir(), reason="KERAS_REGNET_TEST_DATA is not set"
)


def write(path, value=0, size=(20, 24), kind="jpg"):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(value).integers(0, 60, (*size, 3))
    image = np.clip(noise + value, 0, 255).astype(np.uint8)
    encode = {"jpg": tf.io.encode_jpeg, "png": tf.io.encode_png}[kind]
    path.write_bytes(encode(image).numpy())
    return path


@pytest.fixture
def pictures(tmp_path):
    """Two classes, dark and light, 10 + 4 each."""
    for part, count in (("train", 10), ("val", 4)):
        for name, value in (("dark", 20), ("light", 180)):
            for index in range(count):
                kind = "png" if index % 3 == 0 else "jpg"
                file = tmp_path / part / name / f"{index}.{kind}"
                write(file, value + index, kind=kind)
    return tmp_path


def config(root, **options):
    return DataConfig(f"folder:{root}", image_size=16, batch_size=4, **options)


# Digits


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    data = load(DataConfig(image_size=8))
    assert (data.train_size, data.validation_size) == (1437, 360)
    assert data.class_names == tuple("0123456789")
    images = np.concatenate([x for x, _ in data.validation()])
    labels = np.concatenate([y for _, y in data.validation()])
    assert np.bincount(labels).tolist() == [36] * 10
    numbers = load_digits()
    originals = {
        np.rint(image * 255 / 16).astype(np.uint8).tobytes(): target
        for image, target in zip(numbers.images, numbers.target, strict=True)
    }
    for image, label in zip(images.astype(np.uint8), labels, strict=True):
        assert originals[image.tobytes()] == label


def test_digits_held_out_are_in_no_training_batch():
    data = load(DataConfig(image_size=8, batch_size=1, augment="none"))
    held_out = {x.tobytes() for batch, _ in data.validation() for x in batch.numpy()}
    source = data._source.train.load()[0].astype(np.float32)
    twins = sum(image.tobytes() in held_out for image in source)
    assert twins == 0


def test_digits_held_out_do_not_depend_on_the_seed():
    one, two = (load(DataConfig(image_size=8, seed=seed)) for seed in (0, 5))
    for (x, y), (u, v) in zip(one.validation(), two.validation(), strict=True):
        np.testing.assert_array_equal(x, u)
        np.testing.assert_array_equal(y, v)


# TFDS


def test_an_unknown_name_gets_near_names():
    with pytest.raises(
        ValueError, match=r"fashion_mnist.*Received: name='fashon_mnist'"
    ):
        load(DataConfig("fashon_mnist"))


@pytest.mark.parametrize("name", ["Fashion MNIST", "fashion_mnist:9.9.9", "mnist/nope"])
def test_an_impossible_name_is_refused(name):
    with pytest.raises(ValueError, match="Received: name="):
        load(DataConfig(name))


def test_nothing_is_downloaded_unasked(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        load(DataConfig("cifar10", data_dir=str(tmp_path)))
    message = str(error.value)
    assert f"tfds build cifar10 --data_dir={tmp_path}`" in message
    assert "download=True" in message
    assert message.endswith(f"Received: name='cifar10', data_dir={str(tmp_path)!r}")
    assert not list(tmp_path.iterdir())


def test_a_data_set_without_images_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"image \(Image\) and label.*Received:.*Text"):
        load(DataConfig("imdb_reviews", data_dir=str(tmp_path)))


@pytest.mark.parametrize("cache", [True, False])
def test_tfds_in_memory_and_streamed(tiny_fashion_mnist, cache):
    config = DataConfig(
        "fashion_mnist", tiny_fashion_mnist, cache=cache, batch_size=16, image_size=32
    )
    data = load(config)
    assert (data.train_size, data.validation_size) == (240, 60)
    assert (data.augment, data.flip, data.pad) == ("pad_crop_flip", True, 4)
    assert data.class_names[9] == "Ankle boot"
    labels = np.concatenate([y for _, y in data.validation()])
    assert np.bincount(labels).tolist() == [6] * 10
    whole = list(data.train(1))
    assert len(whole) == 15
    for (x, y), (u, v) in zip(whole[13:], data.train(1, 13), strict=True):
        np.testing.assert_array_equal(x, u)
        np.testing.assert_array_equal(y, v)


def test_a_share_of_each_class_is_held_out_in_memory_as_in_streams(
    tiny_fashion_mnist, tmp_path, monkeypatch
):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    found = []
    for cache in (True, False):
        data = load(
            DataConfig(
                "fashion_mnist",
                tiny_fashion_mnist,
                hold_out=True,
                validation_fraction=0.1,
                cache=cache,
            )
        )
        assert (data.train_size, data.validation_size) == (220, 20)
        batches = list(data.validation())
        labels = np.concatenate([y for _, y in batches])
        assert np.bincount(labels).tolist() == [2] * 10
        found.append(
            sorted(x.tobytes() for images, _ in batches for x in images.numpy())
        )
    assert found[0] == found[1]


@pytest.mark.real_data
@needs_real_data
def test_fashion_mnist():
    root = str(Path(REAL_DATA, "tfds"))
    data = load(DataConfig("fashion_mnist", root, cache=False, shuffle_buffer=200))
    assert (data.train_size, data.validation_size) == (60_000, 10_000)
    labels = np.concatenate([y for _, y in data.validation()])
    assert np.bincount(labels).tolist() == [1000] * 10
    assert next(iter(data.train(0)))[0].shape == (128, 28, 28, 1)


@pytest.mark.real_data
@needs_real_data
def test_hymenoptera():
    root = Path(REAL_DATA, "hymenoptera")
    data = load(DataConfig(str(root), image_size=64, batch_size=32))
    assert data.class_names == ("ants", "bees")
    assert (data.train_size, data.validation_size) == (244, 153)
    assert data.skipped_images() == 0
    assert sum(len(y) for _, y in data.validation()) == 153
    assert sum(len(y) for _, y in data.train(0)) == 224


# Folders


def test_folder_with_train_and_val(pictures):
    data = load(config(pictures))
    assert data.class_names == ("dark", "light")
    assert (data.train_size, data.validation_size) == (20, 8)
    for dataset in (data.train(0), data.validation()):
        for images, labels in dataset:
            bright = images.numpy().mean((1, 2, 3)) > 130
            np.testing.assert_array_equal(bright, labels == 1)


@pytest.mark.parametrize("name", ["validation", "valid", "test"])
def test_other_names_of_the_validation_folder(pictures, name):
    (pictures / "val").rename(pictures / name)
    data = load(DataConfig(str(pictures), image_size=16, batch_size=4))
    assert data.validation_size == 8


def test_folder_through_data_dir(pictures):
    data = load(DataConfig("folder", str(pictures), image_size=16, batch_size=4))
    assert data.train_size == 20
    with pytest.raises(ValueError, match="Received: name='folder', data_dir=None"):
        load(DataConfig("folder"))


def test_folder_divided_by_fraction(pictures):
    root = pictures / "train"
    data = load(config(root, validation_fraction=0.3))
    parts = [
        set(split.paths) for split in (data._source.train, data._source.validation)
    ]
    assert [len(part) for part in parts] == [14, 6]
    assert not parts[0] & parts[1]
    labels = np.concatenate([y for _, y in data.validation()])
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]
    # The seed of a run has no say in it, split_seed has.
    same = load(config(root, validation_fraction=0.3, seed=9))
    assert same._source.validation.paths == data._source.validation.paths
    other = load(config(root, validation_fraction=0.3, split_seed=1))
    assert other._source.validation.paths != data._source.validation.paths


def test_hold_out_leaves_the_validation_folder_alone(pictures):
    data = load(config(pictures, validation_fraction=0.3, hold_out=True))
    assert (data.train_size, data.validation_size) == (14, 6)
    paths = (*data._source.train.paths, *data._source.validation.paths)
    assert not [path for path in paths if "/train/" not in path]


def test_hold_out_leaves_the_test_part_alone():
    sizes = {"train": 60, "test": 10}
    own = parts(DataConfig("fashion_mnist"), sizes)
    assert own == (("train", 60), ("test", 10))
    kept = parts(DataConfig("fashion_mnist", hold_out=True), sizes)
    assert kept == (("train", 54), ("train", 6))
    with pytest.raises(ValueError, match="hold_out must be False: digits"):
        DataConfig("digits", hold_out=True)


def test_added_images_move_no_others_across(pictures):
    root = pictures / "train"
    before = set(load(config(root, validation_fraction=0.4))._source.train.paths)
    write(root / "dark" / "a_new_one.jpg", 25)
    after = set(load(config(root, validation_fraction=0.4))._source.train.paths)
    assert len(before - after) <= 1  # at most one gives way


# Symbolic links


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("dark/self", "."),
        ("dark/up", ".."),
        ("dark/top", "../.."),
        ("dark/l", "../light"),
    ],
)
def test_links_to_folders_multiply_nothing_and_mix_no_classes(pictures, link, target):
    root = pictures / "train"
    before = load(config(root))
    (root / link).symlink_to(target)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        after = load(config(root))
    for part in ("train", "validation"):
        one, two = (getattr(data._source, part) for data in (before, after))
        assert (one.paths, one.labels) == (two.paths, two.labels)


def test_a_file_that_several_links_lead_to_counts_once(pictures, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    write(outside / "x.png", 99, kind="png")
    for part, name in (("train", "dark"), ("train", "light"), ("val", "light")):
        (pictures / part / name / "x.png").symlink_to(outside / "x.png")
    (pictures / "val" / "dark" / "from_train.jpg").symlink_to(
        pictures / "train" / "dark" / "1.jpg"
    )
    with pytest.warns(UserWarning, match="3 of 32 images are left out because symb"):
        data = load(config(pictures))
    assert (data.train_size, data.validation_size) == (20, 9)
    paths = data._source.validation.paths
    assert [path for path in paths if path.endswith("x.png")] == [
        str(pictures / "val" / "light" / "x.png")
    ]
    assert not [path for path in paths if "from_train" in path]


def test_a_class_of_links_to_another_is_refused(pictures):
    root = pictures / "train"
    (root / "twin").symlink_to("dark")
    with (
        pytest.warns(UserWarning, match="more than once"),
        pytest.raises(ValueError, match=r"class 'twin' are symbolic links.*Received"),
    ):
        load(config(root))


def test_classes_that_are_links_to_elsewhere(pictures, tmp_path):
    for name in ("dark", "light"):
        (tmp_path / "linked").mkdir(exist_ok=True)
        (tmp_path / "linked" / name).symlink_to(pictures / "train" / name)
    data = load(config(tmp_path / "linked"))
    assert data.train_size + data.validation_size == 20


# Remote folders, and evaluation alone


def test_a_remote_folder_is_read_through_tensorflow(pictures, monkeypatch):
    for file in (pictures / "train").rglob("*.*"):
        path = f"ram://images/{file.parent.name}/{file.name}"
        tf.io.gfile.makedirs(os.path.dirname(path))
        with tf.io.gfile.GFile(path, "wb") as target:
            target.write(file.read_bytes())
    monkeypatch.chdir(pictures)
    local = load(config(pictures / "train"))
    data = load(config("ram://images"))
    for name in ("ram://images", "ram://images/"):
        same = load(DataConfig(name, image_size=16, batch_size=4))
        assert same._source.train.paths == data._source.train.paths
    for one, two in (
        (local.train(0), data.train(0)),
        (local.validation(), data.validation()),
    ):
        for (x, y), (u, v) in zip(one, two, strict=True):
            np.testing.assert_array_equal(x, u)
            np.testing.assert_array_equal(y, v)
    for name in ("folder:ram://no", "tfrecord:ram://no", "ram://no"):
        with pytest.raises(FileNotFoundError, match=r"missing.*Received: ram://no"):
            load(DataConfig(name))
    assert sorted(path.name for path in pictures.iterdir()) == ["train", "val"]


def test_the_cache_must_be_local(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_HOME", "gs://bucket/keras")
    with pytest.raises(ValueError, match="Received: KERAS_HOME='gs://bucket/keras'"):
        keras_home()


def test_evaluation_needs_no_training_images(pictures):
    big = DataConfig(str(pictures), image_size=16, batch_size=64)
    with pytest.raises(ValueError, match="at most the 20 training images"):
        load(big)
    data = load(big, training=False)
    assert [len(y) for _, y in data.validation()] == [8]
    for name in ("dark", "light"):
        remove(pictures / "train" / name)
    (pictures / "train").rmdir()
    data = load(big, training=False)
    assert (data.train_size, data.validation_size) == (0, 8)
    assert [y.numpy().tolist() for _, y in data.validation()] == [[0] * 4 + [1] * 4]


def test_damaged_images_are_named_and_counted(pictures):
    dark = pictures / "train" / "dark"
    whole = (dark / "1.jpg").read_bytes()
    (dark / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (dark / "empty.jpg").write_bytes(b"")
    (dark / "text.png").write_bytes(b"this is not a picture")
    (dark / "png_in_truth.jpg").write_bytes((dark / "0.png").read_bytes())
    cut = (dark / "0.png").read_bytes()
    (pictures / "val" / "light" / "cut.png").write_bytes(cut[:-200])
    with pytest.warns(UserWarning, match="skipped") as caught:
        data = load(config(pictures))
    text = "\n".join(str(warning.message) for warning in caught)
    for name in ("truncated.jpg", "empty.jpg", "text.png", "cut.png"):
        assert text.count(name) == 1
    assert "empty.jpg: the file is empty" in text
    assert "text.png: Unknown image file format" in text
    assert "{{" not in text
    assert "png_in_truth" not in text
    assert "4 of 33 images were skipped" in text
    assert data.skipped_images() == 4
    assert (data.train_size, data.validation_size) == (21, 8)
    assert sum(len(y) for _, y in data.train(0)) == 20
    assert sum(len(y) for _, y in data.validation()) == 8


def test_files_of_other_kinds_are_named_once_and_counted(pictures):
    (pictures / "train" / "dark" / "notes.txt").write_text("no picture")
    (pictures / "val" / "light" / "Thumbs.db").write_bytes(b"no picture")
    (pictures / "val" / "light" / ".DS_Store").write_bytes(b"hidden")
    with pytest.warns(UserWarning, match="Left out 2 files") as caught:
        data = load(config(pictures))
    text = "\n".join(str(warning.message) for warning in caught)
    assert text.count("notes.txt") == text.count("Thumbs.db") == 1
    assert ".DS_Store" not in text
    assert data.skipped_images() == 2
    assert (data.train_size, data.validation_size) == (20, 8)
    with pytest.raises(ValueError, match=r"2 files .* Received: .*notes\.txt"):
        load(config(pictures, strict=True))


def test_class_counts(pictures):
    (pictures / "train" / "dark" / "0.png").unlink()
    data = load(config(pictures))
    assert data.class_counts() == (9, 10)
    assert sum(load(DataConfig("digits")).class_counts()) == 1437


def test_a_picture_that_would_fill_the_memory_is_left_out(tmp_path):
    small = write(tmp_path / "bomb.png", kind="png").read_bytes()
    side = (30_000).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(small[:16] + side + side + small[24:])
    with pytest.warns(UserWarning, match="30000 x 30000 pixels are too many"):
        assert list(check([str(tmp_path / "bomb.png")]))


def test_good_images_give_no_warning(pictures):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check([str(path) for path in pictures.rglob("*.*")]) == {}


def test_cmyk_jpeg(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for name in ("a", "b"):
        for index in range(2):
            file = tmp_path / name / f"{index}.jpg"
            file.parent.mkdir(exist_ok=True)
            image.new("CMYK", (20, 20), (0, 200, 200, 0)).save(file)
    data = load(DataConfig(str(tmp_path), image_size=8, batch_size=2))
    image = next(iter(data.validation()))[0].numpy()[0]
    assert image.shape == (8, 8, 3)
    assert image[..., 0].mean() > 100 + image[..., 1].mean()  # red


def test_webp(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for index in range(3):
            picture = image.new("RGB", (20, 20), "red")
            if (name, index) == ("a", 0):  # a transparent one
                picture = image.new("RGBA", (20, 20), (255, 0, 0, 99))
            picture.save(tmp_path / name / f"{index}.webp")
    data = load(DataConfig(str(tmp_path), image_size=8, batch_size=2))
    assert (data.train_size, data.validation_size) == (4, 2)


def test_gif_gives_its_first_frame(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for index in range(2):
            frames = [image.new("RGB", (20, 20), c) for c in ("red", "blue")]
            file = tmp_path / name / f"{index}.gif"
            frames[0].save(file, save_all=True, append_images=frames[1:])
    data = load(DataConfig(str(tmp_path), image_size=8, batch_size=2))
    mean = next(iter(data.train(0)))[0].numpy().mean((0, 1, 2))
    np.testing.assert_allclose(mean, (255, 0, 0), atol=2)


def remove(path):
    for file in path.iterdir():
        file.unlink()
    path.rmdir()


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda root: remove(root / "val" / "dark"), r"Only in train: \['dark'\]"),
        (lambda root: write(root / "val" / "x" / "0.jpg"), r"only in val: \['x'\]"),
        (lambda root: (root / "train" / "void").mkdir(), r"without images: \['void'\]"),
        (lambda root: remove(root / "train" / "dark"), "one class only"),
    ],
)
def test_unfit_folders(pictures, prepare, message):
    prepare(pictures)
    with pytest.raises(ValueError, match=message) as error:
        load(config(pictures))
    assert "Received: " in str(error.value)


def test_folders_with_nothing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Received: .*nowhere"):
        load(DataConfig(f"folder:{tmp_path}/nowhere"))
    with pytest.raises(ValueError, match="has no folders"):
        load(config(tmp_path))
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.tif").write_bytes(b"x")
    with pytest.raises(ValueError, match="has no images"):
        load(config(tmp_path))
    write(tmp_path / "b" / "0.jpg")
    with pytest.raises(
        ValueError, match=r"without images: \['a'\].*other kinds: \[1\]"
    ):
        load(config(tmp_path))
    write(tmp_path / "a" / "0.jpg")
    with pytest.raises(ValueError, match="too few images to hold some out"):
        load(config(tmp_path))


def test_a_class_of_damaged_images_is_an_error(pictures):
    for file in (pictures / "train" / "dark").iterdir():
        file.write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="empty"),
        pytest.raises(ValueError, match="None of the 10 files of class 'dark'"),
    ):
        load(config(pictures))


@pytest.mark.parametrize("name", ["val", "test"])
def test_a_part_to_evaluate_on_is_no_class_beside_the_others(tmp_path, name):
    for folder in ("dark", "light", f"{name}/dark", f"{name}/light"):
        for index in range(2):
            write(tmp_path / folder / f"{index}.jpg", index)
    for options in ({}, {"hold_out": True}):
        with pytest.raises(ValueError, match=r"into .*train\. Received: \['dark', 'li"):
            load(config(tmp_path, **options))
    assert load(config(tmp_path), training=False).validation_size == 4
    os.rename(tmp_path / name / "dark", tmp_path / name / "0")
    os.rename(tmp_path / name / "light", tmp_path / name / "1")
    assert load(config(tmp_path)).class_names == ("dark", "light", name)


def test_a_class_with_one_image_keeps_it_for_training(tmp_path):
    """As of records; and a share is never all of a class."""
    for name, count in (("a", 7), ("b", 1), ("c", 2)):
        for index in range(count):
            write(tmp_path / name / f"{index}.jpg", index)
    for fraction, held_out in ((0.1, [1, 0, 1]), (0.95, [6, 0, 1])):
        with pytest.warns(UserWarning, match="1 of 3 classes have one image alone"):
            data = load(
                DataConfig(
                    f"folder:{tmp_path}",
                    image_size=16,
                    batch_size=2,
                    validation_fraction=fraction,
                )
            )
        assert data.class_counts() == tuple(np.subtract((7, 1, 2), held_out))
        labels = np.concatenate([labels for _, labels in data.validation()])
        assert np.bincount(labels, minlength=3).tolist() == held_out
