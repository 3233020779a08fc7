"""Random erasing: the boxes' distribution, and what becomes of the pixels."""

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data import erasing
from tests.torch_peer import timm

SEED = np.array([7, 11], np.int32)


def boxes_of(count, height=60, width=90, probability=1.0, seed=SEED):
    return erasing.draw_boxes(seed, count, height, width, probability).numpy()


def test_boxes_lie_inside_and_have_the_areas_asked_for():
    top, left, h, w = boxes_of(20_000, 224, 224).T
    assert min(top.min(), left.min()) >= 0
    assert max((top + h).max(), (left + w).max()) <= 224
    assert max(h.max(), w.max()) < 224
    area, ratio = h * w / 224**2, h / w
    assert 0.018 < area.min() < 0.03
    assert 0.3 < area.max() < 0.34
    assert abs(area.mean() - (0.02 + 1 / 3) / 2) < 0.003
    assert abs(np.log(ratio).mean()) < 0.02
    assert 0.28 < ratio.min() < 0.32
    assert abs((top / np.maximum(1, 224 - h)).mean() - 0.5) < 0.01
    assert abs((left / np.maximum(1, 224 - w)).mean() - 0.5) < 0.01


def test_how_often():
    for probability in (0.0, 0.25, 1.0):
        erased = boxes_of(10_000, probability=probability)[:, 2] > 0
        assert abs(erased.mean() - probability) < 0.02
    np.testing.assert_array_equal(boxes_of(10, probability=0.0), 0)


def test_one_pixel_is_never_erased():
    assert not boxes_of(200, 1, 1)[:, 2:].prod(1).any()


@pytest.mark.peers
def test_boxes_are_distributed_as_timms():
    timm()
    import torch
    from timm.data.random_erasing import RandomErasing

    theirs = RandomErasing(1.0, mode="const", device="cpu")
    found = []
    for _ in range(3000):
        image = torch.ones(1, 60, 90)
        theirs._erase(image, 1, 60, 90, torch.float32)
        rows, columns = (image[0] == 0).numpy().any(1), (image[0] == 0).numpy().any(0)
        found.append((rows.argmax(), columns.argmax(), rows.sum(), columns.sum()))
    ours = boxes_of(20_000)
    np.testing.assert_allclose(ours.mean(0), np.mean(found, 0), rtol=0.06)
    np.testing.assert_allclose(ours.std(0), np.std(found, 0), rtol=0.06)


@pytest.mark.parametrize("count", [1, 6])
@pytest.mark.parametrize("channels", [1, 3])
def test_zero_writes_the_value_and_nothing_else(count, channels):
    shape = (count, 12, 17, channels)
    images = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    boxes = boxes_of(count, 12, 17, 0.7)
    boxes[-1] = (2, 3, 4, 5)
    value = (0.5, -2.0, 7.0)[:channels]
    expected = images.copy()
    for image, (top, left, h, w) in zip(expected, boxes, strict=True):
        image[top : top + h, left : left + w] = value
    found = erasing.erase(tf.constant(images), boxes, value).numpy()
    np.testing.assert_array_equal(found, expected)
    zeros = erasing.erase(tf.constant(images), boxes, (0.0,) * channels).numpy()
    np.testing.assert_array_equal(zeros[-1, 2:6, 3:8], 0)


def test_a_single_image_that_is_not_erased_draws_no_noise():
    drawn = tf.Variable(0)

    @tf.function
    def run(images, boxes):
        def noise():
            drawn.assign_add(1)
            return tf.zeros_like(images)

        return erasing.erase(images, boxes, (0.0,), noise)

    images = tf.ones((1, 4, 4, 1))
    np.testing.assert_array_equal(run(images, tf.constant([[0, 0, 0, 0]])), images)
    assert drawn == 0
    assert run(images, tf.constant([[0, 0, 2, 2]])).numpy().sum() == 12
    assert drawn == 1


def test_noise_has_the_mean_and_deviation_of_its_channel():
    mean, std = (10.0, -5.0), (2.0, 0.5)
    noise = erasing.draw_noise(SEED, 8, (40, 50, 2), std)
    boxes = np.array([[0, 0, 40, 50]] * 8, np.int32)
    found = erasing.erase(tf.zeros((8, 40, 50, 2)), boxes, mean, lambda: noise).numpy()
    np.testing.assert_allclose(found.mean((0, 1, 2)), mean, atol=0.06)
    np.testing.assert_allclose(found.std((0, 1, 2)), std, rtol=0.03)
    assert (found[0] != found[1]).all()
    # Every pixel has a draw of its own.
    assert (
        abs(np.corrcoef(found[:, :-1, 0, 0].ravel(), found[:, 1:, 0, 0].ravel())[0, 1])
        < 0.15
    )
