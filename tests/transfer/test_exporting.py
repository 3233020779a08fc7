"""A trained network is opened by any name, and written in every format."""

import itertools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data import DataConfig, load
from keras_regnet.preprocessing import PreprocessingSpec
from keras_regnet.publishing import load_published, read_metadata
from keras_regnet.training.prediction import find_images, predict_files, read_image
from keras_regnet.training.run_directory import RunDirectory
from keras_regnet.training.saved_run import image_reader, load_data
from keras_regnet.transfer import exporting
from keras_regnet.transfer.exporting import export_trained
from keras_regnet.transfer.opening import open_run
from tests.publishing.conftest import network

CONFIG = DataConfig("digits", image_size=16)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What a training run on the digits leaves, but for the training."""
    path = tmp_path_factory.mktemp("run") / "run"
    data = load(CONFIG)
    configuration = {
        "data": CONFIG.to_dict(),
        "class_names": list(data.class_names),
        "centre_cropped": data.centre_cropped,
        "seed": 7,
    }
    RunDirectory(path).open(configuration, {"command_line": ["train.py"]}, False)
    model = network(image=(16, 16, 1), classes=10)
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    for epoch in range(3):  # a network that decides, with 8 bits as well
        model.fit(data.train(epoch), shuffle=False, verbose=0)
    model.save(path / "model.keras")
    (path / "result.json").write_text(json.dumps({"epochs": 1, "seconds": 36}))
    return path


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    """The run in all formats, and the lines of the table."""
    path = tmp_path_factory.mktemp("exported")
    formats = ["saved_model", "onnx", "litert", "litert_float16", "litert_int8"]
    lines = export_trained(
        run, formats, path, name="mine", compared_images=100, description="About it."
    )
    return path, list(lines)


def test_every_format_is_there_and_in_the_table(exported):
    path, lines = exported
    files = {entry.name for entry in path.iterdir()}
    assert files == {
        "mine", "mine.onnx", "mine.tflite", "mine_float16.tflite", "mine_int8.tflite",
    }  # fmt: skip
    names = [line.split("  ")[0] for line in lines]
    assert names == [
        "format", "saved_model", "saved_model (fast)", "onnx", "litert",
        "litert_float16", "litert_int8", "Keras",
    ]  # fmt: skip
    for line in lines[1:-1]:
        assert "% of 100" in line
    assert all(line.split()[-1].replace(".", "").isdigit() for line in lines[1:])


def test_the_card_knows_the_run(exported):
    path, _ = exported
    known = read_metadata(path / "mine")
    assert known.training["seed"] == 7
    assert known.training["hours"] == 0.01
    assert known.description == "About it."
    assert known.metrics["images"] == 360
    model, data = load_published(path / "mine", include_top=True), load(CONFIG)
    right = sum(
        np.sum(np.argmax(model(images), -1) == labels)
        for images, labels in data.validation()
    )
    assert known.metrics["top1"] == pytest.approx(right / 360, abs=1e-5)


def test_published_models_are_opened_and_exported_again(exported, tmp_path):
    path, _ = exported
    opened = open_run(path / "mine")
    assert opened.class_names == tuple("0123456789")
    assert image_reader(opened).kind == "whole"
    list(
        export_trained(
            path / "mine", ["saved_model"], tmp_path, name="again", measure_speed=False
        )
    )
    again, before = read_metadata(tmp_path / "again"), read_metadata(path / "mine")
    assert again.metrics == before.metrics
    assert again.training == before.training
    assert again.description == "About it."


def test_runs_and_files_are_opened(run):
    assert open_run(run).data_config == CONFIG
    assert open_run(run / "model.keras").data_config == CONFIG


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (None, {"formats": ["tensorrt"]}, r"Received: \['tensorrt'\]"),
        (None, {"formats": []}, "Received: none"),
        (None, {"dataset": "folder:/nowhere"}, "image folder is missing"),
        ("no_such_model", {}, "Received: 'no_such_model'"),
    ],
)
def test_impossible_requests_are_told(run, tmp_path, name, arguments, message):
    arguments = {"formats": ["onnx"]} | arguments
    formats = arguments.pop("formats")
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        list(export_trained(name or run, formats, tmp_path / "out", **arguments))
    assert not (tmp_path / "out").exists()


@pytest.fixture
def few(tmp_path):
    """A folder with one validation image of each class, and one to train on."""
    for part, name in itertools.product(("train", "val"), "ab"):
        path = tmp_path / "few" / part / name / "1.png"
        path.parent.mkdir(parents=True)
        shade = {"a": 40, "b": 200}[name]
        pixels = tf.tile(tf.range(20)[:, None, None] + shade, (1, 30, 3))
        path.write_bytes(tf.io.encode_png(tf.cast(pixels, tf.uint8)).numpy())
    return tmp_path / "few"


@pytest.mark.long
def test_a_converted_network_is_judged_and_compared_on_what_it_wants(few, tmp_path):
    """As prediction reads the files; with fewer of them than make a batch."""
    specification = PreprocessingSpec(16, 20, mean=(0.5,) * 3, std=(0.25,) * 3)
    model = network(
        image=(16, 16, 3),
        classes=2,
        include_preprocessing=False,
        preprocessing=specification,
    )
    path = tmp_path / "model.keras"
    model.save(path)
    out, dataset = tmp_path / "out", f"folder:{few}"
    options = {"dataset": dataset, "name": "mine", "measure_speed": False}
    list(export_trained(path, ["saved_model"], out, **options))
    known = read_metadata(out / "mine")
    assert known.image["normalized"]
    files = find_images([few / "val"])
    run = open_run(path)
    right = [p.top[0][0] for p in predict_files(run, files, 1)]
    right = np.mean(
        [a == b for a, b in zip(right, ("class 0", "class 1"), strict=True)]
    )
    assert known.metrics["top1"] == right
    assert known.metrics["images"] == 2
    calibration, compared = exporting._two_parts(
        exporting._data(run, dataset, None, True), 1, 1
    )
    seen = np.concatenate([calibration, compared])
    np.testing.assert_allclose(seen, [read_image(run, f) for f in files], atol=1e-5)
    assert abs(seen).max() < 3
    # The published one knows the same.
    again = load_data(open_run(out / "mine"), dataset=dataset)
    np.testing.assert_allclose(next(iter(again.validation()))[0], seen, atol=1e-5)


def test_images_are_needed_for_8_bits(exported, tmp_path):
    path, _ = exported
    with pytest.raises(ValueError, match="does not know its data set"):
        list(export_trained(path / "mine", ["litert_int8"], tmp_path))
