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
        ("checkpoint_every_epochs", -1),
        ("checkpoint_every_steps", 1.5),
        ("checkpoint_every_minutes", -1),
        ("keep_checkpoints", 0),
        ("log_every_steps", 0),
        ("optimizer", "adam"),
        ("second_moment_decay", 1),
        ("epsilon", 0),
        ("norm_weight_decay", -1),
        ("bias_weight_decay", float("inf")),
        ("weight_decay", None),
        ("warmup_mode", "linear"),
        ("decay_every_epochs", 0),
        ("decay_factor", 1.1),
        ("final_learning_rate_factor", 2),
        ("cooldown_epochs", 5),  # all that is left after the warm-up
        ("loss", "mse"),
        ("clip_norm", 0),
        ("accumulation", 0),
        ("on_nan", "ignore"),
        ("jit_compile", None),
        ("ema_decay", 1.0),
        ("ema_every_steps", 0),
        ("ema_copies_in_warmup", 1),
        ("precise_bn_images", -1),
        ("steps_per_execution", 0),
    ],
)
def test_impossible_values_are_named(name, value):
    with pytest.raises(ValueError, match="Received") as error:
        TrainingConfig(**{"epochs": 10, name: value})
    assert name in str(error.value) or name == "momentum"


def test_what_may_be_left_open():
    config = TrainingConfig(epochs=1, clip_norm=None, epsilon=None, warmup_epochs=0)
    assert tuple(config.decays.values()) == (5e-5, 5e-5, 5e-5, 5e-5)
    config = TrainingConfig(
        epochs=1, warmup_epochs=0, norm_weight_decay=0, bias_weight_decay=1e-3
    )
    assert config.decays == {
        "weights": 5e-5,
        "norms": 0,
        "biases": 1e-3,
        "squeeze_excite_biases": 1e-3,
    }


def test_cooldown_is_the_cosines():
    with pytest.raises(ValueError, match="cooldown_epochs must be 0 unless"):
        TrainingConfig(epochs=10, schedule="step", cooldown_epochs=1)


def test_keras_optimizers_decay_all_or_nothing():
    config = TrainingConfig(epochs=9, optimizer="adamw", norm_weight_decay=0)
    assert config.decays["norms"] == 0
    with pytest.raises(ValueError, match="bias_weight_decay must be None, 0 or"):
        TrainingConfig(epochs=9, optimizer="lamb", bias_weight_decay=1e-4)


def test_nesterov_is_sgds_own():
    assert TrainingConfig(epochs=9, optimizer="rmsprop", momentum=0).nesterov


def test_unknown_field_and_missing_epochs():
    with pytest.raises(ValueError, match="lerning_rate"):
        TrainingConfig.from_dict({"epochs": 1, "lerning_rate": 1})
    with pytest.raises(ValueError, match=r"needs \['epochs'\]"):
        TrainingConfig.from_dict({})


@pytest.mark.parametrize(("batch", "rate"), [(1024, 0.8), (512, 0.4), (128, 0.1)])
def test_official_learning_rate_follows_from_the_batch(batch, rate):
    config = TrainingConfig.for_batch_size(batch, epochs=100)
    assert config.learning_rate == pytest.approx(rate)
    assert config.warmup_epochs == 5
    assert TrainingConfig.for_batch_size(batch, epochs=10).warmup_epochs == 2
