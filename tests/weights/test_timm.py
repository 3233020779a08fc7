"""timm's files, converted: nothing left over, and the same logits for photographs."""

import gc

import keras
import numpy as np
import pytest

import keras_regnet
from tests.torch_peer import logits, random_timm_model, relative_difference
from tests.weights.files import (
    LARGE_VARIANTS,
    SMALL_VARIANTS,
    photographs,
    prepared_by_timm,
    randomise_statistics,
    write_safetensors,
)

pytestmark = [pytest.mark.peers, pytest.mark.real_data]


def compare(name, path):
    """Converts a file that timm's network writes, and prints a row of the table."""
    pictures = photographs()
    theirs = random_timm_model(name)
    images = prepared_by_timm(theirs, pictures)
    randomise_statistics(theirs, images)
    ours = keras_regnet.RegNet(
        name, weights=write_safetensors(theirs, path), classifier_activation=None
    )
    path.unlink()
    expected, actual = logits(theirs, images), ours.predict(images, verbose=0)
    relative = relative_difference(actual, expected)
    print(
        f"| {name} | {np.abs(expected).max():.3f} "
        f"| {np.abs(actual - expected).max():.1e} | {relative:.1e} |"
    )
    assert np.ptp(expected, axis=0).max() > 0.05 * np.abs(expected).max()
    assert relative < 1e-4
    keras.backend.clear_session()
    gc.collect()


@pytest.mark.parametrize("name", SMALL_VARIANTS)
def test_logits_of_photographs_equal_timms(name, tmp_path):
    compare(name, tmp_path / "model.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE_VARIANTS)
def test_logits_of_photographs_equal_timms_large(name, tmp_path):
    compare(name, tmp_path / "model.safetensors")


def test_wholly_random_statistics_in_float64(tmp_path):
    """Where float32 itself is off by 1e-3, as in timm too, float64 shows equality."""
    theirs = random_timm_model("regnety_004")
    images = prepared_by_timm(theirs, photographs(1))
    path = write_safetensors(theirs, tmp_path / "model.safetensors")
    ours = keras_regnet.RegNet(
        "regnety_004", weights=path, classifier_activation=None, dtype="float64"
    )
    expected = logits(theirs.double(), images.astype("float64"))
    assert relative_difference(ours(images), expected) < 1e-9


def test_a_swap_of_mean_and_variance_would_be_seen(tmp_path):
    """The comparison has power: what it must find, it finds."""
    theirs = random_timm_model("regnetx_002")
    images = prepared_by_timm(theirs, photographs(2))
    randomise_statistics(theirs, images)
    path = write_safetensors(theirs, tmp_path / "model.safetensors")
    ours = keras_regnet.RegNet("regnetx_002", weights=path, classifier_activation=None)
    bn = ours.get_layer("s2_b1").conv2.bn
    mean, variance = (np.array(v) for v in (bn.moving_mean, bn.moving_variance))
    bn.moving_mean.assign(variance)
    bn.moving_variance.assign(np.abs(mean))
    expected = logits(theirs, images)
    assert relative_difference(ours(images), expected) > 1e-2
