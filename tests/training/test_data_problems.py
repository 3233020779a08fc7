"""Images that turn out to be unusable in the middle of a run."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data import DamagedImageError, DataConfig, load
from keras_regnet.training import Trainer, TrainingConfig
from keras_regnet.training.evaluation import evaluate_data
from keras_regnet.training.strategies import make_strategy
from tests.data.damaged import huge_jpeg, jpeg, truncated

BAD = {"03.jpg": truncated, "07.jpg": lambda: b"", "11.jpg": huge_jpeg}


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Two classes of 24 pictures to train with, some odd or damaged; 12 to validate."""
    image = pytest.importorskip("PIL.Image")
    monkeypatch.setattr("keras_regnet.data.folders.CHECKED", 0)
    root = tmp_path / "pictures"
    for part, count in (("train", 24), ("val", 12)):
        for brightness, name in enumerate("ab"):
            (root / part / name).mkdir(parents=True)
            for index in range(count):
                path = root / part / name / f"{index:02}.jpg"
                path.write_bytes(jpeg(50 + 100 * brightness + index))
    for name, make in BAD.items():
        (root / "train" / "a" / name).write_bytes(make())
    image.new("CMYK", (28, 24), (0, 0, 0, 90)).save(root / "train/b/02.jpg", "JPEG")
    png = tf.io.encode_png(np.full((24, 28, 3), 160, np.uint8)).numpy()
    (root / "train/b/05.jpg").write_bytes(png)
    (root / "val/a/04.jpg").write_bytes(truncated())
    return root


def network():
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )


def data_of(pictures, **fields):
    return load(DataConfig(str(pictures), image_size=16, batch_size=8, **fields))


def train(pictures, run_dir, strategy=None, **fields):
    strategy = strategy or tf.distribute.get_strategy()
    with strategy.scope():
        model = network()
    data = data_of(pictures, **fields)
    config = TrainingConfig(epochs=2, warmup_epochs=0, learning_rate=1e-6)
    return Trainer(
        model,
        data,
        data,
        config,
        run_dir,
        strategy=strategy,
        from_logits=False,
        save_models=False,
        verbose=0,
    ).train()


def test_counted_and_named_once_while_training_goes_on(pictures, tmp_path):
    with pytest.warns(UserWarning, match="Skipped") as caught:
        result = train(pictures, tmp_path / "run")
    assert [row["unreadable_images"] for row in result.history] == [4, 4]
    assert [row["validation_count"] for row in result.history] == [23, 23]
    messages = [str(warning.message) for warning in caught]
    bad = [str(pictures / "train" / "a" / name) for name in BAD]
    bad.append(str(pictures / "val/a/04.jpg"))
    for path in bad:
        assert sum(path in message for message in messages) == 1
    assert sum("Skipped" in message for message in messages) == 4
    written = (tmp_path / "run" / "unreadable_images.txt").read_text()
    assert sorted(written.splitlines()) == sorted(bad)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:Skipped an image")
def test_two_replicas_count_what_is_left(pictures, tmp_path):
    """The first validation batch is shorter than the second by two."""
    (pictures / "val/a/05.jpg").write_bytes(b"")
    result = train(pictures, tmp_path, make_strategy("mirrored"))
    assert [row["validation_count"] for row in result.history] == [22, 22]
    assert [row["unreadable_images"] for row in result.history] == [5, 5]


def test_a_run_may_refuse_them(pictures, tmp_path):
    with pytest.raises(DamagedImageError, match=r"none may be left out\. Received: "):
        train(pictures, tmp_path, strict=True)
    assert not (tmp_path / "result.json").exists()


def test_an_evaluation_names_what_is_left(pictures):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("default", "Skipped an image")
        evaluation = evaluate_data(network(), data_of(pictures), worst=23)
    assert evaluation.count == 23
    names = {mistake.name for mistake in evaluation.worst}
    assert names
    assert all(name.startswith(str(pictures / "val")) for name in names)
    assert str(pictures / "val/a/04.jpg") not in names


def test_an_evaluation_may_refuse_them(pictures):
    with pytest.raises(DamagedImageError, match=r"Received: .*val/a/04\.jpg"):
        evaluate_data(network(), data_of(pictures, strict=True))
