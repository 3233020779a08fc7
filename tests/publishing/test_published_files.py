"""The models in saved_models/ load in every way, in every later version too."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from keras_regnet.data import DataConfig, load
from keras_regnet.publishing import (
    export_litert,
    layout,
    list_published,
    load_published,
)
from keras_regnet.training.evaluation import evaluate_data
from tests.real_data import real_data
from tests.script_runner import ROOT

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


@pytest.mark.parametrize("onednn", ["1", "0"])
def test_every_way_gives_what_was_published(onednn):
    program = [sys.executable, str(ROOT / "tests" / "publishing" / "all_ways.py")]
    done = subprocess.run(
        program + [str(path) for path in FILES],
        env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": onednn, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(lines) == len(FILES)
    for path, line in zip(FILES, lines, strict=True):
        found = json.loads(line)
        assert len(found) == 15
        for way, difference in found.items():
            assert difference < 1e-4, f"{path}, {way}"


@pytest.mark.real_data
@pytest.mark.parametrize("name", NAMES)
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
@pytest.mark.parametrize("name", NAMES)
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
