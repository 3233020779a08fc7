"""The learning rate against numbers worked out by hand (numbers.md 2.4)."""

import math

import numpy as np
import pytest

from keras_regnet.training import TrainingConfig, learning_rate_at
from keras_regnet.training.recipes import configure
from keras_regnet.training.schedules import learning_rates
from tests import torch_peer


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


def test_recipe_of_the_paper_at_every_epoch():
    """pycls_100e against numbers.md 2.4, written out: 0.1 per 128 images, half a
    period of a cosine, 5 epochs of warm-up from a tenth, one rate per epoch."""
    config = configure(
        "pycls_100e",
        model={"architecture": "regnety_032"},
        data={"name": "imagenet2012"},
    )
    assert config.data.batch_size == 512
    steps = 1281167 // 512
    assert steps == 2502
    for epoch in range(100):
        expected = 0.4 * (1 + math.cos(math.pi * epoch / 100)) / 2
        if epoch < 5:
            expected *= 0.1 + 0.9 * epoch / 5
        found = learning_rates(config.training, epoch, steps)
        assert len(found) == steps
        assert found == pytest.approx(np.full(steps, expected), rel=1e-12)


def rates_by_epoch(config):
    return [learning_rate_at(config, epoch * 7, 7) for epoch in range(config.epochs)]


def test_step_and_exponential_fall_to_their_least():
    fields = {"epochs": 9, "learning_rate": 1.0, "warmup_epochs": 0}
    fields |= {"decay_every_epochs": 2, "decay_factor": 0.5}
    config = TrainingConfig(schedule="step", **fields)
    assert rates_by_epoch(config) == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.0625]
    assert learning_rate_at(config, 13, 7) == 1  # within the second epoch
    config = TrainingConfig(
        schedule="exponential", final_learning_rate_factor=0.3, **fields
    )
    root = math.sqrt(0.5)
    assert rates_by_epoch(config) == pytest.approx([1, root, 0.5, root / 2] + 5 * [0.3])


def test_cosine_with_a_floor_and_a_cooldown():
    config = TrainingConfig(
        epochs=10,
        learning_rate=2.0,
        warmup_epochs=0,
        final_learning_rate_factor=0.1,
        cooldown_epochs=2,
    )
    rates = rates_by_epoch(config)
    assert rates[0] == 2.0
    assert rates[4] == pytest.approx((2.0 + 0.2) / 2)  # half of the eight epochs
    assert rates[8:] == pytest.approx([0.2, 0.2])


@pytest.mark.peers
@pytest.mark.parametrize("recipe", ["torchvision_v1", "torchvision_v2"])
def test_torchs_own_schedulers(recipe):
    torch = pytest.importorskip("torch")
    config = configure(recipe, model={"architecture": "regnetx_032"}).training
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], config.learning_rate)
    schedulers = torch.optim.lr_scheduler
    decay = {"torchvision_v1": 0.1, "torchvision_v2": 0.01}[recipe]
    peer = schedulers.SequentialLR(
        optimizer,
        [
            schedulers.LinearLR(optimizer, start_factor=decay, total_iters=5),
            schedulers.CosineAnnealingLR(optimizer, T_max=config.epochs - 5),
        ],
        milestones=[5],
    )
    expected = []
    for _ in range(config.epochs):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        peer.step()
    assert config.epochs == {"torchvision_v1": 100, "torchvision_v2": 600}[recipe]
    assert rates_by_epoch(config) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.peers
@pytest.mark.parametrize("prefix", [False, True])
@pytest.mark.parametrize("schedule", ["cosine", "step"])
def test_timms_own_schedulers(schedule, prefix):
    torch_peer.timm()
    import torch
    from timm import scheduler

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.5)
    warmup = {"warmup_t": 3, "warmup_lr_init": 0.05, "warmup_prefix": prefix}
    fields = {"final_learning_rate_factor": 0.02} if schedule == "cosine" else {}
    if schedule == "cosine":
        peer = scheduler.CosineLRScheduler(
            optimizer, t_initial=20, lr_min=0.01, **warmup
        )
    else:
        peer = scheduler.StepLRScheduler(
            optimizer, decay_t=2.4, decay_rate=0.9, **warmup
        )
    config = TrainingConfig(
        epochs=23 if prefix and schedule == "cosine" else 20,
        learning_rate=0.5,
        schedule=schedule,
        schedule_granularity="epoch",
        decay_every_epochs=2.4,
        decay_factor=0.9,
        warmup_epochs=3,
        warmup_factor=0.1,
        warmup_mode="preceding" if prefix else "replacing",
        **fields,
    )
    expected = []
    for epoch in range(config.epochs):
        peer.step(epoch)
        expected.append(optimizer.param_groups[0]["lr"])
    assert rates_by_epoch(config) == pytest.approx(expected, rel=1e-9)
