"""Losses in which the classes count differently."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data import load
from keras_regnet.transfer.class_weights import (
    balanced,
    class_weights_of,
    weighted_cross_entropy,
)
from tests.transfer import small


def test_balanced_is_scikit_learns():
    sklearn = pytest.importorskip("sklearn.utils.class_weight")
    counts = [3, 10, 7]
    labels = np.repeat([0, 1, 2], counts)
    expected = sklearn.compute_class_weight("balanced", classes=np.arange(3), y=labels)
    found = balanced(counts, "abc")
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found[labels].mean() == pytest.approx(1)
    with pytest.raises(ValueError, match="Received: none of b"):
        balanced([3, 0, 7], "abc")


def test_by_name():
    data = load(small.DIGITS)
    assert class_weights_of("none", data) is None
    np.testing.assert_array_equal(
        class_weights_of({"3": 2.5}, data), [1, 1, 1, 2.5, 1, 1, 1, 1, 1, 1]
    )
    with pytest.raises(ValueError, match=r"name classes .* 0, 1, 2.* Received: ten"):
        class_weights_of({"ten": 2.5}, data)


def test_of_a_data_set():
    data = load(dataclasses.replace(small.DIGITS, batch_size=100))
    counts = data.class_counts()
    labels = np.concatenate([y for _, y in data.train(0)])
    assert sum(counts) == data.train_size == 1437
    assert (np.bincount(labels) <= counts).all()
    expected = 1437 / (10 * np.array(counts))
    np.testing.assert_allclose(class_weights_of("balanced", data), expected, rtol=1e-6)


def test_weighted_loss():
    outputs = tf.constant([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3]])
    weights = np.array([1, 2, 5], np.float32)
    log = tf.math.log_softmax(outputs).numpy()
    loss = weighted_cross_entropy(weights)(tf.constant([2, 1]), outputs)
    np.testing.assert_allclose(loss, [-5 * log[0, 2], -2 * log[1, 1]], rtol=1e-5)
    shares = np.array([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]], np.float32)
    loss = weighted_cross_entropy(weights)(tf.constant(shares), outputs)
    factors = [0.5 * 1 + 0.5 * 5, 2]
    np.testing.assert_allclose(loss, -(shares * log).sum(1) * factors, rtol=1e-5)
    loss = weighted_cross_entropy(weights, 0.3)(tf.constant([2, 1]), outputs)
    smooth = 0.7 * np.eye(3)[[2, 1]] + 0.1
    np.testing.assert_allclose(loss, -(smooth * log).sum(1) * [5, 2], rtol=1e-5)
