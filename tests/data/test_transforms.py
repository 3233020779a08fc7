"""Transforms against plain numpy, and their distributions against what they claim."""

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data import transforms

SEED = np.array([7, 11], np.int32)


def picture(height, width, channels=3, seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (height, width, channels))
    return values.astype(np.uint8)


def smooth(height, width):
    rows, columns = np.mgrid[:height, :width]
    red, green = rows * 255 // max(1, height - 1), columns * 255 // max(1, width - 1)
    return np.stack((red, green, (red + green) // 2), axis=-1).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_pad_crop_equals_numpy(channels):
    images = np.stack([picture(9, 7, channels, seed) for seed in range(16)])
    offsets = transforms.draw_offsets(SEED, 16, 3).numpy()
    found = transforms.pad_crop(images, offsets, 3).numpy()
    assert found.dtype == np.uint8
    padded = np.pad(images, ((0, 0), (3, 3), (3, 3), (0, 0)))
    for index, (down, right) in enumerate(offsets):
        expected = padded[index, down : down + 9, right : right + 7]
        np.testing.assert_array_equal(found[index], expected)


def test_pad_crop_in_the_middle_changes_nothing():
    images = picture(8, 8)[None]
    found = transforms.pad_crop(images, np.array([[2, 2]], np.int32), 2)
    np.testing.assert_array_equal(found, images)


def test_offsets_take_every_value_equally_often():
    offsets = transforms.draw_offsets(SEED, 20_000, 2).numpy()
    for axis in range(2):
        values, counts = np.unique(offsets[:, axis], return_counts=True)
        assert values.tolist() == [0, 1, 2, 3, 4]
        assert np.abs(counts - 4000).max() < 5 * np.sqrt(4000)
    assert abs(np.corrcoef(offsets.T)[0, 1]) < 0.03


def test_half_of_the_images_are_mirrored():
    flips = transforms.draw_flips(SEED, 10_000).numpy()
    assert abs(flips.mean() - 0.5) < 0.025
    images = np.stack([picture(5, 6, seed=seed) for seed in range(8)])
    found = transforms.flip(images, flips[:8]).numpy()
    for image, result, mirrored in zip(images, found, flips[:8], strict=True):
        np.testing.assert_array_equal(result, image[:, ::-1] if mirrored else image)


def test_draws_are_functions_of_the_seed():
    def draw(seed):
        return transforms.draw_crops(seed, 9, 50, 60, (0.1, 1), (0.7, 1.4)).numpy()

    one, two = transforms.fold(SEED, 1), transforms.fold(SEED, 2)
    np.testing.assert_array_equal(draw(one), draw(transforms.fold(SEED, 1)))
    assert (draw(one) != draw(two)).any()


def test_crops_have_the_areas_and_ratios_asked_for():
    height, width = 300, 400
    boxes = transforms.draw_crops(
        SEED, 20_000, height, width, (0.08, 1), (3 / 4, 4 / 3)
    )
    top, left, h, w = boxes.numpy().T
    assert top.min() >= 0
    assert left.min() >= 0
    assert (top + h).max() <= height
    assert (left + w).max() <= width
    area, ratio = h * w / (height * width), w / h
    assert area.min() > 0.079
    assert area.max() <= 1
    assert ratio.min() > 0.745
    assert ratio.max() < 1.342
    # Only areas near 1 can fail to fit and be tried again: those below are uniform.
    small = area[area < 0.5]
    assert abs(small.mean() - 0.29) < 0.01
    # Both coordinates really move over all their room.
    assert abs((top / np.maximum(1, height - h))[h < height - 20].mean() - 0.5) < 0.01
    assert abs((left / np.maximum(1, width - w))[w < width - 20].mean() - 0.5) < 0.01


def test_crop_distribution_equals_a_plain_reimplementation():
    """torchvision's loop, in numpy, an image of an awkward shape."""
    height, width, area, aspect = 100, 320, (0.08, 1.0), (3 / 4, 4 / 3)
    generator = np.random.default_rng(3)

    def one():
        for _ in range(10):
            target = generator.uniform(*area) * height * width
            ratio = np.exp(generator.uniform(*np.log(aspect)))
            w, h = round(np.sqrt(target * ratio)), round(np.sqrt(target / ratio))
            if 0 < w <= width and 0 < h <= height:
                return h, w
        return height, round(height * aspect[1])

    expected = np.array([one() for _ in range(20_000)])
    found = transforms.draw_crops(SEED, 20_000, height, width, area, aspect).numpy()
    np.testing.assert_allclose(found[:, 2:].mean(0), expected.mean(0), rtol=0.01)
    np.testing.assert_allclose(found[:, 2:].std(0), expected.std(0), rtol=0.03)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((10, 1000), (0, 493, 10, 13)), ((1000, 10), (493, 0, 13, 10))],
)
def test_a_strip_gives_the_largest_centred_box(shape, expected):
    box = transforms.draw_crops(SEED, 1, *shape, (0.9, 1.0), (3 / 4, 4 / 3)).numpy()[0]
    assert tuple(box) == expected


def test_one_pixel_can_be_cropped():
    box = transforms.draw_crops(SEED, 4, 1, 1, (0.08, 1.0), (3 / 4, 4 / 3)).numpy()
    np.testing.assert_array_equal(box, [[0, 0, 1, 1]] * 4)


def test_batched_crop_and_resize_equals_resizing_the_crop():
    images = np.stack([smooth(40, 48), picture(40, 48)])
    boxes = np.array([[5, 8, 20, 24], [0, 0, 40, 48]], np.int32)
    found = transforms.crop_and_resize(images, boxes, 64).numpy()
    for image, (top, left, h, w), result in zip(images, boxes, found, strict=True):
        crop = image[top : top + h, left : left + w]
        expected = tf.image.resize(crop, (64, 64)).numpy()
        # At the very edge of a box the neighbouring pixels are looked at.
        np.testing.assert_allclose(result[3:-3, 3:-3], expected[3:-3, 3:-3], atol=0.01)
    whole = tf.image.resize(images[1], (64, 64)).numpy()
    np.testing.assert_allclose(found[1], whole, atol=0.01)


def test_resize_keeps_range_and_leaves_the_same_size_alone():
    images = picture(8, 8, 1)[None]
    same = transforms.resize(tf.constant(images), 8, 8)
    assert same.dtype == tf.float32
    np.testing.assert_array_equal(same, images)
    large = transforms.resize(tf.constant(images), 24, 24).numpy()
    # Half-pixel centres: every third pixel, from the second on, is an original one.
    np.testing.assert_allclose(large[:, 1::3, 1::3], images, atol=1e-3)
    small = transforms.resize(tf.constant(images), 4, 4).numpy()
    assert abs(small.mean() - images.mean()) < 8  # smoothed, not picked


def test_normalize_equals_numpy():
    image, mean, std = picture(4, 5), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    expected = (image / 255 - np.array(mean)) / np.array(std)
    found = transforms.normalize(tf.constant(image), mean, std)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(10, 14), (11, 7), (6, 6)])
def test_centre_crop_equals_numpy(shape):
    image = picture(*shape)
    top, left = (shape[0] - 6) // 2, (shape[1] - 6) // 2
    found = transforms.centre_crop(tf.constant(image), 6)
    np.testing.assert_array_equal(found, image[top : top + 6, left : left + 6])


def test_evaluation_is_resize_then_centre_crop():
    image = smooth(120, 160)
    found = transforms.decode_centre_crop(tf.io.encode_png(image), 56, 0.875).numpy()
    resized = tf.image.resize(image, (64, 85), antialias=True).numpy()
    np.testing.assert_allclose(found, resized[4:60, 14:70], atol=1e-3)


def test_a_long_strip_does_not_explode():
    strip = tf.io.encode_png(np.zeros((1, 5000, 3), np.uint8))
    assert transforms.decode_centre_crop(strip, 64, 0.875).shape == (64, 64, 3)


def test_jpeg_crop_equals_decoding_then_cropping():
    encoded = tf.io.encode_jpeg(smooth(150, 200), quality=95)
    seed = transforms.fold(SEED, 5)
    limits = ((0.3, 0.6), (3 / 4, 4 / 3))
    found = transforms.decode_random_crop(encoded, seed, 72, *limits).numpy()
    top, left, h, w = transforms.draw_crops(seed, 1, 150, 200, *limits).numpy()[0]
    crop = transforms.decode(encoded).numpy()[top : top + h, left : left + w]
    expected = tf.image.resize(crop, (72, 72)).numpy()
    # At the border libjpeg has no neighbours from which to smooth the colours.
    inside = (slice(1, -1), slice(1, -1))
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-3)
    np.testing.assert_allclose(found, expected, atol=5)
    # The same picture as PNG goes the other way to the same crop.
    other = transforms.decode_random_crop(
        tf.io.encode_png(smooth(150, 200)), seed, 72, *limits
    )
    assert np.abs(other - found).mean() < 2


@pytest.mark.parametrize("size", [12, 24, 48])
def test_large_crops_of_jpegs_are_smoothed_as_those_of_other_files(size):
    coarse = tf.image.resize(picture(7, 9), (260, 340)).numpy() / 2 + 64
    image = np.clip(coarse + picture(260, 340) / 2 - 64, 0, 255).astype(np.uint8)
    limits = ((0.5, 1.0), (3 / 4, 4 / 3))
    encoded = (tf.io.encode_jpeg(image, quality=100), tf.io.encode_png(image))
    smoothed, fine = [], []
    for number in range(6):
        seed = transforms.fold(SEED, number)
        jpeg, png = (
            transforms.decode_random_crop(each, seed, size, *limits) for each in encoded
        )
        smoothed.append(np.abs(jpeg - png).mean())
        top, left, h, w = transforms.draw_crops(seed, 1, 260, 340, *limits).numpy()[0]
        plain = tf.image.resize(image[top : top + h, left : left + w], (size, size))
        fine.append(np.abs(jpeg - plain).mean())
    assert np.mean(smoothed) < 0.5 * np.mean(fine)


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_and_coloured_files_have_the_channels_asked_for(channels):
    files = [
        tf.io.encode_jpeg(picture(12, 10, 1)),
        tf.io.encode_jpeg(picture(12, 10, 3)),
        tf.io.encode_png(picture(12, 10, 1)),
        tf.io.encode_png(picture(12, 10, 4)),
    ]
    for encoded in files:
        assert transforms.decode(encoded, channels).shape == (12, 10, channels)
        crop = transforms.decode_random_crop(
            encoded, SEED, 8, (0.5, 1), (0.8, 1.2), channels
        )
        assert crop.shape == (8, 8, channels)
