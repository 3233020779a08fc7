"""Mixup and CutMix against plain numpy, and their draws against their laws."""

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data import mixing
from tests.torch_peer import timm

SEED = np.array([7, 11], np.int32)


def batch(count=6, size=16, classes=5):
    random = np.random.default_rng(0)
    images = random.normal(size=(count, size, size + 3, 2)).astype(np.float32)
    return images, random.integers(0, classes, count).astype(np.int32)


def drawn(cut, share, down=0.5, right=0.5):
    return tf.constant(cut), tf.constant(share), tf.constant((down, right))


@pytest.mark.parametrize(
    ("count", "distance", "expected"),
    [
        (4, 1, [1, 0, 3, 2]),
        (5, 1, [1, 0, 3, 2, 4]),
        (8, 2, [2, 3, 0, 1, 6, 7, 4, 5]),
        (11, 2, [2, 3, 0, 1, 6, 7, 4, 5, 10, 9, 8]),
        (3, 4, [2, 1, 0]),
        (1, 1, [0]),
    ],
)
def test_partners(count, distance, expected):
    found = mixing.partners(count, distance)
    assert found.tolist() == expected
    np.testing.assert_array_equal(found[found], np.arange(count))


def test_workers_with_whole_blocks_have_the_same_partners():
    whole = mixing.partners(24, 3)
    parts = [mixing.partners(12, 3) + first for first in (0, 12)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_mixup_equals_numpy():
    images, labels = batch()
    partner = mixing.partners(6)
    found, shares = mixing.mix(images, labels, drawn(False, 0.3), partner, 5)
    expected = 0.3 * images + 0.7 * images[partner]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    one_hot = np.eye(5)[labels]
    np.testing.assert_allclose(
        shares, 0.3 * one_hot + 0.7 * one_hot[partner], atol=1e-6
    )
    assert shares.dtype == tf.float32


@pytest.mark.parametrize("middle", [(0.5, 0.5), (0.0, 0.99), (0.9, 0.1)])
def test_cutmix_takes_a_box_and_the_share_that_it_has(middle):
    images, labels = batch()
    partner = mixing.partners(6)
    found, shares = mixing.mix(images, labels, drawn(True, 0.6, *middle), partner, 5)
    half = np.floor(0.5 * np.sqrt(0.4) * np.array((16, 19))).astype(int)
    centre = np.floor(np.array(middle) * (16, 19)).astype(int)
    low = np.maximum(centre - half, 0)
    high = np.minimum(centre + half, (16, 19))
    expected = images.copy()
    box = (slice(None), slice(low[0], high[0]), slice(low[1], high[1]))
    expected[box] = images[partner][box]
    np.testing.assert_array_equal(found, expected)
    own = 1 - np.prod(high - low) / (16 * 19)
    one_hot = np.eye(5)[labels]
    np.testing.assert_allclose(
        shares, own * one_hot + (1 - own) * one_hot[partner], atol=1e-6
    )


def test_an_unmixed_batch_stays():
    images, labels = batch()
    for cut in (False, True):
        found, shares = mixing.mix(
            images, labels, drawn(cut, 1.0), mixing.partners(6), 5
        )
        np.testing.assert_array_equal(found, images)
        np.testing.assert_array_equal(shares, np.eye(5)[labels])


def draws(count, *arguments):
    function = tf.function(lambda seed: mixing.draw_mixing(seed, *arguments))
    parts = [function(tf.constant((3, number))) for number in range(count)]
    return [np.stack([part[k].numpy() for part in parts]) for k in range(3)]


def test_draws_follow_their_laws():
    cut, share, middle = draws(3000, 0.2, 1.0, 1.0)
    assert abs(cut.mean() - 0.5) < 0.03
    for kind, alpha in ((False, 0.2), (True, 1.0)):
        found = share[cut == kind]
        assert abs(found.mean() - 0.5) < 0.03
        variance = 1 / (4 * (2 * alpha + 1))  # of the beta distribution
        assert abs(found.var() / variance - 1) < 0.1
    np.testing.assert_allclose(middle.mean(0), 0.5, atol=0.03)
    assert abs(np.corrcoef(middle.T)[0, 1]) < 0.06


@pytest.mark.parametrize(
    ("arguments", "cuts", "mixed"),
    [
        ((0.2, 0.0, 1.0), 0.0, 1.0),
        ((0.0, 1.0, 1.0), 1.0, 1.0),
        ((0.8, 0.8, 0.25), 0.5, 0.25),
        ((0.1, 0.0, 1.0), 0.0, 0.9),
    ],
)
def test_one_kind_alone_and_unmixed_batches(arguments, cuts, mixed):
    cut, share, _ = draws(600, *arguments)
    assert np.isfinite(share).all()
    assert abs(cut.mean() - cuts) < 0.07
    assert abs((share < 1).mean() - mixed) < 0.07


@pytest.mark.peers
@pytest.mark.parametrize("kind", ["MixUp", "CutMix"])
def test_pixels_and_shares_are_torchvisions(kind, monkeypatch):
    timm()
    import torch
    from torchvision.transforms import v2

    images, labels = batch(2)  # two: torchvision's neighbour is our partner
    transform = getattr(v2, kind)(alpha=1.0, num_classes=5)
    for share, down, right in ((0.3, 4, 11), (0.8, 15, 0), (0.55, 8, 9)):
        monkeypatch.setattr(
            transform._dist, "sample", lambda shape=(), s=share: torch.tensor(s)
        )
        places = iter((torch.tensor([right]), torch.tensor([down])))
        monkeypatch.setattr(torch, "randint", lambda *a, p=places, **k: next(p))
        tensor = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
        expected, targets = transform(tensor, torch.from_numpy(labels.astype(int)))
        middle = ((down + 0.5) / 16, (right + 0.5) / 19)
        found, shares = mixing.mix(
            images, labels, drawn(kind == "CutMix", share, *middle), np.array([1, 0]), 5
        )
        expected = expected.numpy().transpose(0, 2, 3, 1)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(shares, targets.numpy(), atol=1e-6)
