"""Published models are found, checked and built again."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import keras_regnet
from keras_regnet.data import ImageReader
from keras_regnet.publishing import (
    find_published,
    is_published,
    layout,
    list_published,
    load_published,
    publish,
    read_metadata,
)
from tests.publishing.conftest import NAMES, network, pixels


@pytest.mark.long
@pytest.mark.parametrize("name", ["two_stages_x", "two_stages_y"])
def test_the_network_is_built_again(published, name):
    folder, models = published
    model = models[name]
    images = pixels(model)
    again = load_published(name, include_top=True, directory=folder)
    np.testing.assert_array_equal(again(images), model(images))
    features = load_published(folder / name / "1")
    assert features.output_shape == (None, 40)
    assert features.trainable
    frozen = load_published(folder / name, trainable=False, pooling=None)
    assert frozen.trainable_weights == []
    assert len(frozen.output_shape) == 4
    maps = load_published(name, directory=folder, feature_maps=True)
    assert set(maps.output) == {"P0", "P1", "P2"}


def test_a_new_classifier_keeps_the_body(published):
    folder, models = published
    with pytest.warns(UserWarning, match="for 5 classes and the model for 3"):
        model = load_published(
            "two_stages_x", include_top=True, classes=3, directory=folder
        )
    assert model.output_shape == (None, 3)
    body = models["two_stages_x"].get_layer("s2_b2").get_weights()
    for ours, theirs in zip(model.get_layer("s2_b2").get_weights(), body, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_metadata_tell_everything(published):
    folder, models = published
    known = read_metadata("two_stages_x", directory=folder)
    assert known.class_names == NAMES
    assert known.shape == (28, 28, 1)
    assert known.metrics == {"top1": 0.9312, "images": 500}
    assert known.network.widths == (16, 40)
    assert set(known.speed["batches"]["32"]) == {"serve", "fast_serve"}
    assert known.speed["batches"]["1"]["serve"] > 0
    assert ImageReader.from_dict(known.image).kind == "whole"
    assert known.parameters == sum(
        np.size(variable) for variable in models["two_stages_x"].trainable_weights
    )


def test_a_sample_was_stored(published):
    from keras_regnet.publishing.publication import sample_images
    from tests.publishing.conftest import logits

    folder, models = published
    known = read_metadata("two_stages_x", directory=folder)
    expected = logits(models["two_stages_x"], sample_images(known))
    np.testing.assert_allclose(known.sample["outputs"], expected, rtol=1e-5)


def test_the_newest_version_counts(published, tmp_path):
    folder, _ = published
    for version in (1, 2):
        path = tmp_path / "n" / str(version)
        shutil.copytree(folder / "two_stages_x" / "1", path)
        edited(path, name=lambda _: "n", version=lambda _, now=version: now)
    assert find_published("n", tmp_path) == tmp_path / "n" / "2"
    assert find_published("n/1", tmp_path) == tmp_path / "n" / "1"
    assert [each.version for each in list_published(tmp_path, verbose=False)] == [2]


def test_the_folder_that_is_named_wins_over_the_working_directory(
    tmp_path, monkeypatch
):
    here, named = tmp_path / "here", tmp_path / "named"
    for folder in (here, named):
        for number in ("1", "2"):
            (folder / "mine" / number).mkdir(parents=True)
            (folder / "mine" / number / "metadata.json").touch()
    (here / "other" / "9").mkdir(parents=True)  # a class of some data set
    monkeypatch.chdir(here)
    monkeypatch.delenv("KERAS_REGNET_SAVED_MODELS", raising=False)
    assert find_published("mine", directory=named) == named / "mine" / "2"
    assert find_published("mine/1", directory=named) == named / "mine" / "1"
    assert find_published(here / "mine", named) == here / "mine" / "2"
    assert find_published("../here/mine", named).resolve() == here / "mine" / "2"
    (named / "mine").rename(tmp_path / "moved")
    for name in ("mine", "mine/2", "other"):
        with pytest.raises(ValueError, match=f"no such published.*'{name}'"):
            find_published(name, directory=named)
    assert find_published("mine") == Path("mine/2")
    assert not is_published("other")
    (tmp_path / "moved").rename(named / "mine")
    monkeypatch.setenv("KERAS_REGNET_SAVED_MODELS", str(named))
    assert find_published("mine") == named / "mine" / "2"


def test_listed_as_a_table(published, capsys, tmp_path, monkeypatch):
    folder, _ = published
    list_published(folder)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["name", "version", "top-1"]
    assert "93.12 %" in lines[1] and "28x28x1" in lines[1]
    assert len(lines) == 3
    monkeypatch.setenv("KERAS_REGNET_SAVED_MODELS", str(folder))
    assert is_published("two_stages_y")
    monkeypatch.setenv("KERAS_REGNET_SAVED_MODELS", str(tmp_path))
    assert not is_published("two_stages_y")
    list_published()
    assert "No published models in" in capsys.readouterr().out


def test_the_card_tells_how_to_use_it(published):
    folder, _ = published
    card = (folder / "two_stages_x" / "1" / "model_card.md").read_text()
    for part in (
        "# two_stages_x, version 1",
        "| Top-1 accuracy | 93.12 % |",
        "shoe, coat, bag, shirt, boot",
        "scripts/train.py",
        "load_published(PATH, include_top=True)",
        "keras.layers.TFSMLayer",
        "tf.saved_model.load",
        "saved_model_cli run",
        "model.keras",
        "fast_serve",
        "| 32 |",
        "MIT",
    ):
        assert part in card
    assert "{" not in card


def copy_of(published, tmp_path):
    folder, _ = published
    path = tmp_path / "two_stages_x" / "1"
    shutil.copytree(folder / "two_stages_x" / "1", path)
    return path


@pytest.mark.parametrize(
    "name", ["saved_model.pb", "variables/variables.data-00000-of-00001", "model.keras"]
)
def test_cut_files_are_refused_by_name(published, tmp_path, name):
    path = copy_of(published, tmp_path)
    os.truncate(path / name, (path / name).stat().st_size // 2)
    with pytest.raises(ValueError, match=f"{name} is not the file that was published"):
        load_published(path)


def edited(path, **changes):
    """Changes metadata.json, and the checksums with it."""
    file = path / "metadata.json"
    values = json.loads(file.read_text())
    for key, change in changes.items():
        values[key] = change(values[key])
    file.write_text(json.dumps(values))
    layout.write_checksums(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": lambda n: n | {"stem_width": 16}}, "make [0-9,]+ parameters"),
        ({"class_names": lambda names: names[:3]}, "Received: 3 class names"),
        ({"task": lambda _: "image/segmentation"}, "task must be one of"),
        ({"format": lambda _: 9}, "later version of keras_regnet"),
        ({"network": lambda n: n | {"stages": []}}, "`stages` must be"),
    ],
)
def test_metadata_that_contradict_themselves(published, tmp_path, changes, message):
    path = copy_of(published, tmp_path)
    edited(path, **changes)
    with pytest.raises(ValueError, match=message):
        load_published(path)


def test_metadata_of_another_architecture(published, tmp_path):
    folder, _ = published
    path = copy_of(published, tmp_path)
    shutil.copy(folder / "two_stages_y" / "1" / "metadata.json", path)
    with pytest.raises(ValueError, match=r"metadata\.json is not the file"):
        load_published(path)
    layout.write_checksums(path)
    with pytest.raises(ValueError, match=r"cannot be loaded.*another network"):
        load_published(path)


def test_entries_and_json_of_metadata(published, tmp_path):
    path = copy_of(published, tmp_path)
    (path / "metadata.json").write_text("{")
    layout.write_checksums(path)
    with pytest.raises(ValueError, match="must be JSON"):
        load_published(path)
    (path / "metadata.json").write_text('{"name": "x"}')
    layout.write_checksums(path)
    with pytest.raises(ValueError, match="must have the entries"):
        load_published(path)
    (path / "metadata.json").unlink()
    with pytest.raises(ValueError, match="no such published model"):
        load_published(path)


def test_what_belongs_to_the_weights_cannot_be_changed(published):
    folder, _ = published
    with pytest.raises(ValueError, match=r"Received: \['include_preprocessing'\]"):
        load_published("two_stages_x", directory=folder, include_preprocessing=False)
    with pytest.raises(ValueError, match="Received: 'nothing_like_it'"):
        load_published("nothing_like_it", directory=folder)


def test_no_classifier_where_there_was_none(published_as):
    path, _ = published_as("features")
    assert load_published(path).output_shape == (None, 40)
    with pytest.raises(ValueError, match="include_top must be False"):
        load_published(path, include_top=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "a/b"}, "Received: 'a/b'"),
        ({"class_names": ["a"]}, "Received: 1 class names"),
        ({"reader": ImageReader("whole", 9, 9, 1)}, "one of \\(9, 9, 1\\)"),
    ],
)
def test_impossible_arguments_are_told_before_anything_is_written(
    tmp_path, options, message
):
    with pytest.raises(ValueError, match=message):
        publish(network(), tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_impossible_models_are_refused(tmp_path):
    model = network()
    model.get_layer("head_fc").bias.assign(np.full(5, np.nan))
    with pytest.raises(ValueError, match="head_fc/bias with infinite or undefined"):
        publish(model, tmp_path)
    with pytest.raises(ValueError, match="a classifier or in pooled features"):
        publish(network(include_top=False), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.backends
def test_reading_needs_no_tensorflow(published, tmp_path):
    folder, models = published
    program = (
        "import sys, numpy as np, keras_regnet\n"
        f"path = {str(folder / 'two_stages_x')!r}\n"
        "m = keras_regnet.load_published(path, True, True)\n"
        f"np.savez({str(tmp_path / 'weights.npz')!r}, *m.get_weights())\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"KERAS_BACKEND": "jax"},
        check=True,
    )
    found = np.load(tmp_path / "weights.npz").values()
    for ours, theirs in zip(found, models["two_stages_x"].get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_package_has_it():
    assert keras_regnet.load_published is load_published
    assert keras_regnet.list_published is list_published
