import numpy as np
import pytest
from sklearn.datasets import load_digits

from keras_regnet.design_space.images import load_images
from tests.design_space.tiny_study import regime
from tests.real_data import real_data


@pytest.fixture(scope="module")
def images():
    return load_images(regime())


def test_nothing_is_trained_with_and_judged_by(images):
    seen = {image.tobytes() for image in images.train}
    judged = {image.tobytes() for image in images.judged}
    assert not seen & judged
    # Equal digits apart, all that were asked for.
    assert len(images.train) == 256
    assert len(images.judged) == pytest.approx(0.2 * (1797 - 360), abs=5)


def test_the_data_sets_own_part_to_judge_by_is_never_read(images):
    order = np.random.RandomState(0).permutation(1797)
    digits = load_digits()
    labels = digits.target
    own = np.concatenate(
        [order[labels[order] == digit][:36] for digit in range(10)]
    )  # as the source of digits holds them out
    own = {np.rint(digits.images[i] * 255 / 16).astype(np.uint8).tobytes() for i in own}
    everything = load_images(regime(train_images=None))
    parts = (everything.train, everything.judged)
    mine = [image.tobytes() for part in parts for image in part]
    assert len(mine) == 1797 - 360
    assert not own & set(mine)


def test_each_class_gives_its_share(images):
    counts = np.bincount(images.judged_labels)
    assert counts.min() >= 26
    assert counts.max() <= 31


def test_fewer_images_are_judged_by_the_same_ones(images):
    fewer = load_images(regime(train_images=64))
    np.testing.assert_array_equal(fewer.judged, images.judged)
    np.testing.assert_array_equal(fewer.train, images.train[:64])


def test_another_seed_divides_otherwise(images):
    other = load_images(regime(split_seed=1))
    assert other.facts()["digest"] != images.facts()["digest"]
    assert load_images(regime()).facts() == images.facts()


def test_statistics_are_of_the_training_images(images):
    pixels = images.train / 255
    assert images.mean == pytest.approx([pixels.mean()], rel=1e-9)
    assert images.std == pytest.approx([pixels.std()], rel=1e-9)


def test_too_few_images():
    with pytest.raises(ValueError, match=r"at most the 1150 images.*Received: 5000"):
        load_images(regime(train_images=5000))
    with pytest.raises(ValueError, match="hold out one image of each class"):
        load_images(regime(validation_fraction=0.001))


def test_pictures_of_many_sizes(tmp_path):
    import keras

    for name in ("train", "val"):
        for label, size in (("a", 100), ("b", 120)):
            (tmp_path / name / label).mkdir(parents=True)
            for number in range(2):
                picture = np.zeros((size, size + number, 3), np.uint8)
                keras.utils.save_img(tmp_path / name / label / f"{number}.png", picture)
    with pytest.raises(ValueError, match="small images of one size"):
        load_images(regime(data=f"folder:{tmp_path}", image_size=None))


@pytest.mark.real_data
def test_fashion_mnist_holds_out_of_its_training_part():
    folder = str(real_data("tfds"))
    found = load_images(
        regime(
            data="fashion_mnist", data_dir=folder, image_size=None, train_images=None
        )
    )
    assert found.shape == (28, 28, 1)
    assert (len(found.train), len(found.judged)) == (48000, 12000)
    assert np.bincount(found.judged_labels).tolist() == [1200] * 10
