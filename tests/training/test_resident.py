"""Training on resident data, beside the ordinary trainer and the ordinary data."""

import csv
import importlib.util
import json
import os
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data import DataConfig, describe, load, transforms
from keras_regnet.data.description import has_own_validation
from keras_regnet.training import Trainer, configure
from keras_regnet.training.checkpoints import list_checkpoints, read_checkpoint
from keras_regnet.training.evaluation import evaluate_data
from keras_regnet.training.losses import cross_entropy
from keras_regnet.training.metrics import MetricsFile
from keras_regnet.training.resident import check_resident, train_resident
from keras_regnet.training.resident_data import load_resident
from keras_regnet.training.saved_run import load_data, load_run
from tests.data.pictures import pictures
from tests.data.records import example, jpeg, write_file, write_records
from tests.training.resident_cases import ROOT, configured

needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="JAX is not installed"
)


def run_case(*arguments, returncode=0):
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.resident_cases", *map(str, arguments)],
        env=os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == returncode, done.stderr[-3000:] + done.stdout[-1000:]
    return done


# --- Data ----------------------------------------------------------------------------


def ordinary(config):
    """All validation images and labels, and the first training batch's labels."""
    data = load(config)
    images, labels = zip(*data.validation().as_numpy_iterator(), strict=True)
    first = next(data.train(1).as_numpy_iterator())
    return data, np.concatenate(images), np.concatenate(labels), first


def assert_same(config, atol=0.0, ordered=True):
    mine = load_resident(config)
    data, images, labels, first = ordinary(config)
    assert mine.class_names == data.class_names
    assert mine.image_shape == data.image_shape
    assert (mine.augment, mine.flip, mine.pad) == (data.augment, data.flip, data.pad)
    assert mine.centre_cropped == data.centre_cropped
    assert mine.hold_out == data.hold_out
    assert mine.steps_per_epoch == data.steps_per_epoch
    np.testing.assert_array_equal(mine.validation.labels, labels)
    np.testing.assert_allclose(mine.validation.images, images, atol=atol)
    if ordered:  # the same order, and here the same pixels in training
        rows = mine.order(1)[: config.batch_size]
        np.testing.assert_array_equal(mine.train.labels[rows], first[1])
        np.testing.assert_array_equal(mine.train.images[rows], first[0])
    return mine


@pytest.mark.parametrize("size", [None, 16, 23])
def test_digits_are_those_of_the_ordinary_data(size):
    assert_same(DataConfig("digits", image_size=size, augment="none", batch_size=64))


@pytest.mark.parametrize("separate", [True, False])
def test_npz_in_both_trainers(tmp_path, separate):
    images = pictures()[np.arange(40) % 4]
    labels = np.arange(40) % 4
    arrays = {"x_train": images, "y_train": labels[:, None]}
    if separate:
        arrays |= {"x_test": images[:7, ..., :], "y_test": labels[:7]}
    np.savez(tmp_path / "a.npz", class_names=list("abcd"), **arrays)
    config = DataConfig(f"npz:{tmp_path / 'a.npz'}", augment="none", batch_size=8)
    data = assert_same(config)
    assert data.class_names == ("a", "b", "c", "d")
    assert len(data.validation.labels) == (7 if separate else 4)
    assert has_own_validation(config) is separate
    assert describe(config).train_size == len(data.train.labels)
    assert data.train.images.shape[1:] == (31, 37, 3)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x_train": np.zeros((2, 8, 8), np.uint8)}, "x_train and y_train"),
        ({"x_train": np.zeros((2, 8, 8)), "y_train": [0, 1]}, "float64"),
        ({"x_train": np.zeros((2, 8, 8), np.uint8), "y_train": [0.5, 1]}, "float64"),
        ({"x_train": np.zeros((2, 8, 8), np.uint8), "y_train": [-1, 1]}, "from -1 on"),
    ],
)
def test_npz_of_another_kind_is_refused(tmp_path, arrays, words):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=words):
        load(DataConfig(f"npz:{tmp_path / 'a.npz'}"))


def test_npz_that_is_none_is_refused(tmp_path):
    (tmp_path / "a.npz").write_text("no")
    with pytest.raises(ValueError, match=r"numpy\.savez"):
        load(DataConfig(f"npz:{tmp_path / 'a.npz'}"))
    with pytest.raises(FileNotFoundError, match="missing"):
        load(DataConfig("npz:/nowhere.npz"))
    with pytest.raises(ValueError, match="needs its path"):
        load(DataConfig("npz"))


@pytest.mark.parametrize("held_out", [False, True])
def test_tfrecords_are_those_of_the_ordinary_data(tmp_path, held_out):
    """Centre crops as Pillow rounds them; held out are the same records."""
    write_records(tmp_path, "train", [20, 20], names=("ant", "bee"))
    write_records(tmp_path, "validation", [6], names=("ant", "bee"))
    config = DataConfig(
        f"tfrecord:{tmp_path}",
        image_size=16,
        augment="none",
        batch_size=8,
        hold_out=held_out,
        validation_fraction=0.2,
    )
    data = assert_same(config, atol=0.51, ordered=False)
    assert data.class_names == ("ant", "bee")
    assert len(data.train.labels) == (32 if held_out else 40)
    # Crops of small images of one size are cut from the whole ones.
    crops = DataConfig(f"tfrecord:{tmp_path}", image_size=16, batch_size=8)
    assert load_resident(crops).train.images.shape == (40, 24, 28, 3)


def test_a_damaged_image_is_left_out_and_a_damaged_file_refused(tmp_path):
    good = [example(jpeg(9 * n), n % 2) for n in range(9)]
    bad = example(jpeg(0)[:90], 1)
    write_file(tmp_path / "train-00000-of-00001", [*good, bad])
    write_file(tmp_path / "validation-00000-of-00001", good)
    config = DataConfig(f"tfrecord:{tmp_path}", image_size=16, batch_size=8)
    with pytest.warns(UserWarning, match="1 images are left out"):
        data = load_resident(config)
    assert data.problems.names == ("train-00000-of-00001:9",)
    assert len(data.train.labels) == 9
    strict = DataConfig(
        f"tfrecord:{tmp_path}", image_size=16, batch_size=8, strict=True
    )
    with pytest.raises(ValueError, match="none may be left out"):
        load_resident(strict)
    path = tmp_path / "train-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[3] ^= 1  # a bit of the first length
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no record at byte 0"):
        load_resident(config)


@pytest.mark.parametrize("parts", [("train", "val"), ()])
def test_folders_are_those_of_the_ordinary_data(tmp_path, parts):
    for part in parts or (".",):
        for name in ("a", "b"):
            (tmp_path / part / name).mkdir(parents=True)
            for number, image in enumerate(pictures()):
                tf.io.write_file(
                    str(tmp_path / part / name / f"{number}.png"),
                    tf.io.encode_png(image[: 20 + number]),
                )
    config = DataConfig(
        f"folder:{tmp_path}",
        image_size=16,
        augment="none",
        batch_size=2,
        evaluation_size=12,
    )
    data = assert_same(
        DataConfig(f"folder:{tmp_path}", image_size=16, augment="none", batch_size=2),
        atol=1.0,  # Pillow rounds twice
        ordered=False,
    )
    assert data.validation.names[0].endswith(".png")
    assert load_resident(config).validation.images.shape[1:] == (12, 12, 3)


@pytest.mark.real_data
def test_fashion_mnist_from_its_records():
    from tests.real_data import real_data

    folder = str(real_data("tfds"))
    assert_same(DataConfig("fashion_mnist", data_dir=folder, augment="none"))


# --- Fields --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("data", "colour_jitter", 0.4),
        ("data", "auto_augment", "randaugment"),
        ("data", "repeated_augmentation", 2),
        ("training", "accumulation", 2),
        ("training", "precise_bn_images", 64),
        ("model", "precision", "mixed_float16"),
    ],
)
def test_a_field_that_it_does_not_know_is_refused_by_name(section, name, value):
    with pytest.raises(ValueError, match=f"^{name} must be .* Received: {value!r}"):
        check_resident(configure(**{section: {name: value}}))


def test_it_needs_jax(tmp_path):
    with pytest.raises(ValueError, match=r"KERAS_BACKEND=jax.* Received: tensorflow"):
        train_resident(configure(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


# --- Steps ---------------------------------------------------------------------------


def ordinary_run(folder, precision):
    """The ordinary trainer's run of `resident_cases`, and its first gradients."""
    run = configured(folder, precision)
    data = load(run.data)
    network = run.model.build(data.image_shape, data.num_classes)
    model = keras.Model(network.inputs, network.get_layer("head_fc").output)
    np.savez(folder / "initial.npz", *(v.numpy() for v in model.variables))
    images, labels = next(iter(data.train(0)))
    before = [variable.numpy() for variable in model.non_trainable_variables]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(cross_entropy()(labels, model(images, training=True)))
    gradients = tape.gradient(loss, model.trainable_variables)
    for variable, value in zip(model.non_trainable_variables, before, strict=True):
        variable.assign(value)
    Trainer(
        model, data, data, run.training, folder / "ordinary", save=network, verbose=0
    ).train()
    return [gradient.numpy() for gradient in gradients]


def last_checkpoint(run, step):
    (*_, path) = list_checkpoints(run / "checkpoints")
    description, arrays = read_checkpoint(path)
    assert description["step"] == step
    return description["variables"], arrays


@needs_jax
@pytest.mark.backends
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_without_augmentation_it_is_the_ordinary_trainer(tmp_path, precision):
    expected = ordinary_run(tmp_path, precision)
    run_case("same", tmp_path, precision)
    with np.load(tmp_path / "gradients.npz") as stored:
        gradients = list(stored.values())
    difference = np.sqrt(
        sum(((a - b) ** 2).sum() for a, b in zip(gradients, expected, strict=True))
    )
    # In float32 rounding turns some ReLUs: 1e-4 of the gradients' length.
    most = 1e-5 if precision == "float64" else 1e-3
    assert difference <= most * np.sqrt(sum((a**2).sum() for a in expected))
    losses = [
        np.array([row["loss"] for row in MetricsFile(path).read() if "loss" in row])
        for path in (
            tmp_path / "resident" / "metrics.jsonl",
            tmp_path / "ordinary" / "metrics.jsonl",
        )
    ]
    assert len(losses[0]) == 50
    assert losses[1][-5:].mean() < losses[1][0] / 2
    if precision == "float32":
        np.testing.assert_allclose(*losses, rtol=0.01)
        return
    described, mine = last_checkpoint(tmp_path / "resident", 50)
    others, theirs = last_checkpoint(tmp_path / "ordinary", 50)
    for group in ("model", "averages"):
        assert len(described[group]) == len(others[group])
    assert [v["path"] for v in described["model"]] == [
        v["path"] for v in others["model"]
    ]
    with np.load(tmp_path / "initial.npz") as stored:
        initial = dict(enumerate(stored.values()))
    moved = off = 0.0
    for index in initial:
        name = f"model/{index:05d}"
        moved += ((theirs[name] - initial[index]) ** 2).sum()
        off += ((theirs[name] - mine[name]) ** 2).sum()
    assert np.sqrt(off / moved) < 1e-3
    for name in theirs:
        if name.startswith("averages"):
            np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-3, atol=1e-3)


FLAGS = (
    *("--block=x", "--depth=2", "--w0=8", "--wa=8", "--wm=2.0", "--group_width=4"),
    *("--stem=small", "--stem_width=8", "--dropout=0.1", "--recipe=small_images"),
    *("--dataset=digits", "--image_size=8", "--batch_size=64", "--epochs=3"),
    *("--cutmix_alpha=1", "--mixup_alpha=0.2", "--ema_decay=0.9"),
    *("--log_every_steps=5", "--checkpoint_every_steps=8", "--learning_rate=0.1"),
    "--precision=mixed_bfloat16",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    run = tmp_path_factory.mktemp("resident") / "whole"
    return run, run_case("train", *FLAGS, f"--run_dir={run}")


def rows(run):
    with open(run / "log.csv", newline="") as file:
        found = list(csv.DictReader(file))
    clock = ("seconds", "images_per_second", "validation_seconds", "checkpoint_seconds")
    return [{k: v for k, v in row.items() if k not in clock} for row in found]


@needs_jax
@pytest.mark.backends
def test_after_a_kill_it_goes_on_to_the_same_bits(whole, tmp_path):
    expected, _ = whole
    run = tmp_path / "run"
    run_case(
        "train", "--kill=9", *FLAGS, f"--run_dir={run}", returncode=-signal.SIGKILL
    )
    step = json.loads(
        str(np.load(list_checkpoints(run / "checkpoints")[-1])["description"])
    )
    assert step["step"] % 22  # in the middle of an epoch of 22 steps
    done = run_case("train", *FLAGS, f"--run_dir={run}", "--resume")
    assert "Going on after epoch" in done.stdout
    assert rows(run) == rows(expected)
    (_, mine), (_, theirs) = (last_checkpoint(r, 66) for r in (run, expected))
    assert mine.keys() == theirs.keys()
    for name in mine:
        np.testing.assert_array_equal(mine[name], theirs[name])


@needs_jax
@pytest.mark.backends
def test_it_leaves_what_the_ordinary_trainer_leaves(whole):
    """And the ordinary programs read it: the saved network is as good as it said."""
    run, done = whole
    names = {path.name for path in run.iterdir()}
    assert names >= {
        *("config.json", "log.csv", "metrics.jsonl", "report.html", "result.json"),
        *("model.keras", "model_raw.keras", "learning_curve.png", "checkpoints"),
    }
    result = json.loads((run / "result.json").read_text())
    assert result["epochs"] == 3
    assert f"{result['final']['validation_accuracy']:.4f}" in done.stdout
    assert result["final"]["train_loss"] < 2.3
    saved = load_run(run)
    evaluation = evaluate_data(saved.model, load_data(saved))
    assert evaluation.top1 == pytest.approx(
        result["final"]["ema_validation_accuracy"], abs=0.012
    )
    assert "Confusion matrix" in (run / "report.html").read_text()
    assert set(rows(run)[0]) == {
        *("epoch", "learning_rate", "train_loss", "train_accuracy", "data_wait"),
        *("validation_loss", "validation_accuracy", "validation_count"),
        *("ema_validation_loss", "ema_validation_accuracy", "unreadable_images"),
    }


# --- Augmentation --------------------------------------------------------------------


@needs_jax
@pytest.mark.backends
def test_augmentation_follows_the_rules_of_the_ordinary_data(tmp_path):
    images = pictures(32, 40)
    boxes = np.array([[0, 0, 32, 40], [3, 5, 11, 9], [20, 31, 12, 9], [7, 0, 5, 40]])
    np.savez(tmp_path / "images.npz", images=images, boxes=boxes)
    run_case("augment", tmp_path)
    with np.load(tmp_path / "augmented.npz") as stored:
        found = dict(stored)
    crops = transforms.crop_and_resize(images, tf.constant(boxes, tf.int32), 16)
    np.testing.assert_allclose(found["crops"], crops, atol=0.02)
    for image, padded in zip(
        np.pad(images, ((0, 0), (3, 3), (3, 3), (0, 0))), found["padded"], strict=True
    ):
        assert any(
            np.array_equal(padded, image[top : top + 32, left : left + 40])
            for top in range(7)
            for left in range(7)
        )
    # The distributions of boxes, beside those drawn by the ordinary data.
    seed, many = (1, 2), len(found["boxes"])
    theirs = transforms.draw_crops(seed, many, 32, 40, (0.08, 1.0), (3 / 4, 4 / 3))
    from keras_regnet.data import erasing

    pairs = (
        (found["boxes"], theirs.numpy()),
        (found["erased"], erasing.draw_boxes(seed, many, 32, 40, 0.25).numpy()),
    )
    for mine, others in pairs:
        assert (mine[:, :2] + mine[:, 2:] <= (32, 40)).all()
        for moment in (np.mean, np.std):
            np.testing.assert_allclose(moment(mine, 0), moment(others, 0), rtol=0.03)
    # Mixed: pixels and labels have the same share of both images.
    partner = np.array([1, 0, 3, 2])
    pixels, labels = found["mixup"], found["mixup_labels"]
    share = labels[0, 0]
    assert 0 < share < 1
    expected = images * share + images[partner] * (1 - share)
    np.testing.assert_allclose(pixels, expected, atol=1e-3)
    np.testing.assert_allclose(labels.sum(1), 1, atol=1e-6)
    own = (found["cutmix"] == images).all(-1)
    other = (found["cutmix"] == images[partner]).all(-1)
    assert (own | other).all()
    noisy = own[1].mean(), found["cutmix_labels"][1, 1]  # whose pixels all differ
    assert noisy[0] == pytest.approx(noisy[1], abs=1e-6)
    assert found["all"].dtype == np.float32
    np.testing.assert_allclose(found["looped"], found["single"], rtol=1e-3, atol=1e-3)
    erased = (found["noise"] != images).any(-1)
    assert (erased.reshape(4, -1).mean(1) > 0.01).all()
