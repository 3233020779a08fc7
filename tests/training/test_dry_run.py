"""What a run will be, before it is one."""

import json

import pytest
import tensorflow as tf
from absl import flags as absl_flags

from keras_regnet.data import describe
from keras_regnet.training import flags
from keras_regnet.training.dry_run import dry_run, format_dry_run, sparkline
from keras_regnet.training.recipes import configure
from keras_regnet.training.strategies import count_devices
from keras_regnet.training.train_program import train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    nothing = tmp_path_factory.mktemp("nothing")
    config = configure(
        "pycls_100e",
        model={"architecture": "regnety_032"},
        data={
            "name": "imagenet2012",
            "data_dir": str(nothing),
        },
    )
    return dry_run(config, describe(config.data), devices=8)


def test_the_papers_run(run):
    assert run.config.training.learning_rate == 0.4
    assert run.config.data.batch_size == 512
    assert run.batch_per_device == 64
    # pycls drops the last, incomplete batch: 8 times floor(160146 / 64).
    assert run.steps_per_epoch == 2502
    assert run.steps == 250_200
    assert run.learning_rates[0] == pytest.approx((0.04, 0.04))
    assert len(run.learning_rates) == 100
    groups = {group.name: group for group in run.groups}
    # Trainable parameters of RegNetY-3.2GF (numbers.md 2.1), all of them decayed.
    assert sum(group.parameters for group in run.groups) == 19_436_338
    assert {group.weight_decay for group in run.groups} == {5e-5}
    assert groups["norms"].parameters == 19_502_498 - 19_436_338  # one pair each
    assert groups["biases"].paths == ("head_fc/bias",)


def test_its_text(run):
    text = format_dry_run(run)
    for piece in (
        "learning rate 0.4",
        "512 images, 64 on each of 8",
        "2,502 an epoch, 250,200 in 100 epochs (143 images",
        "100  9.86879e-05",
        "biases of squeeze-and-excitation",
        "weight decay 5e-05",
        "in all",
    ):
        assert piece in text
    assert "none" not in text


def test_what_is_not_decayed_and_rates_that_move():
    config = configure(training={"epochs": 2, "bias_weight_decay": 0.0})
    run = dry_run(config, describe(config.data))
    assert run.facts.train_size == 1437
    assert run.steps_per_epoch == 1437 // 128
    text = format_dry_run(run)
    assert "weight decay none" in text
    assert "    1  0.01 ... " in text


@pytest.mark.parametrize(
    ("batch", "devices", "message"),
    [(512, 3, "split evenly.*3 devices"), (10_000, 1, "at most the 1437")],
)
def test_batches_that_cannot_be(batch, devices, message):
    config = configure(data={"batch_size": batch})
    with pytest.raises(ValueError, match=message):
        dry_run(config, describe(config.data), devices)


def test_sparkline():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline(list(range(800)), columns=8) == "▁▂▃▄▅▆▇█"
    assert sparkline([0.0, 0.0]) == "▁▁"


def test_devices_are_counted_without_waiting_for_workers(monkeypatch):
    addresses = [f"127.0.0.1:{port}" for port in (2, 3, 4)]
    task = {"type": "worker", "index": 1}
    config = {"cluster": {"worker": addresses}, "task": task}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    for name in ("auto", "multi_worker"):
        gpus = len(tf.config.list_physical_devices("GPU"))
        assert count_devices(name) == 3 * max(1, gpus)
        assert count_devices(name, 8) == 24
    assert count_devices("mirrored", 8) == 8


def test_the_classes_to_be_sure_of_are_checked(tmp_path):
    """Before anything is printed or drawn."""
    values = absl_flags.FlagValues()
    flags.define(values)
    values(["train.py", "--dry_run", "--classes=11", f"--run_dir={tmp_path / 'run'}"])
    with pytest.raises(
        ValueError, match=r"digits has 10 classes\. Received: classes=11"
    ):
        train(values)
    assert not list(tmp_path.iterdir())
    values(["train.py", "--dry_run", "--classes=10"])
    train(values)
