"""A file that is predicted is seen as it was seen in evaluation."""

import dataclasses
import os
import warnings
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
from keras_regnet.training.evaluation import evaluate_data
from keras_regnet.training.prediction import find_images, predict_files, read_image
from keras_regnet.training.saved_run import SavedRun, load_data, load_run
from tests.data.records import write_records


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


def test_images_a_run_was_trained_on_are_not_silently_held_out(tmp_path):
    """An older version held out the last records."""
    write_records(tmp_path, "train", [12, 8])
    data = load(
        DataConfig(name=f"tfrecord:{tmp_path}", image_size=16, batch_size=4),
        training=False,
    )
    assert data.hold_out
    run = run_for(data)
    with pytest.warns(UserWarning, match="other images held out .the last records"):
        load_data(run)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_data(dataclasses.replace(run, hold_out=data.hold_out))


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


def converted(size, applied, order):
    """A classifier of two classes with what other weights expect of images."""
    specification = PreprocessingSpec(
        size,
        size + size // 4,
        "bicubic",
        mean=(0.2, 0.4, 0.6),
        std=(0.1, 0.3, 0.5),
        channel_order=order,
    )
    return keras.Sequential(
        [
            keras.Input((size, size, 3)),
            PixelNormalization(specification, applied),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )


@pytest.mark.parametrize(
    ("size", "applied", "order"),  # every pair of them
    [
        (128, True, "bgr"),
        (128, False, "rgb"),
        (32, True, "rgb"),
        (32, False, "bgr"),
    ],
)
def test_evaluation_sees_files_as_prediction_does(size, applied, order, pictures):
    """Also of a data set that is smaller than a batch."""
    keras.utils.set_random_seed(1)
    run = SavedRun(converted(size, applied, order), Path(), None, None)
    data = load_data(run, dataset=f"folder:{pictures}")
    assert data.batch_size > data.train_size == data.validation_size == 6
    seen = np.concatenate([images.numpy() for images, _ in data.validation()])
    files = [Path(name) for name in data.validation_names()]
    expected = [read_image(run, path) for path in files]
    np.testing.assert_allclose(seen, expected, rtol=1e-5, atol=1e-5)
    assert (seen.max() > 20) == applied
    found = evaluate_data(run.model, data, worst=6)
    answers = [each.top[0][0][-1] for each in predict_files(run, files, 1)]
    truth = [str("ab".index(path.parent.name)) for path in files]
    assert found.top1 == np.mean(np.array(answers) == truth)
    for mistake in found.worst:  # shown as it is, in colours of 0 to 255
        own = expected[mistake.index]
        if not applied:
            own = own[..., ::-1] if order == "bgr" else own
            own = 255 * (own * (0.1, 0.3, 0.5) + (0.2, 0.4, 0.6))
        np.testing.assert_allclose(mistake.image, own, atol=0.51)


def test_small_images_of_an_array_are_read_as_a_file_is(tmp_path):
    pytest.importorskip("sklearn")
    specification = PreprocessingSpec(16, 20, mean=(0.5,), std=(0.25,))
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            PixelNormalization(specification, applied=False),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )
    run = SavedRun(model, Path(), None, None)
    images, _ = next(iter(load_data(run, dataset="digits").validation()))
    plain = load(DataConfig("digits", image_size=16))
    pixels, _ = next(iter(plain.validation()))
    path = tmp_path / "digit.png"
    path.write_bytes(tf.io.encode_png(tf.cast(pixels[3], tf.uint8)).numpy())
    np.testing.assert_allclose(images[3], read_image(run, path), atol=1e-5)


@pytest.mark.parametrize("normalize", [True, False])
def test_a_run_s_own_normalisation_counts_and_not_the_weights_one(normalize, pictures):
    config = DataConfig(
        name=f"folder:{pictures}",
        image_size=128,
        batch_size=2,
        normalize=normalize,
        mean=(0.4, 0.5, 0.6) if normalize else None,
        std=(0.2, 0.3, 0.1) if normalize else None,
    )
    run = SavedRun(converted(128, False, "rgb"), Path(), config, None, True)
    data = load_data(run)
    seen = np.concatenate([images.numpy() for images, _ in data.validation()])
    files = map(Path, data.validation_names())
    expected = [read_image(run, path) for path in files]
    np.testing.assert_allclose(seen, expected, rtol=1e-5, atol=1e-5)
    assert (seen.max() > 20) != normalize


def test_scores_are_not_called_probabilities(pictures):
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, activation="tanh"),
        ]
    )
    run = SavedRun(model, Path(), None, ("a", "b"))
    (found,) = predict_files(run, find_images([pictures / "val" / "a" / "0.png"]), 2)
    assert not found.probable
    assert set(found.to_dict()["top"][0]) == {"class", "score"}
    scores = model.predict(read_image(run, Path(found.name))[None])[0]
    np.testing.assert_allclose([share for _, share in found.top], sorted(scores)[::-1])


@pytest.mark.parametrize(
    "content", ['{"model_type": "regnet"}', "[1]", "no JSON", '{"configuration": 3}']
)
def test_a_config_of_another_program_beside_a_keras_file(content, tmp_path):
    converted(32, True, "rgb").save(tmp_path / "model.keras")
    (tmp_path / "config.json").write_text(content)
    run = load_run(tmp_path / "model.keras")
    assert run.data_config is run.class_names is run.centre_cropped is None
    with pytest.raises(ValueError, match=r"name the \.keras file.*Received: .*config"):
        load_run(tmp_path)


@pytest.mark.parametrize("moved", [False, True])
def test_a_folder_without_val_is_judged_on_what_training_held_out(tmp_path, moved):
    """Under whatever name, and with the seed of the run, not with the default one."""
    for name in "ab":
        (tmp_path / "old" / name).mkdir(parents=True)
        for index in range(10):
            pixels = np.full((12, 12, 3), 10 * index, np.uint8)
            encoded = tf.io.encode_png(pixels).numpy()
            (tmp_path / "old" / name / f"{index}.png").write_bytes(encoded)
    config = DataConfig(
        name=f"folder:{tmp_path / 'old'}",
        image_size=8,
        batch_size=4,
        split_seed=5,
        validation_fraction=0.3,
    )
    trained = load(config)
    held_out = {Path(name).name for name in trained.validation_names()}
    default = load(dataclasses.replace(config, split_seed=0))
    assert held_out != {Path(name).name for name in default.validation_names()}
    run = run_for(trained)
    place = tmp_path / "old"
    if moved:
        place = place.rename(tmp_path / "new")
    for dataset in (f"folder:{place}", f"{place}/"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = load_data(run, dataset=dataset)
        assert {os.path.relpath(name, place) for name in data.validation_names()} == {
            os.path.relpath(name, tmp_path / "old")
            for name in trained.validation_names()
        }


def test_a_data_set_named_as_the_run_s_own_is_held_out_alike(tmp_path):
    write_records(tmp_path, "train", [12, 8])
    write_records(tmp_path, "validation", [6])
    name = f"tfrecord:{tmp_path}"
    trained = load(DataConfig(name, image_size=16, batch_size=4, hold_out=True))
    run = dataclasses.replace(run_for(trained), hold_out=trained.hold_out)
    data = load_data(run, dataset=f"tfrecord:{tmp_path}/../{tmp_path.name}")
    assert data.validation_size == 2  # a tenth of 20, and not the 6


def test_pictures_elsewhere_are_read_where_tensorflow_can(pictures):
    local = find_images([pictures / "val"])
    root = "ram://pictures_to_predict"
    for path in local:
        place = f"{root}/{path.relative_to(pictures)}"
        tf.io.gfile.makedirs(os.path.dirname(place))
        with tf.io.gfile.GFile(place, "wb") as file:
            file.write(path.read_bytes())
    found = find_images([root, f"{root}/val/a/0.png"])
    assert found == [
        *(f"{root}/{path.relative_to(pictures)}" for path in local),
        f"{root}/val/a/0.png",
    ]
    run = run_for(load(DataConfig(f"folder:{pictures}", image_size=32, batch_size=2)))
    for far, near in zip(found, local, strict=False):
        np.testing.assert_array_equal(read_image(run, far), read_image(run, near))
    assert len(predict_files(run, found, 1)) == len(local) + 1
    for missing in ("ram://nothing_there", "none://a/b"):
        with pytest.raises(ValueError, match=f"No such file.* Received: {missing}"):
            find_images([missing])


def test_a_share_of_a_folder_is_not_taken_for_all_of_it(pictures):
    run = run_for(load(DataConfig(f"folder:{pictures}", image_size=32, batch_size=2)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_data(run, dataset=f"folder:{pictures}")
        run = dataclasses.replace(run, data_config=None)
        load_data(run, dataset=f"folder:{pictures}")
    with pytest.warns(UserWarning, match="no part to evaluate on.* on 2 of its"):
        load_data(run, dataset=f"folder:{pictures / 'val'}")
