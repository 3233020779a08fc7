"""The memory estimate: what it adds up, and how far from a measured peak it is."""

import pytest

from keras_regnet.architecture import variant
from keras_regnet.benchmarks import fresh_process
from keras_regnet.benchmarks.settings import Setting
from keras_regnet.training import TrainingConfig
from keras_regnet.training.memory_estimate import estimate_memory

# numbers.md 2.1: trainable and all parameters, activations.
TRAINABLE, ALL, ACTIVATIONS = 2_684_792, 2_705_640, 2_164_056


def estimate(images=16, precision="float32", **fields):
    return estimate_memory(
        variant("RegNetX-200MF"),
        TrainingConfig(epochs=9, **fields),
        images=images,
        image_shape=(224, 224, 3),
        classes=1000,
        precision=precision,
    )


def test_what_is_added_up():
    found = estimate()
    assert found.weights == 4 * ALL
    assert found.gradients == found.optimizer == 4 * TRAINABLE
    assert found.average == 0
    assert found.activations == 3 * 4 * 16 * ACTIVATIONS
    assert (
        found.total
        == sum((found.weights, found.gradients, found.optimizer, found.activations))
        + 3 * 4 * 16 * 224 * 224 * 3
    )


def test_what_makes_it_more_or_less():
    plain = estimate()
    assert estimate(ema_decay=0.9).average == 4 * ALL
    assert estimate(optimizer="adamw").optimizer == 2 * plain.optimizer
    assert estimate(momentum=0.0, nesterov=False).optimizer == 0
    mixed = estimate(precision="mixed_float16")
    assert mixed.activations == plain.activations / 2
    assert mixed.weights == 4 * ALL + 2 * TRAINABLE
    pieces = estimate(accumulation=4)
    assert pieces.activations == plain.activations / 4
    assert pieces.gradients == 2 * plain.gradients
    assert estimate(precision="float64").total == pytest.approx(
        2 * plain.total - plain.images
    )


@pytest.mark.slow
def test_a_measured_peak():
    setting = Setting("RegNetX-200MF", batch_size=64)
    before, peak = fresh_process.call(
        "keras_regnet.benchmarks.memory:keras_process",
        {"setting": {**setting.to_dict(), "steps": 2}},
    )
    assert peak - before == pytest.approx(estimate(images=64).total, rel=0.25)
