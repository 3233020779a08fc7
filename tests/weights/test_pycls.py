"""Checkpoints with the official names, whose networks take blue, green, red."""

import numpy as np
import pytest

import keras_regnet
from keras_regnet import weights
from keras_regnet.architecture import canonical_name
from tests.torch_peer import logits, random_timm_model, relative_difference
from tests.weights.files import official_names, photographs, write_official

pytestmark = [pytest.mark.peers, pytest.mark.real_data]


def images():
    """Photographs, normalised, red, green, blue."""
    prepare = keras_regnet.preprocessing_for("pycls/RegNetX-200MF")
    return np.stack([prepare(image) for image in photographs(2)])


def build(name, path, **options):
    read = weights.read(path, **options)
    return keras_regnet.RegNet(name, weights=read, classifier_activation=None)


@pytest.mark.parametrize(
    "name",
    ["regnetx_002", "regnety_004", pytest.param("regnetx_080", marks=pytest.mark.slow)],
)
def test_bgr_to_the_source_is_rgb_to_ours(name, tmp_path):
    path = tmp_path / "RegNet_dds_8gpu.pyth"
    theirs = write_official(name, path)
    assert weights.read(path).architecture == canonical_name(name)
    rgb = images()
    expected = logits(theirs, rgb[..., ::-1])
    assert relative_difference(build(name, path)(rgb), expected) < 1e-4
    # Whoever forgets to turn the stem round gets something else.
    assert relative_difference(build(name, path)(rgb[..., ::-1]), expected) > 1e-2


def test_the_ffcv_exception_takes_rgb(tmp_path):
    path = tmp_path / "ffcv.pyth"
    theirs = write_official("regnetx_002", path)
    ours = build("regnetx_002", path, channel_order="rgb")
    assert relative_difference(ours(images()), logits(theirs, images())) < 1e-4
    with pytest.raises(ValueError, match="channel_order='grb'"):
        weights.read(path, channel_order="grb")


def test_the_average_is_taken_on_demand(tmp_path):
    path = tmp_path / "ema.pyth"
    average = random_timm_model("regnetx_002", seed=7)
    last = write_official(
        "regnetx_002", path, ema_state=official_names(average.state_dict())
    )
    rgb = images()
    for averaged, theirs in ((False, last), (True, average)):
        ours = build("regnetx_002", path, averaged=averaged)
        assert relative_difference(ours(rgb), logits(theirs, rgb[..., ::-1])) < 1e-4
    write_official("regnetx_002", path)
    with pytest.raises(ValueError, match=r"no averaged weights.*averaged=True"):
        weights.read(path, averaged=True)
