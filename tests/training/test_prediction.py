"""A file that is predicted is seen as it was seen in evaluation."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data import DataConfig, load
from keras_regnet.preprocessing import (
    PixelNormalization,
    PreprocessingSpec,
    preprocessing_for,
)
from keras_regnet.training.prediction import find_images, read_image
from keras_regnet.training.saved_run import SavedRun


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Smooth pictures of many sizes, two classes, in train/ and val/."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for name in ("a", "b"):
            (root / part / name).mkdir(parents=True)
            for index in range(3):
                pixels = tf.image.resize(
                    rng.uniform(0, 255, (6, 6, 3)), rng.integers(40, 90, 2)
                )
                encoded = tf.io.encode_png(tf.cast(pixels, tf.uint8)).numpy()
                (root / part / name / f"{index}.png").write_bytes(encoded)
    return root


def run_for(data):
    model = keras.Sequential(
        [
            keras.Input(data.image_shape),
            keras.layers.Flatten(),
            keras.layers.Dense(data.num_classes),
        ]
    )
    return SavedRun(model, Path(), data.config, data.class_names, data.centre_cropped)


def test_pictures_of_a_folder_are_cropped_as_in_evaluation(pictures):
    data = load(DataConfig(name=f"folder:{pictures}", image_size=32, batch_size=2))
    assert data.centre_cropped
    run = run_for(data)
    seen = np.concatenate([images.numpy() for images, _ in data.validation()])
    for path in find_images([pictures / "val"]):
        image = read_image(run, path)
        assert min(np.abs(image - other).max() for other in seen) == 0


def test_images_of_one_size_are_seen_whole(tmp_path):
    data = load(DataConfig(name="digits", batch_size=128))
    assert not data.centre_cropped
    run = run_for(data)
    pixels = np.arange(64, dtype="uint8").reshape(8, 8, 1)
    path = tmp_path / "digit.png"
    path.write_bytes(tf.io.encode_png(pixels).numpy())
    image = read_image(run, path)
    assert image.shape == (32, 32, 1)
    assert image.min() == 0
    assert image.max() == 63


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("size", [128, 32])
def test_a_model_without_a_run_is_given_what_it_says_it_expects(
    size, applied, pictures
):
    specification = PreprocessingSpec(size, 2 * size, "bicubic")
    model = keras.Sequential(
        [
            keras.Input((size, size, 3)),
            PixelNormalization(specification, applied),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    (path,) = find_images([pictures / "val" / "a" / "0.png"])
    image = read_image(SavedRun(model, Path(), None, None), path)
    pixels = tf.io.decode_png(path.read_bytes())
    if size == 32 and applied:  # Whole, as networks for small images are trained here.
        expected = tf.image.resize(pixels, (size, size), antialias=True)
    else:
        expected = preprocessing_for(model).layer()(pixels)
    np.testing.assert_allclose(image, expected, atol=1e-4)
    assert (image.max() > 4) == applied
