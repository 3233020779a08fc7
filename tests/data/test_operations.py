"""Operations on pixels against plain numpy, and against torchvision and Pillow."""

import math

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data.operations import OPERATIONS, apply, operation
from tests.data.pictures import pictures
from tests.torch_peer import timm

# Strengths that leave no pixel exactly between two others, where it is a matter of
# rounding which one is nearest.
MAGNITUDES = {
    "identity": (0.0,),
    "brightness": (-0.9, -0.45, 0.0, 0.9),
    "color": (-0.9, -0.45, 0.0, 0.9),
    "contrast": (-0.9, -0.45, 0.0, 0.9),
    "sharpness": (-0.9, -0.45, 0.0, 0.9),
    "posterize": (1, 2, 4, 7, 8),
    "solarize": (0.0, 17.0, 100.3, 127.5, 255.0),
    "solarize_add": (0, 40, 110, 128),
    "autocontrast": (0.0,),
    "equalize": (0.0,),
    "invert": (0.0,),
    "shear_x": (0.09, -0.3, 0.97),
    "shear_y": (0.09, -0.3, 0.97),
    "translate_x": (5, -14, 100),
    "translate_y": (5, -14, 100),
    "rotate": (9.0, -30.0, 133.0),
}


def run(name, images, magnitude, **arguments):
    magnitudes = tf.fill((len(images),), float(magnitude))
    return operation(name, **arguments)(tf.constant(images), magnitudes).numpy()


def test_every_operation_is_tested_here():
    assert set(MAGNITUDES) == set(OPERATIONS)


def test_tables_of_values_equal_numpy():
    images = pictures()
    np.testing.assert_array_equal(run("invert", images, 0), 255 - images)
    for bits in range(9):
        expected = images >> (8 - bits) << (8 - bits) if bits else images * 0
        np.testing.assert_array_equal(run("posterize", images, bits), expected)
    for threshold in (0, 1, 99.5, 255, 255.5, 256):
        expected = np.where(images >= threshold, 255 - images, images)
        np.testing.assert_array_equal(run("solarize", images, threshold), expected)
    expected = np.where(images < 128, images + 110, images)
    np.testing.assert_array_equal(run("solarize_add", images, 110), expected)


def test_autocontrast_and_equalize_spread_the_values():
    smooth, _, faint, flat = pictures(64, 64)
    assert faint.max() - faint.min() < 60
    for name in ("autocontrast", "equalize"):
        found = run(name, np.stack((faint, flat)), 0)
        np.testing.assert_array_equal(found[0].min((0, 1)), [0, 0, 0])
        np.testing.assert_array_equal(found[0].max((0, 1)), [255, 255, 255])
        np.testing.assert_array_equal(found[1], flat)
    # As many pixels below a value as the value says.
    equal = run("equalize", smooth[None], 0)[0]
    for value in (64, 128, 192):
        assert abs((equal < value).mean() - value / 256) < 0.04


def test_shifts_and_a_quarter_turn_equal_numpy():
    images = pictures(24, 24)
    for interpolation in ("nearest", "bilinear"):
        options = {"interpolation": interpolation, "fill": 9}
        right = run("translate_x", images, 5, **options)
        np.testing.assert_array_equal(right[:, :, 5:], images[:, :, :-5])
        assert (right[:, :, :5] == 9).all()
        up = run("translate_y", images, -7, **options)
        np.testing.assert_array_equal(up[:, :-7], images[:, 7:])
        assert (up[:, -7:] == 9).all()
    turned = run("rotate", images, 90)
    np.testing.assert_array_equal(turned, np.rot90(images, axes=(1, 2)))
    # A slope of 1: row y comes from y + 0.5 pixels further right, here rounded up.
    sheared = run("shear_x", images, 0.999)
    np.testing.assert_array_equal(sheared[:, 4, :-5], images[:, 4, 4:-1])


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_image_has_a_strength_of_its_own(name, channels):
    images = pictures(channels=channels)
    strengths = np.resize(MAGNITUDES[name], len(images)).astype(np.float32)
    found = operation(name)(tf.constant(images), tf.constant(strengths)).numpy()
    assert found.dtype == np.uint8
    assert found.shape == images.shape
    for image, strength, result in zip(images, strengths, found, strict=True):
        np.testing.assert_array_equal(run(name, image[None], strength)[0], result)


def test_colour_of_grey_images_stays():
    images = pictures(channels=1)
    np.testing.assert_array_equal(run("color", images, -0.9), images)
    # Three equal channels have no colour either; their weights add up to 0.9999.
    grey = np.repeat(images, 3, axis=-1)
    assert np.abs(run("color", grey, -0.9).astype(int) - grey).max() <= 1


def test_images_of_two_pixels_are_sharp():
    images = pictures(2, 9)
    np.testing.assert_array_equal(run("sharpness", images, -0.9), images)


def test_a_batch_gets_what_its_images_get_alone():
    images = np.concatenate([pictures()] * 8)
    random = np.random.default_rng(1)
    which = random.integers(0, len(OPERATIONS), len(images)).astype(np.int32)
    which[which == 3] = 4  # one operation that nobody drew
    strengths = np.array(
        [random.choice(MAGNITUDES[OPERATIONS[kind]]) for kind in which], np.float32
    )
    operations = [operation(name) for name in OPERATIONS]
    found = apply(tf.constant(images), which, strengths, operations).numpy()
    for place in range(len(images)):
        alone = slice(place, place + 1)
        arguments = (images[alone], which[alone], strengths[alone])
        one = apply(*map(tf.constant, arguments), operations).numpy()[0]
        expected = run(OPERATIONS[which[place]], images[alone], strengths[place])[0]
        np.testing.assert_array_equal(one, expected)
        np.testing.assert_array_equal(found[place], expected)


def torchvisions(name, magnitude, interpolation="nearest"):
    """torchvision's operation, as its policies call it."""
    timm()
    from torchvision.transforms.v2 import InterpolationMode, RandAugment
    from torchvision.transforms.v2 import functional as v2

    policy = RandAugment()
    names = {"autocontrast": "AutoContrast"}
    theirs = names.get(name) or name.title().replace("_", "")
    if name in ("posterize", "solarize"):
        value = int(magnitude) if name == "posterize" else magnitude
        return lambda image: getattr(v2, name)(image, value)
    return lambda image: policy._apply_image_or_video_transform(
        image, theirs, magnitude, InterpolationMode(interpolation), {type(image): None}
    )


def differences(name, channels, interpolation, pillow):
    """Ours less theirs, one array for each magnitude."""
    import torch
    from PIL import Image

    images = pictures(60, 76, channels)
    for magnitude in MAGNITUDES[name]:
        ours = run(name, images, magnitude, interpolation=interpolation)
        change = torchvisions(name, magnitude, interpolation)
        if pillow:
            theirs = [np.asarray(change(Image.fromarray(i.squeeze()))) for i in images]
            theirs = np.stack(theirs).reshape(images.shape)
        else:
            tensors = [torch.from_numpy(np.moveaxis(i, -1, 0).copy()) for i in images]
            theirs = np.stack([np.moveaxis(change(t).numpy(), 0, -1) for t in tensors])
        yield np.abs(ours.astype(int) - theirs)


SHARED = sorted(set(OPERATIONS) - {"solarize_add"})  # timm's alone


@pytest.mark.peers
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", SHARED)
def test_values_are_those_of_torchvision_on_tensors(name, channels):
    for difference in differences(name, channels, "nearest", pillow=False):
        if name in ("color", "contrast"):  # sums are rounded in another order
            assert difference.max() <= 1
            assert np.mean(difference > 0) < 0.05
        else:  # a turned pixel may lie as far from two others but for the last digit
            assert np.mean(difference > 0) <= (0.0005 if name == "rotate" else 0)


@pytest.mark.peers
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", SHARED)
def test_values_are_within_one_of_torchvision_on_pillow(name, channels):
    for difference in differences(name, channels, "nearest", pillow=True):
        # Pillow computes places with 16 bits behind the point.
        moved = 0.003 if name in ("rotate", "shear_x", "shear_y") else 0.0
        assert np.mean(difference > 1) <= moved


@pytest.mark.peers
@pytest.mark.parametrize("name", ["shear_x", "shear_y", "rotate"])
def test_bilinear_values_are_within_one_of_torchvision(name):
    for difference in differences(name, 3, "bilinear", pillow=False):
        assert difference.max() <= 1
    for difference in differences(name, 3, "bilinear", pillow=True):
        # At the edge Pillow does not mix with what is outside.
        assert np.mean(difference > 1) < 0.04


@pytest.mark.peers
def test_timms_operations_equal_its_own():
    timm()
    from PIL import Image
    from timm.data import auto_augment

    images = pictures(61, 77)
    for name, theirs, argument in (
        ("solarize_add", auto_augment.solarize_add, 77),
        ("solarize", auto_augment.solarize, 26),
        ("posterize", auto_augment.posterize, 1),
    ):
        found = run(name, images, argument)
        for image, result in zip(images, found, strict=True):
            expected = np.asarray(theirs(Image.fromarray(image), argument))
            np.testing.assert_array_equal(result, expected)
    for name, theirs in (
        ("shear_x", auto_augment.shear_x),
        ("translate_x", auto_augment.translate_x_abs),
        ("rotate", auto_augment.rotate),
    ):
        # timm names the place from which a pixel comes, we where it goes to.
        sign = -1 if name == "translate_x" else 1
        found = run(name, images, sign * 0.27, interpolation="bilinear", fill=128)
        for image, result in zip(images, found, strict=True):
            expected = np.asarray(
                theirs(
                    Image.fromarray(image),
                    0.27,
                    resample=Image.Resampling.BILINEAR,
                    fillcolor=(128,) * 3,
                )
            )
            difference = np.abs(result.astype(int) - expected)
            assert np.mean(difference > 1) < 0.04, (name, math.ceil(difference.max()))
