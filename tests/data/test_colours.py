"""Colour jitter and lighting: laws of the draws, and what they do to pixels."""

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data import jitter, lighting, transforms
from keras_regnet.data.operations import operation
from tests.data.pictures import pictures

SEED = np.array([7, 11], np.int32)


def test_lighting_moves_along_the_axes_of_colour():
    values = lighting.draw_lighting(SEED, 50_000, 0.1).numpy()
    np.testing.assert_allclose(values.mean(0), 0, atol=0.1)
    # The deviations along the axes are 255 * 0.1 * the eigenvalues.
    covariance = np.cov(values.T.astype(float))
    spread, axes = np.linalg.eigh(covariance)
    np.testing.assert_allclose(
        np.sqrt(spread), 25.5 * np.array([0.0045, 0.0188, 0.2175]), rtol=0.02
    )
    grey = axes[:, 2] * np.sign(axes[0, 2])
    np.testing.assert_allclose(grey, (0.5675, 0.5808, 0.5836), atol=2e-3)


def test_adding_equals_numpy():
    images = pictures().astype(np.float32)
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    found = transforms.add(tf.constant(images), values)
    np.testing.assert_array_equal(found, images + values[:, None, None])


@pytest.mark.parametrize(("strength", "least"), [(0.4, 0.6), (1.0, 0.0)])
def test_factors_and_orders_are_uniform(strength, least):
    factors, order = (
        part.numpy() for part in jitter.draw_jitter(SEED, 20_000, strength)
    )
    assert factors.min() >= least
    assert factors.max() <= 1 + strength
    np.testing.assert_allclose(factors.mean(0), (least + 1 + strength) / 2, rtol=0.02)
    np.testing.assert_array_equal(np.sort(order), np.tile((0, 1, 2), (20_000, 1)))
    counts = np.unique(order, axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert np.abs(counts / 20_000 * 6 - 1).max() < 0.1


@pytest.mark.parametrize("channels", [1, 3])
def test_jitter_is_three_operations_in_the_order_drawn(channels):
    images = np.concatenate([pictures(channels=channels)] * 3)
    factors, order = jitter.draw_jitter(SEED, 12, 0.4)
    found = jitter.colour_jitter(tf.constant(images), factors, order).numpy()
    names = ("brightness", "contrast", "color")
    for image, factor, places, result in zip(
        images, factors.numpy(), order.numpy(), found, strict=True
    ):
        for place in places:
            change = operation(names[place])
            image = change(
                tf.constant(image[None]), factor[place : place + 1] - 1
            ).numpy()[0]
        np.testing.assert_array_equal(result, image)
