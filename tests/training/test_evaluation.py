"""One pass: exact loss, and the most confident mistakes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data import DataConfig, load
from keras_regnet.training.evaluation import evaluate, evaluate_data, text_table


def told(classes=4, activation=None):
    """A model whose outputs are written into the first row of its images."""
    inputs = keras.Input((2, classes, 1))
    outputs = keras.layers.Reshape((classes,))(inputs[:, :1])
    if activation:
        outputs = keras.layers.Activation(activation)(outputs)
    return keras.Model(inputs, outputs)


def batches(logits, labels, size=7):
    """Images whose second row holds their number."""
    images = np.zeros((len(logits), 2, logits.shape[1], 1), np.float32)
    images[:, 0, :, 0] = logits
    images[:, 1, 0, 0] = np.arange(len(logits))
    return tf.data.Dataset.from_tensor_slices((images, labels)).batch(size)


@pytest.fixture
def answers():
    random = np.random.default_rng(0)
    logits = random.normal(size=(60, 4)).astype("float32") * 3
    return logits, random.integers(0, 4, 60).astype("int32")


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_loss_and_worst_mistakes_against_a_direct_computation(answers, activation):
    logits, labels = answers
    found = evaluate(told(activation=activation), batches(logits, labels), worst=5)
    shares = np.asarray(tf.nn.softmax(logits.astype("float64")))
    right = shares[np.arange(60), labels]
    np.testing.assert_allclose(found.loss, -np.log(right).mean(), rtol=1e-5)

    wrong = np.flatnonzero(shares.argmax(1) != labels)
    expected = sorted(wrong, key=lambda row: -shares[row].max())[:5]
    assert [mistake.index for mistake in found.worst] == expected
    for mistake in found.worst:
        row = mistake.index
        assert mistake.label == labels[row] != mistake.prediction
        assert mistake.prediction == shares[row].argmax()
        assert mistake.image.dtype == np.uint8
        assert mistake.image[1, 0, 0] == row
        np.testing.assert_allclose(mistake.probability, shares[row].max(), rtol=1e-5)
        np.testing.assert_allclose(mistake.label_probability, right[row], rtol=1e-5)
        assert mistake.name is None
    assert found.count == 60
    assert f"loss {found.loss:.4f}" in text_table(found, tuple("abcd"))


def test_the_end_of_the_graph_says_what_outputs_are_and_not_their_values(answers):
    """Logits that look like a distribution, and functions that give none."""
    logits, labels = answers
    shares = np.asarray(tf.nn.softmax(logits.astype("float64")))
    again = np.asarray(tf.nn.softmax(shares))[np.arange(60), labels]
    found = evaluate(told(), batches(shares.astype("float32"), labels))
    np.testing.assert_allclose(found.loss, -np.log(again).mean(), rtol=1e-5)

    of_sigmoid = 1 / (1 + np.exp(-logits.astype("float64")))
    of_label = np.where(np.eye(4)[labels] == 1, of_sigmoid, 1 - of_sigmoid)
    found = evaluate(told(activation="sigmoid"), batches(logits, labels), worst=60)
    np.testing.assert_allclose(found.loss, -np.log(of_label).mean(), rtol=1e-5)
    for mistake in found.worst:
        assert mistake.probability == pytest.approx(of_sigmoid[mistake.index].max())

    for activation in ("relu", "tanh"):
        model = told(activation=activation)
        with pytest.warns(UserWarning, match=f"ends in {activation}, whose numbers"):
            found = evaluate(model, batches(logits, labels), worst=5)
        assert found.loss is None
        assert found.worst == ()
        assert found.count == 60


def test_fewer_mistakes_than_asked_for(answers):
    logits, _ = answers
    labels = logits.argmax(1).astype("int32")
    labels[3] = (labels[3] + 1) % 4
    found = evaluate(told(), batches(logits, labels), worst=5)
    assert [mistake.index for mistake in found.worst] == [3]
    assert evaluate(told(), batches(logits, labels)).worst == ()
    with pytest.raises(ValueError, match="Received: -1"):
        evaluate(told(), batches(logits, labels), worst=-1)


def test_of_equally_confident_mistakes_the_first_stay():
    logits = np.tile(np.float32([9, 0, 0, 0]), (20, 1))
    labels = np.ones(20, "int32")
    found = evaluate(told(), batches(logits, labels), worst=3)
    assert [mistake.index for mistake in found.worst] == [0, 1, 2]


def test_certain_and_wrong_is_a_large_loss_and_not_infinite():
    logits = np.float32([[200, 0, 0, 0]])
    labels = np.array([1], "int32")
    assert evaluate(told(), batches(logits, labels)).loss == pytest.approx(200)
    clipped = evaluate(told(activation="softmax"), batches(logits, labels)).loss
    assert clipped == pytest.approx(-np.log(np.finfo(np.float32).tiny))


def test_outputs_that_are_not_numbers_are_no_confident_mistakes(answers):
    logits, labels = answers
    logits[5] = np.nan
    found = evaluate(told(), batches(logits, labels), worst=60)
    assert 5 not in [mistake.index for mistake in found.worst]
    assert found.count == 60


def test_names_of_images(answers):
    logits, labels = answers
    names = [f"image {row}.png" for row in range(60)]
    found = evaluate(told(), batches(logits, labels), worst=4, names=names)
    for mistake in found.worst:
        assert mistake.name == names[mistake.index]
    with pytest.warns(UserWarning, match="59 names do not fit the 60 images"):
        found = evaluate(told(), batches(logits, labels), worst=4, names=names[:59])
    assert {mistake.name for mistake in found.worst} == {None}


@pytest.mark.parametrize("normalize", [False, True])
def test_pictures_of_a_folder_with_their_names_and_pixels(tmp_path, normalize):
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for number in range(4):
            pixels = np.full((20, 20, 3), [200, 40 * number, 90], np.uint8)
            path = tmp_path / label / f"{number}.png"
            tf.io.write_file(str(path), tf.io.encode_png(pixels))
    config = DataConfig(
        name=f"folder:{tmp_path}",
        image_size=16,
        batch_size=2,
        validation_fraction=0.5,
        normalize=normalize,
        mean=(0.4, 0.5, 0.6) if normalize else None,
        std=(0.2, 0.3, 0.1) if normalize else None,
    )
    data = load(config)
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, kernel_initializer="zeros", bias_initializer="ones"),
        ]
    )
    found = evaluate_data(model, data, worst=9)  # always answers a
    assert [mistake.label for mistake in found.worst] == [1, 1]
    for mistake in found.worst:
        assert mistake.name.startswith(str(tmp_path / "b"))
        number = int(mistake.name[-5])
        assert (mistake.image == [200, 40 * number, 90]).all()
        assert mistake.probability == pytest.approx(0.5)


def test_data_without_files_has_no_names():
    pytest.importorskip("sklearn")
    assert load(DataConfig()).validation_names() is None
