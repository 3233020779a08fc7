import json

import numpy as np
import pytest

from keras_regnet.preprocessing import classes, decode_predictions
from tests.real_data import real_data
from tests.weights.loopback import Behaviour, serving

INDEX = json.dumps({str(i): [f"n{i:08}", f"name_{i}"] for i in range(1000)}).encode()


@pytest.fixture
def index(monkeypatch, tmp_path):
    """A server with a class index, and an empty cache."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(classes, "_MD5", classes._digest(INDEX))
    behaviour = Behaviour(INDEX)
    with serving(behaviour) as url:
        monkeypatch.setattr(classes, "_URL", f"{url}/imagenet_class_index.json")
        yield behaviour


def rows():
    predictions = np.zeros((2, 1000), "float32")
    predictions[0, [3, 285]] = 0.25, 0.75
    predictions[1, 7] = 1
    return predictions


def test_the_index_is_loaded_once(index, tmp_path):
    decoded = decode_predictions(rows(), top=2)
    assert decoded[0] == [
        ("n00000285", "name_285", 0.75),
        ("n00000003", "name_3", 0.25),
    ]
    assert decoded[1][0] == ("n00000007", "name_7", 1.0)
    kept = tmp_path / "home" / "models" / "imagenet_class_index.json"
    assert kept.read_bytes() == INDEX
    assert [len(row) for row in decode_predictions(rows())] == [5, 5]
    assert len(index.requests) == 1
    kept.write_bytes(INDEX[:-1])  # damaged
    decode_predictions(rows())
    assert len(index.requests) == 2
    assert kept.read_bytes() == INDEX


def test_other_bytes_are_refused(index, tmp_path):
    index.content = b"{}"
    with pytest.raises(OSError, match=r"MD5.*put that file|MD5.*Put that file"):
        decode_predictions(rows())
    assert not list(tmp_path.rglob("*.json"))


def test_a_cache_that_cannot_be_written_to_does_not_matter(index, tmp_path):
    (tmp_path / "home").write_text("a file")
    assert decode_predictions(rows(), top=1)[0][0][1] == "name_285"


def test_without_network_and_cache_file_and_address_are_named(index, monkeypatch):
    monkeypatch.setattr(classes, "_URL", "http://127.0.0.1:9/index.json")
    with pytest.raises(OSError, match="not in the cache") as error:
        decode_predictions(rows())
    message = str(error.value)
    assert "http://127.0.0.1:9/index.json" in message
    assert message.endswith("home/models/imagenet_class_index.json")


def test_names_of_one_s_own():
    decoded = decode_predictions([[0.25, 0.5, 0.25]], class_names=["a", "b", "c"])
    assert decoded == [[("1", "b", 0.5), ("0", "a", 0.25), ("2", "c", 0.25)]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"predictions": np.zeros((1, 10))}, r"\(batch, 1000\).*class_names.*\(1, 10"),
        ({"predictions": np.zeros(1000)}, r"shape \(1000,\)"),
        ({"predictions": rows(), "class_names": ["a"]}, r"\(batch, 1\)"),
        ({"predictions": rows(), "top": 0}, "top=0"),
    ],
)
def test_impossible_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        decode_predictions(**arguments)


@pytest.mark.real_data
def test_the_file_that_keras_downloads_is_taken_without_a_network(monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(real_data("keras_home")))
    monkeypatch.setattr(classes, "_URL", "http://127.0.0.1:9/index.json")
    decoded = decode_predictions(rows(), top=2)[0]
    assert [entry[:2] for entry in decoded] == [
        ("n02124075", "Egyptian_cat"),
        ("n01491361", "tiger_shark"),
    ]
