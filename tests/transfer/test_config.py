"""The configuration of a fine-tuning, and the phases it stands for."""

import json

import pytest

from keras_regnet.transfer import FineTuneConfig
from keras_regnet.transfer.phases import phases_of


def test_json_and_back():
    config = FineTuneConfig(
        unfreeze=2, class_weights={"a": 2.0}, layer_decay=0.5, clip_norm=1.0
    )
    values = json.loads(json.dumps(config.to_dict()))
    assert FineTuneConfig.from_dict(values) == config
    with pytest.raises(ValueError, match=r"FineTuneConfig does not know \['speed'\]"):
        FineTuneConfig.from_dict({"speed": 1})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"head_epochs": -1}, "head_epochs must be .* Received: -1"),
        ({"head_epochs": 0, "body_epochs": 0}, "head_epochs must be above 0"),
        ({"unfreeze": 0}, 'unfreeze must be "all" or .* Received: 0'),
        ({"unfreeze": "some"}, "unfreeze must be .* Received: 'some'"),
        ({"unfreeze": True}, "Received: True"),
        ({"batch_norm": "maybe"}, "batch_norm must be one of .* Received: 'maybe'"),
        ({"layer_decay": 1.5}, "layer_decay must be at most 1. Received: 1.5"),
        (
            {"layer_decay": 0.5, "optimizer": "adamw"},
            "layer_decay must be 1 with adamw",
        ),
        ({"layer_decay": 0.5, "optimizer": "lamb"}, "layer_decay must be 1 with lamb"),
        ({"class_weights": "even"}, "class_weights must be one of"),
        ({"class_weights": {"a": 0}}, "class_weights must be .* Received: {'a': 0}"),
        ({"class_weights": {"a": "b"}}, "class_weights must be"),
        ({"init": "scratch", "batch_norm": "frozen"}, "batch_norm must be"),
        ({"body_learning_rate": 0.0}, "body_learning_rate must be"),
        ({"warmup_epochs": 16}, "warmup_epochs must be at most 15"),
        ({"precision": "int8"}, "precision must be one of"),
        ({"label_smoothing": 1.0}, "label_smoothing must be"),
    ],
)
def test_wrong_values(fields, message):
    with pytest.raises(ValueError, match=message):
        FineTuneConfig(**fields)


def test_two_phases():
    head, body = phases_of(FineTuneConfig(layer_decay=0.5, unfreeze=3), 64)
    assert (head.training.epochs, body.training.epochs) == (5, 15)
    assert head.training.learning_rate == pytest.approx(0.1 * 64 / 128)
    assert body.training.learning_rate == pytest.approx(0.01 * 64 / 128)
    assert (head.unfreeze, body.unfreeze) == (0, 3)
    assert (head.layer_decay, body.layer_decay) == (1, 0.5)
    assert (head.training.warmup_epochs, body.training.warmup_epochs) == (0, 3)


def test_a_phase_without_epochs_is_left_out():
    assert [p.name for p in phases_of(FineTuneConfig(head_epochs=0), 32)] == ["body"]
    assert [p.name for p in phases_of(FineTuneConfig(body_epochs=0), 32)] == ["head"]


def test_from_scratch_all_epochs_are_one_phase():
    config = FineTuneConfig(init="scratch", scratch_learning_rate=0.3, unfreeze=1)
    (phase,) = phases_of(config, 4)
    assert phase.training.epochs == 20
    assert phase.training.learning_rate == 0.3
    assert phase.unfreeze == "all"
    assert phase.train_batch_norm


@pytest.mark.parametrize(
    ("policy", "batch_size", "devices", "trained", "words"),
    [
        ("auto", 32, 1, True, "32 images per device are at least"),
        ("auto", 32, 2, False, "16 images per device are fewer than the 32"),
        ("frozen", 512, 1, False, "as asked"),
        ("trained", 2, 1, True, "as asked"),
    ],
)
def test_batch_norm(policy, batch_size, devices, trained, words):
    config = FineTuneConfig(batch_norm=policy, head_epochs=0)
    (phase,) = phases_of(config, batch_size, devices)
    assert phase.train_batch_norm is trained
    assert words in str(phase)


def test_the_other_optimizers_have_a_rate_of_their_own():
    head, body = phases_of(FineTuneConfig(optimizer="adamw"), 128)
    assert head.training.learning_rate == pytest.approx(0.001)
    assert body.training.learning_rate == pytest.approx(0.0001)
    assert not head.training.nesterov
