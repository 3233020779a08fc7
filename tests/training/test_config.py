import json

import pytest

from keras_regnet.training import TrainingConfig


def test_round_trip_through_json():
    config = TrainingConfig(epochs=7, learning_rate=0.3, schedule="constant")
    assert TrainingConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("epochs", 2.0),
        ("epochs", True),
        ("learning_rate", 0),
        ("learning_rate", float("nan")),
        ("learning_rate", "0.1"),
        ("momentum", 1.0),
        ("momentum", 0),  # with Nesterov's
        ("nesterov", 1),
        ("weight_decay", -1e-5),
        ("schedule", "linear"),
        ("schedule_granularity", "day"),
        ("warmup_epochs", 11),
        ("warmup_epochs", -1),
        ("warmup_factor", 1.5),
        ("label_smoothing", 1.0),
        ("checkpoint_every_epochs", 0),
        ("steps_per_execution", 0),
    ],
)
def test_impossible_values_are_named(name, value):
    with pytest.raises(ValueError, match="Received") as error:
        TrainingConfig(**{"epochs": 10, name: value})
    assert name in str(error.value) or name == "momentum"


def test_unknown_field_and_missing_epochs():
    with pytest.raises(ValueError, match="lerning_rate"):
        TrainingConfig.from_dict({"epochs": 1, "lerning_rate": 1})
    with pytest.raises(ValueError, match="needs `epochs`"):
        TrainingConfig.from_dict({})


@pytest.mark.parametrize(("batch", "rate"), [(1024, 0.8), (512, 0.4), (128, 0.1)])
def test_official_learning_rate_follows_from_the_batch(batch, rate):
    config = TrainingConfig.for_batch_size(batch, epochs=100)
    assert config.learning_rate == pytest.approx(rate)
    assert config.warmup_epochs == 5
    assert TrainingConfig.for_batch_size(batch, epochs=10).warmup_epochs == 2
