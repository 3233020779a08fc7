"""Damaged images in the middle of an epoch: counted, named, replaced or left out."""

import gc
import warnings

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data import DamagedImageError, DataConfig, load
from keras_regnet.data.picture_sizes import picture_size
from tests.data.damaged import huge_jpeg, huge_png, jpeg, truncated

BATCH, COUNT = 4, 12  # images of each class; 24 in all, 6 batches


DAMAGE = {
    "truncated": (truncated, "Invalid JPEG data"),
    "empty": (lambda: b"", "the file is empty"),
    "text": (lambda: b"this is no picture", "Unknown image file format"),
    "huge PNG": (huge_png, "30000 x 30000 pixels are too many"),
    "huge JPEG": (huge_jpeg, "30000 x 30000 pixels are too many"),
    "vanished": (None, "No such file"),
}


def spoil(path, kind):
    make = DAMAGE[kind][0]
    if make is None:
        path.unlink()
    else:
        path.write_bytes(make())


def number(brightness):
    """Which image it is: each has a brightness of its own, 10 apart."""
    return np.rint(np.asarray(brightness) / 10).astype(int)


def write_pictures(root):
    """24 training images whose brightness is 10 times their number; 4 to validate."""
    for index in range(2 * COUNT):
        for part, wanted in (("train", True), ("val", index % 6 == 0)):
            path = path_of(root, index, part)
            path.parent.mkdir(parents=True, exist_ok=True)
            if wanted:
                path.write_bytes(jpeg(10 * index))
    return root


@pytest.fixture
def pictures(tmp_path):
    return write_pictures(tmp_path)


@pytest.fixture(scope="module")
def order(tmp_path_factory):
    """The numbers of the images of each batch of epoch 0, where all are good."""
    root = write_pictures(tmp_path_factory.mktemp("good"))
    found = numbers(load(DataConfig(str(root), **options())).train(0))
    assert sorted(index for batch in found for index in batch) == list(range(2 * COUNT))
    return found


def options(**others):
    return {"image_size": 16, "batch_size": BATCH, **others}


def numbers(dataset):
    """The numbers of the images of each batch, whose labels must be theirs."""
    found = []
    for images, labels in dataset:
        batch = number(images.numpy().mean((1, 2, 3)))
        np.testing.assert_array_equal(labels, batch // COUNT)
        found.append(batch.tolist())
    return found


def path_of(root, index, part="train"):
    return root / part / "ab"[index // COUNT] / f"{index:02}.jpg"


def test_the_image_before_takes_the_place(pictures, order):
    """In every batch one image, each damaged in another way."""
    data = load(DataConfig(str(pictures), **options()))
    expected = [list(batch) for batch in order]
    reasons = {}
    for step, (kind, (_, reason)) in enumerate(DAMAGE.items()):
        row = 1 + step % 3
        path = path_of(pictures, order[step][row])
        spoil(path, kind)
        reasons[str(path)] = reason
        expected[step][row] = order[step][row - 1]
    assert len(reasons) == len(order)
    with pytest.warns(UserWarning) as caught:
        assert numbers(data.train(0)) == expected
    messages = [str(warning.message) for warning in caught]
    for path, reason in reasons.items():
        (message,) = (text for text in messages if path in text)
        assert message.count(path) == 1
        assert reason in message
    assert set(data.problems.names) == set(reasons)
    assert data.problems.count == len(reasons)
    step = 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # each was named once
        assert numbers(data.train(0, step)) == expected[step:]
    assert set(data.problems.names) == set(reasons)
    assert data.problems.count == 2 * len(reasons) - step


def test_bad_images_in_a_row_and_at_the_beginning(pictures, order):
    data = load(DataConfig(str(pictures), **options()))
    first, second = order[:2]
    for index in (first[0], first[1], first[3], second[1], second[2], second[3]):
        path_of(pictures, index).write_bytes(b"")
    with pytest.warns(UserWarning, match="empty"):
        found = numbers(data.train(0).take(2))
    assert found == [[first[2]] * 4, [second[0]] * 4]
    assert data.problems.count == 6


def test_the_workers_still_share_one_batch(pictures, order):
    """The first of two workers has as much as the first two of four."""
    data = load(DataConfig(str(pictures), **options()))
    bad = [order[0][0], order[1][1], order[1][2], order[3][2], order[3][3]]
    for index in bad:
        path_of(pictures, index).write_bytes(b"")
    with pytest.warns(UserWarning, match="empty"):
        together = [x.numpy() for x, _ in data.train(0)]
    assert data.problems.count == len(bad)
    parts = [
        [x.numpy() for x, _ in data.train(0, 0, shard)]
        for shard in ((0, 2), (2, 4), (3, 4))
    ]
    for whole, *shares in zip(together, *parts, strict=True):
        np.testing.assert_array_equal(whole, np.concatenate(shares))
    assert data.problems.count == 2 * len(bad)


def test_a_batch_of_bad_images_is_an_error(pictures, order):
    data = load(DataConfig(str(pictures), **options()))
    for index in order[1]:
        path_of(pictures, index).write_bytes(b"")
    for shard in ((0, 1), (1, 2)):
        seen = []
        with (
            pytest.warns(UserWarning) if shard == (0, 1) else warnings.catch_warnings(),
            pytest.raises(tf.errors.OpError, match="No image of a whole batch"),
        ):
            for images, _ in data.train(0, 0, shard):
                seen.append(images)
        assert len(seen) == 1
        assert isinstance(data.problems.error, DamagedImageError)


def test_validation_leaves_out(pictures):
    data = load(DataConfig(str(pictures), **options(batch_size=3)))
    assert numbers(data.validation()) == [[0, 6, 12], [18]]
    path = path_of(pictures, 6, "val")
    path.write_bytes(truncated())
    with pytest.warns(UserWarning, match=r"06\.jpg: .*Invalid JPEG data"):
        found = numbers(data.validation())
    assert found == [[0, 12], [18]]
    assert data.problems.names == (str(path),)
    assert [name[-6:-4] for name in data.validation_names()] == ["00", "12", "18"]


def test_validation_without_any_good_image_in_a_batch(pictures):
    data = load(DataConfig(str(pictures), **options(batch_size=2)))
    for index in (0, 6):
        path_of(pictures, index, "val").unlink()
    with pytest.warns(UserWarning, match="No such file"):
        assert numbers(data.validation()) == [[12, 18]]


def test_strict_names_the_file_and_stops(pictures, order):
    data = load(DataConfig(str(pictures), **options(strict=True)))
    bad = order[3][1]
    path_of(pictures, bad).write_bytes(truncated())
    seen = 0
    with pytest.raises(tf.errors.OpError, match=f"{bad:02}.jpg"):
        for _ in data.train(0):
            seen += 1
    assert seen == 3
    assert str(data.problems.error).endswith(f"Received: {path_of(pictures, bad)}")
    assert "Invalid JPEG data" in str(data.problems.error)


def test_strict_at_the_start(pictures):
    path_of(pictures, 3).write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="empty"),
        pytest.raises(DamagedImageError, match=r"1 of 28.*Received: .*03\.jpg"),
    ):
        load(DataConfig(str(pictures), **options(strict=True)))


def test_known_from_the_start(pictures):
    path_of(pictures, 3).write_bytes(b"")
    with pytest.warns(UserWarning, match="skipped"):
        data = load(DataConfig(str(pictures), **options()))
    assert data.problems.names == data.skipped == (str(path_of(pictures, 3)),)
    assert data.train_size == 23


def test_many_files_are_not_read_beforehand(pictures, monkeypatch, caplog):
    monkeypatch.setattr("keras_regnet.data.folders.CHECKED", 20)
    path_of(pictures, 3).write_bytes(b"")
    data = load(DataConfig(str(pictures), **options()))
    assert data.train_size == 24
    assert "not checked" in caplog.text
    with pytest.warns(UserWarning, match="empty"):
        list(data.train(0))
    assert data.problems.names == (str(path_of(pictures, 3)),)


def test_odd_but_good_files(pictures):
    image = pytest.importorskip("PIL.Image")
    data = load(DataConfig(str(pictures), **options()))
    image.new("CMYK", (28, 24), (0, 0, 0, 155)).save(path_of(pictures, 10), "JPEG")
    path_of(pictures, 7).write_bytes(
        tf.io.encode_png(np.full((24, 28, 3), 70, np.uint8)).numpy()
    )
    path_of(pictures, 8).write_bytes(
        tf.io.encode_jpeg(np.full((24, 28, 1), 80, np.uint8)).numpy()
    )
    image.fromarray(np.full((24, 28, 3), 90, np.uint8)).save(
        path_of(pictures, 9), "GIF"
    )
    found = [index for batch in numbers(data.train(0)) for index in batch]
    assert sorted(found) == list(range(24))
    assert data.problems.count == 0


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("JPEG", {}),
        ("PNG", {}),
        ("GIF", {}),
        ("BMP", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}),
    ],
)
def test_announced_sizes(tmp_path, kind, settings):
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (301, 37), "red").save(tmp_path / "x", kind, **settings)
    assert picture_size((tmp_path / "x").read_bytes()).numpy().tolist() == [37, 301]


@pytest.mark.parametrize("data", [b"", b"BM", b"GIF8", b"text" * 20])
def test_announced_sizes_of_nothing(data):
    assert picture_size(data).numpy().tolist() == [0, 0]


def test_leaving_an_epoch_early_hangs_nowhere(pictures):
    data = load(DataConfig(str(pictures), **options()))
    for index in range(0, 24, 8):
        path_of(pictures, index).write_bytes(truncated())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = data.train(0)
        for _ in range(2):
            iterator = iter(dataset)
            gc.collect()
            next(iterator)
            del iterator
