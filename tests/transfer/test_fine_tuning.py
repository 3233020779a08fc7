"""Whole fine-tunings of a tiny network on the digits."""

import csv
import dataclasses
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet import publishing
from keras_regnet.data import DataConfig
from keras_regnet.training.evaluation import evaluate
from keras_regnet.training.loop import Loop
from keras_regnet.training.saved_run import load_data, load_run
from keras_regnet.transfer import fine_tune, open_source
from tests.real_data import real_data
from tests.transfer import small

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return open_source(small.saved(tmp_path_factory.mktemp("source")))


def tune(source, run_dir, data=small.DIGITS, resume=False, **fields):
    arguments = {"verbose": 0, "resume": resume}
    for name in ("classes", "publish_dir", "name", "seed", "strategy", "verbose"):
        if name in fields:
            arguments[name] = fields.pop(name)
    return fine_tune(source, data, small.config(**fields), run_dir, **arguments)


@pytest.fixture(scope="module")
def whole(source, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "whole"
    return tune(source, run_dir), run_dir


def body_and_statistics(source, run_dir):
    """The paths of the weights that moved: statistics, and the others of the body."""
    body = {path: variable.numpy() for path, variable in source.body.items()}
    found = small.weights(run_dir / "model.keras")
    moved = {p for p, value in body.items() if not np.array_equal(value, found[p])}
    statistics = {path for path in moved if "/moving_" in path}
    return moved - statistics, statistics


@pytest.mark.long
def test_what_is_left_behind(whole):
    result, run_dir = whole
    assert [row["epoch"] for row in result.history] == [1, 2, 3]
    assert [row["phase"] for row in result.history] == ["head", "body", "body"]
    for name in ("learning_curve", "confusion_matrix", "worst_mistakes"):
        assert (run_dir / f"{name}.png").stat().st_size > 5000
    with open(run_dir / "log.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["phase"] for row in rows] == ["head", "body", "body"]
    written = json.loads((run_dir / "result.json").read_text())
    assert written["accuracy"] == result.accuracy
    counted = json.loads((run_dir / "evaluation.json").read_text())
    assert np.trace(counted["confusion"]) / 360 == result.accuracy
    assert result.accuracy == result.final["validation_accuracy"]
    report = (run_dir / "report.html").read_text()
    assert "3 of 3 epochs" in report
    assert not list(run_dir.rglob("saved_model"))  # the phases publish nothing


def test_the_folder_is_a_run_that_others_can_read(whole):
    result, run_dir = whole
    run = load_run(run_dir)
    assert run.class_names == tuple("0123456789")
    assert run.model.count_params() == sum(v.size for v in _arrays(run_dir))
    assert evaluate(run.model, load_data(run).validation()).top1 == result.accuracy
    again = open_source(run_dir)  # and the source of a next one
    assert again.parameters == small.PARAMETERS
    assert all(variable.trainable for variable in _scales(again.model))


def _arrays(run_dir):
    return small.weights(run_dir / "model.keras").values()


def _scales(network):
    return [v for v in network.weights if v.path.endswith(("gamma", "kernel"))]


@pytest.mark.long
@pytest.mark.kernels
def test_a_frozen_body_is_not_moved_by_a_bit(source, tmp_path, undrawn):
    result = tune(source, tmp_path / "run", body_epochs=0, head_epochs=2)
    assert body_and_statistics(source, tmp_path / "run") == (set(), set())
    losses = [row["train_loss"] for row in result.history]
    assert losses[1] < losses[0]  # it learns nevertheless


def test_a_trained_body_moves_with_its_statistics(source, whole):
    weights, statistics = body_and_statistics(source, whole[1])
    assert weights | statistics == set(source.body)


@pytest.mark.long
@pytest.mark.kernels
def test_frozen_statistics_and_a_rate_for_each_layer(source, tmp_path, undrawn):
    fields = {"head_epochs": 0, "body_epochs": 1, "body_learning_rate": 0.1}
    tune(source, tmp_path, batch_norm="frozen", layer_decay=0.1, **fields)
    weights, statistics = body_and_statistics(source, tmp_path)
    assert not statistics
    assert not [path for path in weights if "/bn/" in path]
    kernels = {path for path in source.body if path.endswith("conv/kernel")}
    assert kernels <= weights
    found = small.weights(tmp_path / "model.keras")

    def step(path):
        return np.abs(found[path] - source.body[path].numpy()).max()

    # 1e-1, 1e-3 and 1e-4 of the head's rate.
    assert step("s1_b1/conv1/conv/kernel") < 0.1 * step("s2_b2/conv1/conv/kernel")
    assert step("stem/conv/kernel") < 0.01 * step("s2_b2/conv1/conv/kernel")


def interrupted_after(monkeypatch, calls):
    """Makes the training step fail hard, as a kill would, after so many calls."""
    train, done = Loop.train, []

    def failing(self, *arguments, **keywords):
        done.append(1)
        if len(done) > calls:
            raise RuntimeError("killed")
        return train(self, *arguments, **keywords)

    monkeypatch.setattr(Loop, "train", failing)


@pytest.mark.long
# An epoch has three steps: between the phases, and in the body's second epoch.
@pytest.mark.parametrize("calls", [3, 7])
def test_an_interrupted_run_goes_on(
    source, whole, tmp_path, monkeypatch, undrawn, calls
):
    with monkeypatch.context() as patch:
        interrupted_after(patch, calls)
        with pytest.raises(RuntimeError, match="killed"):
            tune(source, tmp_path)
    assert (tmp_path / "head" / "result.json").exists()
    with pytest.raises(ValueError, match="already holds a run"):
        tune(source, tmp_path)
    result = tune(source, tmp_path, resume=True)
    assert result.loss == whole[0].loss
    expected = small.weights(whole[1] / "model.keras")
    for path, value in small.weights(tmp_path / "model.keras").items():
        np.testing.assert_array_equal(value, expected[path])


def test_a_complete_run_is_not_repeated(source, whole, monkeypatch):
    interrupted_after(monkeypatch, 0)
    result, run_dir = whole
    assert tune(source, run_dir, resume=True).history == result.history


def test_what_differs_is_named(source, whole, tmp_path):
    _, run_dir = whole
    with pytest.raises(ValueError, match=r"training\.unfreeze: 'all' before, 1 now"):
        tune(source, run_dir, unfreeze=1, resume=True)
    other = open_source(small.saved(tmp_path))
    other.body["stem/conv/kernel"].assign(other.body["stem/conv/kernel"] * 2)
    with pytest.raises(ValueError, match=r"source\.sha256"):
        tune(other, run_dir, resume=True)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"classes": 9}, "has 10 classes. Received: classes=9"),
        ({"unfreeze": 3}, "at most the 2 stages of the network.* Received: 3"),
        ({"class_weights": {"ten": 2.0}}, "Received: ten"),
        ({"data": DataConfig("nothing_like_it")}, "nothing_like_it"),
    ],
)
def test_wrong_arguments_leave_no_folder(source, tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        tune(source, tmp_path / "run", **fields)
    assert not (tmp_path / "run").exists()


def test_class_weights_are_used_and_told(source, tmp_path, capsys, undrawn):
    """A class that counts a thousand times is the answer to everything."""
    fields = {"head_epochs": 2, "body_epochs": 0, "head_learning_rate": 0.1}
    tune(source, tmp_path, class_weights={"3": 1000.0}, verbose=1, **fields)
    assert "3 1e+03" in capsys.readouterr().out
    confusion = json.loads((tmp_path / "evaluation.json").read_text())["confusion"]
    assert np.array(confusion)[:, 3].sum() == 360


def test_the_log_says_what_moves_and_why(source, tmp_path, capsys):
    data = dataclasses.replace(small.DIGITS, batch_size=30)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError):
        interrupted_after(patch, 0)
        tune(source, tmp_path, data, verbose=1, head_epochs=0)
    assert (
        "batch normalisation frozen: 30 images per device are fewer than the 32"
        in capsys.readouterr().out
    )


@pytest.mark.slow
def test_two_replicas(source, tmp_path):
    strategy = tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
    data = dataclasses.replace(small.DIGITS, batch_size=478)
    result = tune(source, tmp_path, data, strategy=strategy, body_epochs=1)
    assert result.count == 360
    assert result.accuracy == result.final["validation_accuracy"]


def test_published_and_opened_again(source, whole, tmp_path, undrawn, no_saved_model):
    """A run that was killed before its last file publishes when it goes on."""
    shutil.copytree(whole[1], tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    with pytest.raises(ValueError, match="Received: 'a/b'"):
        tune(source, tmp_path / "run", publish_dir=tmp_path, name="a/b")
    result = tune(source, tmp_path / "run", resume=True, publish_dir=tmp_path / "m")
    known = publishing.read_metadata(result.published)
    assert known.class_names == tuple("0123456789")
    assert known.metrics["top1"] == result.accuracy == whole[0].accuracy
    assert known.training["phases"].startswith("head: 1 epochs at")
    assert (known.image["kind"], known.image["height"]) == ("whole", 8)
    again = open_source(tmp_path / "m" / "tiny_digits")
    assert again.digest == open_source(tmp_path / "run").digest
    assert again.class_names == known.class_names


@pytest.mark.real_data
def test_ants_and_bees(source, tmp_path):
    """A network for grey digits on photographs of colours."""
    data = DataConfig(str(real_data("hymenoptera")), image_size=48, batch_size=32)
    result = tune(source, tmp_path, data, body_epochs=0)
    assert result.count == 153
    assert load_run(tmp_path).class_names == ("ants", "bees")
    assert result.accuracy > 0.35
    assert (tmp_path / "worst_mistakes.png").stat().st_size > 50_000
