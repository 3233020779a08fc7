"""Whole jobs, from configurations to a network that can be read back."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.architecture import RegNetParameters
from keras_regnet.data import DataConfig
from keras_regnet.training import TrainingConfig, prediction, strategies
from keras_regnet.training.evaluation import Evaluation, evaluate, text_table
from keras_regnet.training.job import ModelConfig, train_network
from keras_regnet.training.saved_run import load_data, load_run, probabilities
from tests.training import toys

pytest.importorskip("sklearn")

TINY = RegNetParameters(depth=2, w0=8, wa=8, wm=2, group_width=8)
DROPPED = {"dropout": 0.1, "stochastic_depth": 0.1}


def job(run_dir, *, model=None, data=None, **arguments):
    return train_network(
        ModelConfig(**{"architecture": TINY} | (model or {})),
        DataConfig(**{"image_size": 8, "batch_size": 479} | (data or {})),
        TrainingConfig(epochs=1, warmup_epochs=0),
        run_dir,
        verbose=0,
        **arguments,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "tiny"
    job(path, model=DROPPED)
    return path


@pytest.mark.long
def test_a_run_knows_its_network_and_its_data(trained):
    run = load_run(trained)
    assert run.data_config == DataConfig(image_size=8, batch_size=479)
    assert run.class_names == tuple("0123456789")
    assert run.image_shape == (8, 8, 1)
    assert load_data(run).validation_size == 360
    assert load_run(trained / "model.keras").class_names == run.class_names
    described = json.loads((trained / "config.json").read_text())["configuration"]
    assert described["model"]["architecture"] == TINY.to_dict()
    shares = probabilities(run.model, np.zeros((2, 8, 8, 1)))
    np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-6)


@pytest.mark.long
def test_evaluation_at_another_size(tmp_path):
    result = job(tmp_path, data={"evaluation_size": 16})
    run = load_run(tmp_path)
    assert run.image_shape == (None, None, 1)
    described = json.loads((tmp_path / "config.json").read_text())["configuration"]
    assert described["image_shape"] == [8, 8, 1]
    data = load_data(run)
    assert data.evaluation_shape == (16, 16, 1)
    found = evaluate(run.model, data.validation())
    assert found.count == 360
    assert found.top1 == result.final["validation_accuracy"]
    path = tmp_path / "picture.png"
    path.write_bytes(tf.io.encode_png(tf.zeros((9, 9, 1), tf.uint8)).numpy())
    assert prediction.read_image(run, path).shape == (16, 16, 1)


def test_moved_data_may_be_gone_on_with(trained, tmp_path):
    path = shutil.copytree(trained, tmp_path / "run")
    job(path, model=DROPPED, data={"data_dir": "/elsewhere"}, resume=True)
    with pytest.raises(ValueError, match=r"data\.seed: 0 before, 1 now"):
        job(path, model=DROPPED, data={"seed": 1}, resume=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": 11}, "10 classes. Received: classes=11"),
        ({"data": {"batch_size": 2000}}, "batch_size must be at most the 1437"),
        ({"data": {"name": "no_such_data_set"}}, "no_such_data_set"),
        ({"model": {"architecture": "RegNetX-201MF"}}, "200"),
        ({"model": {"dropout": 1.0}}, "dropout"),
        ({"model": {"precision": "int8"}}, "precision"),
    ],
)
def test_wrong_configurations(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        job(tmp_path / "run", **arguments)
    assert not (tmp_path / "run").exists()


def test_loading_what_is_not_there(tmp_path, trained):
    with pytest.raises(ValueError, match="no such file"):
        load_run(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="not complete"):
        load_run(tmp_path)
    (tmp_path / "broken.keras").write_text("no zip file")
    with pytest.raises(ValueError, match=r"broken\.keras must be"):
        load_run(tmp_path / "broken.keras")
    bare = tmp_path / "elsewhere" / "model.keras"
    bare.parent.mkdir()
    bare.write_bytes((trained / "model.keras").read_bytes())
    run = load_run(bare)
    assert prediction.class_names(run)[3] == "class 3"
    with pytest.raises(ValueError, match="knows its data set"):
        load_data(run)


def test_logits_and_probabilities():
    logits = toys.network()
    images, _ = toys.arrays(4)
    outputs = logits.predict_on_batch(images)
    expected = tf.nn.softmax(outputs)
    np.testing.assert_allclose(probabilities(logits, images), expected, rtol=1e-5)


def test_evaluation_counts():
    model = toys.network()
    data = toys.validation()  # 50 images in batches of 20, 20 and 10
    found = evaluate(model, data)
    images, labels = toys.arrays(50, seed=1)
    answers = model.predict(images, verbose=0).argmax(-1)
    for label in range(3):
        for answer in range(3):
            expected = ((labels == label) & (answers == answer)).sum()
            assert found.confusion[label, answer] == expected
    assert found.count == 50
    assert found.top1 == (labels == answers).mean()
    assert found.top5 == 1.0
    with pytest.raises(ValueError, match="labels from"):
        evaluate(model, data.map(lambda x, y: (x, y + 1)))
    with pytest.raises(ValueError, match="empty"):
        evaluate(model, data.take(0))


def test_evaluation_of_a_class_without_images():
    found = Evaluation(np.array([[3, 1], [0, 0]]), 4)
    assert found.per_class() == [
        {"count": 4, "recall": 0.75, "precision": 1.0},
        {"count": 0, "recall": None, "precision": 0.0},
    ]
    assert "top-1 75.00 %, top-5 100.00 %" in text_table(found, ("a", "b"))


def test_an_image_is_read_as_in_the_evaluation(trained, tmp_path):
    run = load_run(trained)
    images, labels = next(iter(load_data(run).validation().unbatch().batch(5)))
    for index, image in enumerate(images):
        path = tmp_path / f"{index}.png"
        tf.io.write_file(str(path), tf.io.encode_png(tf.cast(image, tf.uint8)))
    files = prediction.find_images([tmp_path])
    for path, image in zip(files, images, strict=True):
        np.testing.assert_array_equal(prediction.read_image(run, path), image)
    from_files = prediction.predict_files(run, files, 3)
    examples = prediction.predict_examples(run, load_data(run).validation(), 5, 3)
    for mine, theirs, label in zip(from_files, examples, labels, strict=True):
        assert [name for name, _ in mine.top] == [name for name, _ in theirs.top]
        assert theirs.label == str(int(label))
    with pytest.raises(ValueError, match="must hold images"):
        (tmp_path / "empty").mkdir()
        prediction.find_images([tmp_path / "empty"])


def test_strategies(without_gpus):
    assert strategies.make_strategy("auto").num_replicas_in_sync == 1
    assert strategies.make_strategy("mirrored").num_replicas_in_sync == 2
    with pytest.raises(ValueError, match="strategy must be one of"):
        strategies.make_strategy("multi")
    with pytest.raises(ValueError, match="at least 1"):
        strategies.split_cpu(0)
    with pytest.raises(ValueError, match="before TensorFlow"):
        strategies.split_cpu(3)
