"""The learning rate against numbers worked out by hand (numbers.md 2.4)."""

import math

import pytest

from keras_regnet.training import TrainingConfig, learning_rate_at
from keras_regnet.training.schedules import learning_rates


def official(**fields):
    """The recipe of the 200MF network: batch 1024, 100 epochs, rate 0.8."""
    return TrainingConfig(
        epochs=100, learning_rate=0.8, schedule_granularity="epoch", **fields
    )


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        # 0.8 * 0.5 * (1 + cos(pi t / 100)) * warm-up, by hand:
        (0, 0.08),
        (1, 0.8 * 0.99975328 * 0.28),
        (4, 0.8 * 0.99605735 * 0.82),
        (5, 0.8 * 0.99384417),
        (50, 0.4),
        (75, 0.8 * 0.14644661),
        (99, 0.8 * 0.00024672),
    ],
)
def test_official_rate_per_epoch(epoch, expected):
    for step in (0, 1250):
        rate = learning_rate_at(official(), epoch * 1251 + step, 1251)
        assert rate == pytest.approx(expected, rel=2e-5)


def test_first_and_last_epoch_as_documented():
    assert learning_rate_at(official(), 0, 10) == pytest.approx(0.1 * 0.8)
    last = 0.8 * 0.5 * (1 + math.cos(0.99 * math.pi))
    assert learning_rate_at(official(), 999, 10) == pytest.approx(last)


def test_rate_per_step_moves_between_the_epochs():
    config = TrainingConfig(epochs=100, learning_rate=0.8)
    rates = [learning_rate_at(config, step, 10) for step in range(1000)]
    assert rates[0] == pytest.approx(0.08)
    # At whole epochs both granularities agree.
    assert rates[::10] == pytest.approx(
        [learning_rate_at(official(), step, 10) for step in range(0, 1000, 10)]
    )
    assert rates[:45] == sorted(rates[:45])
    assert rates[50:] == sorted(rates[50:], reverse=True)
    assert rates[25] == pytest.approx(
        0.8 * 0.5 * (1 + math.cos(0.025 * math.pi)) * 0.55
    )


def test_constant_rate_without_warmup():
    config = TrainingConfig(epochs=3, schedule="constant", warmup_epochs=0)
    assert {learning_rate_at(config, step, 7) for step in range(21)} == {0.1}


def test_fractional_warmup():
    config = TrainingConfig(epochs=4, schedule="constant", warmup_epochs=0.5)
    rates = [learning_rate_at(config, step, 4) for step in range(4)]
    assert rates == pytest.approx([0.01, 0.055, 0.1, 0.1])


def test_rates_of_an_epoch_continue_the_ones_before():
    config = TrainingConfig(epochs=6)
    expected = [learning_rate_at(config, step, 3) for step in range(3, 6)]
    assert learning_rates(config, 1, 3).tolist() == expected
