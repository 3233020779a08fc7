import dataclasses
import json

import pytest

from keras_regnet.preprocessing import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    PreprocessingSpec,
    channel_statistics,
)


def test_round_trip_through_json():
    spec = PreprocessingSpec(
        384, 400, "bicubic", (0.5, 0.4, 0.3), (0.1, 0.2, 0.3), "bgr"
    )
    assert PreprocessingSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    assert PreprocessingSpec.from_dict({"image_size": 224, "resize_size": 256}) == (
        PreprocessingSpec(224, 256)
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.image_size = 3


@pytest.mark.parametrize(
    # math.floor(size / fraction), as in timm's transforms_imagenet_eval.
    ("size", "fraction", "resized"),
    [(224, 0.875, 256), (224, 0.95, 235), (288, 0.95, 303), (384, 1.0, 384)],
)
def test_a_crop_fraction_is_rounded_down(size, fraction, resized):
    spec = PreprocessingSpec.of_crop_fraction(size, fraction, interpolation="bicubic")
    assert spec == PreprocessingSpec(size, resized, "bicubic")
    assert spec.crop_fraction == size / resized


def test_other_channels_and_sizes():
    spec = PreprocessingSpec(224, 256)
    assert (spec.channels, spec.mean, spec.std) == (3, IMAGENET_MEAN, IMAGENET_STD)
    grey = spec.for_channels(1)
    assert (grey.mean, grey.std) == channel_statistics(1) == ((0.449,), (0.226,))
    assert spec.for_channels(3) is spec
    assert PreprocessingSpec(224, 256, channel_order="bgr").for_channels(4) == (
        spec.for_channels(4)
    )
    assert spec.for_size(448) == PreprocessingSpec(448, 512)
    assert spec.for_size(100) == PreprocessingSpec(100, 114)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"image_size": 0}, "image_size=0"),
        ({"image_size": 224.5}, r"image_size=224\.5"),
        ({"resize_size": 223}, "resize_size=223, image_size=224"),
        ({"interpolation": "lanczos"}, "'bilinear', 'bicubic'.*'lanczos'"),
        ({"channel_order": "grb"}, "'rgb', 'bgr'.*'grb'"),
        ({"mean": 0.5}, "mean="),
        ({"mean": (0.5, float("nan"), 0.5)}, "finite.*nan"),
        ({"mean": (0.5,)}, r"number per channel.*mean=\(0\.5,\)"),
        ({"std": (0.2, 0.0, 0.2)}, "std.*positive"),
        ({"mean": (0.5,), "std": (0.5,), "channel_order": "bgr"}, "three channels"),
    ],
)
def test_impossible_values_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        PreprocessingSpec(**{"image_size": 224, "resize_size": 256} | values)


@pytest.mark.parametrize("fraction", [0, 1.01, float("nan"), "0.9"])
def test_impossible_fractions_are_named(fraction):
    with pytest.raises(ValueError, match="crop_fraction="):
        PreprocessingSpec.of_crop_fraction(224, fraction)


@pytest.mark.parametrize(
    "values", [{"image_size": 224}, {"image_size": 2, "resize_size": 2, "crop": 1}]
)
def test_unknown_and_missing_entries_are_named(values):
    with pytest.raises(ValueError, match=r"Received: \['"):
        PreprocessingSpec.from_dict(values)
