"""Policies: their tables against torchvision's and timm's, and what is drawn."""

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data import spaces
from keras_regnet.data.operations import OPERATIONS
from keras_regnet.data.policies import Policy
from tests.data.pictures import pictures
from tests.torch_peer import timm

SEED = np.array([7, 11], np.int32)
HEIGHT, WIDTH = 192, 224
THEIRS = {name: name.title().replace("_", "") for name in OPERATIONS} | {
    "autocontrast": "AutoContrast"
}


def policy(name, **arguments):
    return Policy(name, HEIGHT, WIDTH, **arguments)


def draw(one, count=20_000, seed=SEED):
    which, magnitudes = one.draw(seed, count)
    return which.numpy(), magnitudes.numpy()


@pytest.mark.parametrize("name", ["randaugment", "trivialaugment", "autoaugment"])
def test_names_are_operations(name):
    table = policy(name).table()
    assert set(table.names) <= set(OPERATIONS)
    assert table.magnitudes.dtype == np.float32
    assert len(table.names) == len(table.signed) == len(table.magnitudes)


def test_randaugment_draws_every_operation_at_the_one_strength():
    one = policy("randaugment", layers=3, magnitude=12)
    which, magnitudes = draw(one)
    table = one.table()
    assert which.shape == magnitudes.shape == (20_000, 3)
    shares = np.bincount(which.ravel()) / which.size
    np.testing.assert_allclose(shares, 1 / 14, rtol=0.06)
    for kind, signed in enumerate(table.signed):
        found = magnitudes[which == kind]
        strength = table.magnitudes[kind, 12]
        np.testing.assert_array_equal(np.abs(found), np.abs(strength))
        if signed:
            assert abs((found < 0).mean() - 0.5) < 0.04
    # The layers have nothing to do with each other.
    assert abs(np.corrcoef(which.T)[0, 1]) < 0.03


def test_trivialaugment_draws_every_strength():
    one = policy("trivialaugment")
    which, magnitudes = draw(one, 60_000)
    assert which.shape == (60_000, 1)
    shares = np.bincount(which[:, 0]) / len(which)
    np.testing.assert_allclose(shares, 1 / 14, rtol=0.06)
    turns = magnitudes[which == one.table().names.index("rotate")]
    values, counts = np.unique(np.round(np.abs(turns), 3), return_counts=True)
    np.testing.assert_allclose(values, np.linspace(0, 135, 31), atol=1e-3)
    assert np.abs(counts / len(turns) * 31 - 1).max() < 0.4


@pytest.mark.parametrize("data_set", spaces.SUB_POLICIES)
def test_autoaugment_draws_its_pairs(data_set):
    one = policy("autoaugment", sub_policies=data_set)
    which, magnitudes = draw(one, 50_000)
    table, pairs = one.table(), spaces.autoaugment_pairs(data_set)
    assert len(pairs) == 25
    nothing = len(table.names)
    expected = np.zeros((nothing + 1, nothing + 1))
    for (first, p, _), (second, q, _) in pairs:
        a, b = table.names.index(first), table.names.index(second)
        for x, chance in ((a, p), (nothing, 1 - p)):
            for y, other in ((b, q), (nothing, 1 - q)):
                expected[x, y] += chance * other / 25
    found = np.zeros_like(expected)
    np.add.at(found, tuple(which.T), 1 / len(which))
    np.testing.assert_allclose(found, expected, atol=0.006)
    turns = magnitudes[which == table.names.index("rotate")]
    known = {
        30 * level / 9 for pair in pairs for name, _, level in pair if name == "rotate"
    }
    np.testing.assert_allclose(np.unique(np.abs(turns)), sorted(known), rtol=1e-6)


def test_timms_strengths_vary_and_half_of_the_operations_are_left_out():
    one = policy("randaugment", space="timm_increasing", magnitude=9, magnitude_std=0.5)
    which, magnitudes = draw(one, 60_000)
    names = one.table().names
    assert abs((which == len(names)).mean() - 0.5) < 0.01
    levels = np.abs(magnitudes[which == names.index("rotate")]) / 3  # of 0 to 10
    assert levels.max() == 10
    assert abs((levels == 10).mean() - 0.0228) < 0.01  # beyond two deviations
    assert abs(np.median(levels) - 9) < 0.05
    assert abs(levels[levels < 9].std() - 0.5 * 0.6028) < 0.02


def test_a_draw_depends_on_the_seed_and_the_place_alone():
    for name in ("randaugment", "trivialaugment", "autoaugment"):
        one = policy(name, magnitude_std=1.0)
        for a, b in zip(draw(one, 64), draw(one, 64), strict=True):
            np.testing.assert_array_equal(a, b)
        for a, b in zip(draw(one, 64), draw(one, 10), strict=True):
            np.testing.assert_array_equal(a[:10], b)
        assert (draw(one, 64)[0] != draw(one, 64, SEED + 5)[0]).any()


@pytest.mark.parametrize("name", ["randaugment", "trivialaugment", "autoaugment"])
@pytest.mark.parametrize("channels", [1, 3])
def test_batches_and_single_images_are_changed_alike(name, channels):
    images = np.concatenate([pictures(channels=channels)] * 4)
    one = Policy(name, 31, 37, fill=3)
    drawn = one.draw(SEED, len(images))
    found = one.apply(tf.constant(images), *drawn).numpy()
    assert (found != images).any((1, 2, 3)).mean() > 0.3
    for place in range(len(images)):
        here = [part[place : place + 1] for part in drawn]
        alone = one.apply(tf.constant(images[place : place + 1]), *here).numpy()
        np.testing.assert_array_equal(found[place], alone[0])


def check_table(table, theirs, bins):
    for name, magnitudes, signed in zip(
        table.names, table.magnitudes, table.signed, strict=True
    ):
        if THEIRS[name] not in theirs:
            assert name == "identity"
            continue
        function, negated = theirs[THEIRS[name]]
        expected = function(bins, HEIGHT, WIDTH)
        assert signed == negated
        assert len(magnitudes) == bins
        if expected is None:
            assert not magnitudes.any()
            continue
        expected = expected.numpy().astype(float)
        if name.startswith("translate"):
            expected = np.trunc(expected + 1e-5)  # 15.999999 pixels are 16
        if name == "solarize":
            expected *= 255
        np.testing.assert_allclose(magnitudes, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.peers
def test_tables_are_torchvisions():
    timm()
    from torchvision.transforms import v2

    for name, theirs, bins in (
        ("randaugment", v2.RandAugment, 31),
        ("trivialaugment", v2.TrivialAugmentWide, 31),
        ("autoaugment", v2.AutoAugment, 10),
    ):
        table = policy(name).table()
        known = theirs._AUGMENTATION_SPACE
        assert set(known) - {THEIRS[name] for name in table.names} == set()
        check_table(table, known, bins)
    for data_set in spaces.SUB_POLICIES:
        expected = v2.AutoAugment(v2.AutoAugmentPolicy[data_set.upper()])._policies
        found = [
            tuple((THEIRS[name], chance, level) for name, chance, level in pair)
            for pair in spaces.autoaugment_pairs(data_set)
        ]
        assert found == [
            tuple((name, chance, level or 0) for name, chance, level in pair)
            for pair in expected
        ]


@pytest.mark.peers
@pytest.mark.parametrize("increasing", [False, True])
def test_timms_table_is_timms(increasing):
    timm()
    from timm.data import auto_augment

    table = spaces.timm_space(HEIGHT, WIDTH, increasing)
    choices = auto_augment.rand_augment_choices("", increasing)
    theirs = {
        name.removesuffix("Increasing").removesuffix("Rel"): name for name in choices
    }
    assert {THEIRS[name] for name in table.names} == set(theirs)
    hparams = {"translate_pct": 0.45}
    for name, magnitudes, signed in zip(
        table.names, table.magnitudes, table.signed, strict=True
    ):
        level = auto_augment.LEVEL_TO_ARG[theirs[THEIRS[name]]]
        if level is None:
            assert not magnitudes.any()
            continue
        values = {"translate_x": WIDTH, "translate_y": HEIGHT}.get(name, 1)
        enhancement = name in ("brightness", "color", "contrast", "sharpness")
        for place in (0, 137, 250, 500, 863, 900, 1000):
            drawn = {level(place / 100, hparams)[0] * values for _ in range(40)}
            drawn = {value - 1 for value in drawn} if enhancement else drawn
            found = magnitudes[place] * np.array((1, -1) if signed else (1,))
            np.testing.assert_allclose(
                sorted(drawn), sorted(set(found.tolist())), atol=1e-5
            )
