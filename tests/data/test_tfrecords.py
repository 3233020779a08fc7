"""TFRecords in the customary layout of ImageNet."""

import functools

import pytest
import tensorflow as tf

from keras_regnet.data import DataConfig, load, record_counts
from tests.data.records import example, jpeg, write_file, write_records


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Keras' folder, for the notes."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def write_all(folder):
    """Three files with 26 images of two classes, from label 1 on; 9 to validate."""
    write_records(folder, "train", [8, 11, 7], names=("cat", "dog"))
    write_records(folder, "validation", [4, 5], names=("cat", "dog"))
    return folder


@pytest.fixture
def root(tmp_path):
    return write_all(tmp_path / "records")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """Gives the data of records that nobody changes, with such fields."""
    folder = tmp_path_factory.mktemp("loaded")
    write_all(folder / "records")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(folder / "home"))
        yield functools.cache(lambda **f: load(config(folder / "records", **f)))


def config(root, **others):
    return DataConfig(
        f"tfrecord:{root}",
        **{"image_size": 16, "batch_size": 4, "augment": "none"} | others,
    )


def seen(dataset):
    """(number, label) of the images of each batch: each is 5 brighter than the last."""
    return [
        [
            (round(float(x.mean()) / 5), int(label))
            for x, label in zip(images.numpy(), labels.numpy(), strict=True)
        ]
        for images, labels in dataset
    ]


def flat(batches):
    return [each for batch in batches for each in batch]


def every(count):
    return [(number, number % 2) for number in range(count)]


def test_what_is_there(loaded):
    data = loaded()
    assert (data.train_size, data.validation_size) == (26, 9)
    assert data.class_names == ("cat", "dog")
    assert data.steps_per_epoch == 6
    assert flat(seen(data.validation())) == every(9)
    found = flat(seen(data.train(0)))
    assert len(found) == len(set(found)) == 24
    assert set(found) < set(every(26))


def test_without_a_validation_part(tmp_path):
    for suffix in ("", ".tfrecord", ".tfrecords"):
        folder = tmp_path / f"records{suffix}"
        write_records(folder, "train", [8, 12], suffix=suffix)
        data = load(config(folder, validation_fraction=0.2))
        assert (data.train_size, data.validation_size) == (16, 4)
    held_out = flat(seen(data.validation()))
    assert len(set(held_out)) == 4
    assert set(held_out) < set(every(20))
    assert set(flat(seen(data.train(3)))) == set(every(20)) - set(held_out)


def test_hold_out_leaves_the_validation_part_alone(tmp_path):
    write_records(tmp_path, "train", [20])
    write_records(tmp_path, "validation", [9])
    data = load(config(tmp_path, validation_fraction=0.2, hold_out=True))
    assert (data.train_size, data.validation_size) == (16, 4)
    held_out = flat(seen(data.validation()))
    assert sorted(label for _, label in held_out) == [0, 0, 1, 1]
    trained = flat(seen(data.train(0)))
    assert sorted(held_out + trained) == every(20)


def write_sorted(root, files=2, classes=10, of_each=10):
    """Sorted by class; image n has the brightness n + 20."""
    count = classes * of_each
    rows = [example(jpeg(number + 20), number // of_each) for number in range(count)]
    size = count // files
    for index in range(files):
        name = f"train-{index:05}-of-{files:05}"
        write_file(root / name, rows[index * size : (index + 1) * size])


def brightness(dataset):
    """(brightness, label) of every image."""
    return sorted(
        (round(float(image.mean())), int(label))
        for images, labels in dataset
        for image, label in zip(images.numpy(), labels.numpy(), strict=True)
    )


def test_a_share_of_each_class_is_held_out_of_sorted_records(tmp_path):
    write_sorted(tmp_path)
    fields = {"validation_fraction": 0.2, "batch_size": 20}
    data = load(config(tmp_path, **fields))
    assert (data.train_size, data.validation_size) == (80, 20)
    found = brightness(data.validation())
    assert [label for _, label in found] == [n // 2 for n in range(20)]
    trained = brightness(data.train(0))
    everything = [(number + 20, number // 10) for number in range(100)]
    assert sorted(found + trained) == everything
    parts = [brightness(data.validation((index, 2))) for index in range(2)]
    assert sorted(parts[0] + parts[1]) == found
    # The seed of a run has no say in it, split_seed has.
    same = load(config(tmp_path, seed=9, **fields))
    assert brightness(same.validation()) == found
    other = load(config(tmp_path, split_seed=1, **fields))
    assert brightness(other.validation()) != found


def test_records_too_large_for_their_labels_are_held_out_all_over(
    tmp_path, monkeypatch, caplog
):
    write_sorted(tmp_path)
    monkeypatch.setattr("keras_regnet.data.tfrecords.LABELS_READ", 0)
    data = load(config(tmp_path, validation_fraction=0.2))
    assert "without regard to their classes" in caplog.text
    found = brightness(data.validation())
    assert len(found) == 20
    assert len({label for _, label in found}) > 4


def test_validation_records_alone_are_enough_to_evaluate(tmp_path):
    write_records(tmp_path, "validation", [9])
    with pytest.raises(ValueError, match=r"no training files.*Received"):
        load(config(tmp_path))
    data = load(config(tmp_path, batch_size=32), training=False)
    assert (data.train_size, data.validation_size) == (0, 9)
    assert flat(seen(data.validation())) == every(9)


def test_records_of_a_remote_file_system():
    root = "ram://records"
    tf.io.gfile.makedirs(root)
    with tf.io.TFRecordWriter(f"{root}/train-00000-of-00001") as writer:
        for number in range(20):
            writer.write(example(jpeg(5 * number), 1 + number % 2))
    data = load(config(root, validation_fraction=0.2))
    assert (data.train_size, data.validation_size) == (16, 4)
    everything = flat(seen(data.train(0))) + flat(seen(data.validation()))
    assert sorted(everything) == every(20)


def test_names_of_classes(tmp_path):
    write_records(tmp_path / "numbers", "train", [20], classes=3)
    data = load(config(tmp_path / "numbers"))
    assert data.class_names == ("0", "1", "2")
    # Label 5 has a name, 2 to 4 are not there, 1 has none.
    rows = [example(jpeg(1), 1), example(jpeg(2), 5, class_synset="n05")]
    write_file(tmp_path / "gaps" / "train-00000-of-00001", rows * 4)
    data = load(config(tmp_path / "gaps"))
    assert data.class_names == ("0", "1", "2", "3", "n05")


# Which label is the first


@pytest.mark.parametrize("first", [0, 1])
def test_the_least_label_is_the_first(tmp_path, caplog, first):
    write_records(tmp_path / "records", "train", [20], first=first)
    data = load(config(tmp_path / "records"))
    assert data.num_classes == 2
    assert f"are {first} to {first + 1}: {first} is taken" in caplog.text
    assert set(flat(seen(data.train(0)))) < set(every(20))


def test_the_first_label_can_be_given(tmp_path, caplog):
    write_records(tmp_path / "records", "train", [20], first=1)
    data = load(config(tmp_path / "records", first_label=0))
    assert data.class_names == ("0", "1", "2")
    assert {label for _, label in flat(seen(data.train(0)))} == {1, 2}
    assert "is taken" not in caplog.text


@pytest.mark.parametrize(
    ("first", "given", "message"),
    [
        (2, None, "are 2 to 3, so that first_label must be given. Received: .*=None"),
        (1, 2, "are 1 to 2. Received: first_label=2"),
    ],
)
def test_first_labels_that_cannot_be(tmp_path, first, given, message):
    write_records(tmp_path / "records", "train", [20], first=first)
    with pytest.raises(ValueError, match=message):
        load(config(tmp_path / "records", first_label=given))


# Order


def test_the_order_is_the_seeds_and_the_epochs(loaded, root):
    one, two, other = loaded(), load(config(root)), loaded(seed=4)
    first = seen(one.train(0))
    assert first == seen(two.train(0)) == seen(one.train(0))
    assert first != seen(one.train(1))
    assert first != seen(other.train(0))
    assert flat(first) != sorted(flat(first))


@pytest.mark.parametrize(
    ("repeats", "shard", "starts"),
    [
        (1, (0, 1), (0, 4)),
        (1, (1, 2), (3, 6)),
        (3, (0, 1), (2, 3)),  # the batches begin at the third and the first repeat
        (3, (1, 2), (1, 5)),  # at the third and the second
    ],
)
def test_a_later_start_goes_on_with_the_same_stream(loaded, repeats, shard, starts):
    data = loaded(shuffle_buffer=5, repeated_augmentation=repeats)
    whole = seen(data.train(1, 0, shard))
    assert len(whole) == 6
    for step in starts:
        assert seen(data.train(1, step, shard)) == whole[step:]


def test_workers_have_records_of_their_own(loaded):
    data = loaded()
    parts = [flat(seen(data.train(0, 0, (index, 2)))) for index in range(2)]
    assert [len(part) for part in parts] == [12, 12]
    assert not set(parts[0]) & set(parts[1])


@pytest.mark.parametrize("count", [2, 4])
def test_workers_share_the_validation(loaded, count):
    data = loaded()
    parts = [seen(data.validation((index, count))) for index in range(count)]
    assert {len(part) for part in parts} == {3}
    assert sorted(flat(flat(parts))) == every(9)


@pytest.mark.parametrize("workers", [1, 2])
def test_names_of_a_batch(loaded, workers):
    data = loaded()
    parts = [seen(data.train(2, 0, (index, workers))) for index in range(workers)]
    for step in (0, 3):
        images = flat(part[step] for part in parts)
        expected = tuple(f"train_{number}.jpg" for number, _ in images)
        assert data.batch_names(2, step, workers) == expected


def test_names_of_records_without_names(tmp_path):
    write_records(tmp_path / "records", "train", [3, 9], filenames=False)
    data = load(config(tmp_path / "records"))
    starts = (0, 3)
    found = [number for number, _ in seen(data.train(0))[1]]
    for number, name in zip(found, data.batch_names(0, 1), strict=True):
        path, _, place = name.rpartition(":")
        file = int(path.rpartition("-of-")[0][-5:])
        assert starts[file] + int(place) == number


# Damage


def replace_record(path, place, record):
    records = [each.numpy() for each in tf.data.TFRecordDataset(str(path))]
    records[place] = record
    write_file(path, records)


BAD = {  # name of the image: record, reason
    "text": (example(b"no picture", 1, filename="text"), "Unknown image file format"),
    "empty": (example(None, 1, filename="empty"), "the file is empty"),
    "label 7": (
        example(jpeg(9), 7, filename="label 7"),
        "its label 7 is not one of 1 to 2",
    ),
    "label 0": (
        example(jpeg(9), 0, filename="label 0"),
        "its label 0 is not one of 1 to 2",
    ),
    "no label": (
        example(jpeg(9), None, filename="no label"),
        "no Example with one image/class",
    ),
    "no Example": (b"no Example", "no Example with one image/class"),
}


@pytest.fixture
def as_with_imagenet(monkeypatch):
    """The labels of the validation part are looked at, not those of training."""
    monkeypatch.setattr("keras_regnet.data.tfrecords._SMALL_BYTES", 0)


def test_bad_records_in_the_middle(root, as_with_imagenet):
    path = root / "train-00001-of-00003"
    for place, (record, _) in enumerate(BAD.values(), 3):
        replace_record(path, place, record)
    data = load(config(root, batch_size=13))
    with pytest.warns(UserWarning) as caught:
        found = flat(seen(data.train(0)))
    assert len(found) == 26
    assert set(found) == set(every(26)) - set(every(26)[11:17])
    names = set(data.problems.names)
    assert len(names) == len(BAD)
    messages = [str(warning.message) for warning in caught]
    for place, (kind, (_, reason)) in enumerate(BAD.items(), 3):
        (name,) = names & {kind, f"{path}:{place}"}
        (message,) = (text for text in messages if f" {name}: " in text)
        assert reason in message


def test_a_bad_record_is_an_error_where_none_may_be(root, as_with_imagenet):
    record, reason = BAD["label 7"]
    replace_record(root / "train-00001-of-00003", 3, record)
    strict = load(config(root, batch_size=13, strict=True))
    with pytest.raises(ValueError, match=reason), strict.problems.raising():
        list(strict.train(0))


def test_a_bad_record_of_the_validation_part(root):
    replace_record(root / "validation-00001-of-00002", 1, example(b"", 2))
    data = load(config(root))
    with pytest.warns(UserWarning, match=r"validation-00001-of-00002:1: .*empty"):
        assert flat(seen(data.validation())) == [x for x in every(9) if x[0] != 5]


def test_a_truncated_file(root):
    path = root / "train-00002-of-00003"
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size - 20)
    with pytest.raises(ValueError, match=f"middle of record 6. Received: {path}"):
        load(config(root))


def test_a_file_that_is_none(root):
    path = root / "train-00001-of-00003"
    path.write_text("This is a text and not a file of records.")
    with pytest.raises(ValueError, match=f"Received: {path}"):
        load(config(root))


def test_missing_files(root):
    (root / "train-00001-of-00003").unlink()
    with pytest.raises(ValueError, match=rf"1 are missing: \[1\]. Received: {root}"):
        load(config(root))


def test_files_of_two_numberings(root):
    write_records(root, "train", [1])
    with pytest.raises(ValueError, match=r"must be numbered.*Received: "):
        load(config(root))


def test_no_records_at_all(tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match=r"no training files.*Received: parts \[\]"):
        load(config(tmp_path / "none"))
    write_file(tmp_path / "empty" / "train-00000-of-00001", [])
    with pytest.raises(ValueError, match=r"image/class/label. Received: "):
        load(config(tmp_path / "empty"))


def test_records_without_labels(tmp_path):
    path = tmp_path / "records" / "train-00000-of-00001"
    write_file(path, [example(jpeg(1), None)] * 20)
    with pytest.raises(ValueError, match=r"image/class/label. Received: "):
        load(config(path.parent))


# Notes


@pytest.fixture
def counted(monkeypatch):
    """The files whose records were counted."""
    found = []
    count = record_counts._count

    def counting(path):
        found.append(path.name)
        return count(path)

    monkeypatch.setattr(record_counts, "_count", counting)
    return found


def test_what_was_counted_is_kept_until_a_file_changes(root, home, counted):
    one = load(config(root))
    assert len(counted) == 5
    (note,) = (home / "keras_regnet" / "records").iterdir()
    two = load(config(root))
    assert len(counted) == 5
    assert seen(one.train(0)) == seen(two.train(0))
    assert one.class_names == two.class_names

    write_records(root, "validation", [4, 6], names=("cat", "mouse"))
    changed = load(config(root))
    assert len(counted) == 10
    assert changed.validation_size == 10
    assert note.exists()


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"counts": 3, "labels": {}}',
        '{"counts": {"train": [8]}, "labels": {"least": 1}}',
    ],
)
def test_damaged_notes_are_written_anew(root, home, counted, text):
    load(config(root))
    (note,) = (home / "keras_regnet" / "records").iterdir()
    good = note.read_text()
    note.write_text(text)
    assert load(config(root)).train_size == 26
    assert len(counted) == 10
    assert note.read_text() == good


def test_notes_that_cannot_be_kept(root, home, caplog):
    home.write_text("a file where the folder should be")
    assert load(config(root)).train_size == 26
    assert "cannot be kept" in caplog.text
