"""The models in saved_models/ load in every way, in every later version too."""

import json

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data import DataConfig, load
from keras_regnet.publishing import (
    export_litert,
    layout,
    list_published,
    load_published,
    read_metadata,
)
from keras_regnet.publishing.publication import sample_images
from keras_regnet.training.evaluation import evaluate_data
from tests import fork_server
from tests.fork_server import ROOT
from tests.real_data import real_data

FOLDER = ROOT / "saved_models"
NAMES = [
    "regnetx_32_fashion_mnist",
    "regnetx_fashion_mnist_best",
    "regnety_fashion_mnist_best",
]
FILES = [
    FOLDER / name / str(version)
    for name in NAMES
    for version in layout.versions(FOLDER / name)
]


def test_all_are_there():
    assert {path.parent.name for path in FILES} == set(NAMES)
    assert [each.name for each in list_published(FOLDER, verbose=False)] == NAMES


@pytest.mark.kernels
@pytest.mark.parametrize("path", FILES)
def test_the_usual_ways_give_what_was_published(path):
    known = read_metadata(path)
    images, answers = sample_images(known), np.array(known.sample["outputs"])
    loaded = tf.saved_model.load(str(path))
    for name in ("serve", "fast_serve"):
        found = loaded.signatures[name](images=tf.constant(images))["logits"]
        np.testing.assert_allclose(found, answers, atol=1e-4 * np.abs(answers).max())
    model = load_published(path, include_top=True)
    shares = tf.nn.softmax(answers).numpy()
    np.testing.assert_allclose(model(images), shares, atol=1e-4)


@pytest.mark.long
# The files were all written by the same code: what one of them has, the others have.
@pytest.mark.kernels
@pytest.mark.parametrize(
    "paths", [FILES[-1:], pytest.param(FILES[:-1], marks=pytest.mark.slow)]
)
def test_every_way_gives_what_was_published(paths):
    program = ROOT / "tests" / "publishing" / "all_ways.py"
    done = fork_server.run([program, *paths], fresh=True)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(lines) == len(paths)
    for path, line in zip(paths, lines, strict=True):
        found = json.loads(line)
        assert len(found) == 15
        for way, difference in found.items():
            assert difference < 1e-4, f"{path}, {way}"


# All give their stored answers, see above: then they give the others, too.
ONE_AND_MORE = [
    NAMES[-1],
    *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES[:-1]),
]


@pytest.mark.real_data
@pytest.mark.parametrize("name", ONE_AND_MORE)
def test_accuracy_is_what_the_card_says(name):
    (known,) = [
        each for each in list_published(FOLDER, verbose=False) if each.name == name
    ]
    config = DataConfig(
        "fashion_mnist", str(real_data("tfds")), image_size=known.shape[0]
    )
    model = load_published(name, include_top=True, directory=FOLDER)
    found = evaluate_data(model, load(config))
    assert found.count == known.metrics["images"] == 10_000
    assert abs(found.top1 - known.metrics["top1"]) <= 2 / 10_000


@pytest.mark.real_data
@pytest.mark.parametrize("name", ONE_AND_MORE)
def test_8_bits_decide_alike(name, tmp_path):
    model = load_published(name, include_top=True, directory=FOLDER)
    config = DataConfig(
        "fashion_mnist", str(real_data("tfds")), image_size=model.input_shape[1]
    )
    images = [batch.numpy() for batch, _ in load(config).validation().take(12)]
    written = export_litert(
        model,
        tmp_path / "8.tflite",
        precision="int8",
        calibration=np.concatenate(images[:2]),
        evaluation=np.concatenate(images[2:]),
        verbose=False,
    )
    assert written.evaluation.images == 1280
    assert written.evaluation.top1 >= 0.98
