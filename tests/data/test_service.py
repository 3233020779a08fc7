"""A tf.data service: what comes from it is what would have been made here."""

import subprocess
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data import DataConfig, load, service
from tests import fork_server
from tests.data.records import write_records
from tests.training.processes import free_ports

SERVERS = """
import sys
from keras_regnet.data.service import start_dispatcher, start_worker
port, workers, own = sys.argv[1], sys.argv[2].split(","), int(sys.argv[3])
servers = [start_dispatcher(int(port), workers)] if own == 0 else []
servers.append(start_worker(f"localhost:{port}", workers[own]))
sys.stdin.read()  # for ever
"""


@pytest.fixture(scope="module")
def address():
    """A dispatcher and two workers, in two processes.

    Not in this one: after some epochs a server takes minutes to be taken down.
    """
    port, *others = free_ports(3)
    workers = ",".join(f"localhost:{other}" for other in others)
    processes = [
        fork_server.start(
            ["-c", SERVERS, port, workers, own],
            stdin=subprocess.PIPE,
            stdout=None,
            stderr=None,
        )
        for own in range(2)
    ]
    yield f"grpc://localhost:{port}"
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def folder(tmp_path):
    """26 noisy pictures in two classes; 2 to validate."""
    random = np.random.default_rng(0)
    for part, count in (("train", 13), ("val", 1)):
        for name in ("a", "b"):
            (tmp_path / part / name).mkdir(parents=True)
            for index in range(count):
                size = (*random.integers(20, 60, 2), 3)
                image = random.integers(0, 256, size).astype(np.uint8)
                file = tmp_path / part / name / f"{index}.jpg"
                file.write_bytes(tf.io.encode_jpeg(image).numpy())
    return str(tmp_path)


def pair(config, address):
    """The data without the service, and with it."""
    return load(config), load(replace(config, data_service=address))


def assert_same(here, served):
    assert here.element_spec == served.element_spec
    assert int(here.cardinality()) == int(served.cardinality())
    for one, two in zip(here, served, strict=True):
        for a, b in zip(one, two, strict=True):
            np.testing.assert_array_equal(a, b)


PLACES = {
    "whole epoch": (0, 0, (0, 1)),
    "second epoch": (1, 0, (0, 1)),
    "odd start": (1, 1, (0, 1)),
    "last batch": (0, 4, (0, 1)),
    "nothing left": (0, 5, (0, 1)),
    "first of two": (0, 2, (0, 2)),
    "second of two": (0, 2, (1, 2)),
}


def places(*quick):
    """All of them; others than `quick` take long."""
    return [
        pytest.param(place, id=name, marks=[] if name in quick else pytest.mark.slow)
        for name, place in PLACES.items()
    ]


@pytest.mark.long
@pytest.mark.parametrize("place", places("odd start", "second of two"))
def test_digits_in_memory(address, place):
    config = DataConfig(image_size=8, batch_size=280, mixup_alpha=0.4)
    here, served = pair(config, address)
    assert here.steps_per_epoch == 5
    assert_same(here.train(*place), served.train(*place))


@pytest.mark.parametrize("place", places("second epoch"))
def test_image_folder(address, folder, place):
    config = DataConfig(folder, image_size=16, batch_size=4, random_erasing=0.5)
    here, served = pair(config, address)
    # Six batches: with two workers the last turn is full, of digits it is not.
    assert_same(here.train(*place), served.train(*place))
    assert here.batch_names(0, 2) == served.batch_names(0, 2)


@pytest.mark.parametrize("place", places("second of two"))
def test_tfrecords(address, tmp_path, monkeypatch, place):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    write_records(tmp_path / "records", "train", [7, 11, 5])
    config = DataConfig(f"tfrecord:{tmp_path / 'records'}", image_size=16, batch_size=4)
    here, served = pair(config, address)
    assert here.steps_per_epoch == 5
    assert_same(here.train(*place), served.train(*place))


@pytest.mark.long
def test_what_was_damaged_is_told_here(address, folder):
    """Batch by batch, also those of a worker in another process."""
    here, served = pair(DataConfig(folder, image_size=16, batch_size=4), address)
    names = [here.batch_names(0, step)[1] for step in range(here.steps_per_epoch)]
    for name in names:
        with open(name, "r+b") as file:
            file.truncate(30)
    with pytest.warns(UserWarning, match="Skipped an image"):
        assert_same(here.train(0), served.train(0))
    assert list(served.problems.names) == names
    assert served.problems.count == len(names) == 6
    assert here.problems.names == served.problems.names


def test_strict_ends_at_the_same_batch(address, folder):
    config = DataConfig(folder, image_size=16, batch_size=4, strict=True)
    _, served = pair(config, address)
    bad = served.batch_names(0, 3)[2]
    with open(bad, "r+b") as file:
        file.truncate(30)
    seen = 0
    with pytest.raises(ValueError, match="cannot be used"), served.problems.raising():
        for _ in served.train(0):
            seen += 1
    assert seen == 3
    assert str(served.problems.error).endswith(f"Received: {bad}")


def test_validation_is_made_here(folder):
    """Needs no service."""
    config = DataConfig(folder, image_size=16, batch_size=4)
    here, served = pair(config, f"grpc://localhost:{free_ports(1)[0]}")
    assert_same(here.validation(), served.validation())


def test_counts_the_workers(address):
    assert service.count_workers(address) == 2


# What is not there


def first_batch(address, monkeypatch, seconds=1.0):
    monkeypatch.setattr(service, "FIRST_CONTACT", seconds)
    data = load(DataConfig(image_size=8, batch_size=280, data_service=address))
    return next(iter(data.train(0)))


def test_nobody_there(monkeypatch):
    address = f"grpc://localhost:{free_ports(1)[0]}"
    with pytest.raises(ConnectionError, match=rf"No .*{address} within 1 s.*Received:"):
        first_batch(address, monkeypatch)


def test_no_worker_there(monkeypatch, caplog):
    worker = f"localhost:{free_ports(1)[0]}"
    dispatcher = service.start_dispatcher(0, [worker])
    target = dispatcher.target
    with pytest.raises(ConnectionError, match=rf"{target} has no worker after 1 s"):
        first_batch(target, monkeypatch)


def test_one_of_the_workers_missing(monkeypatch, caplog):
    workers = [f"localhost:{port}" for port in free_ports(3)]
    dispatcher = service.start_dispatcher(0, workers)
    target = dispatcher.target
    started = [service.start_worker(target, workers[place]) for place in (0, 2)]
    with pytest.raises(ConnectionError, match=f"{target} has 2 of 3 workers.*Received"):
        first_batch(target, monkeypatch)
    del started


def test_an_address_that_is_not_a_dispatchers(monkeypatch):
    worker = f"localhost:{free_ports(1)[0]}"
    dispatcher = service.start_dispatcher(0, [worker])
    started = service.start_worker(dispatcher.target, worker)
    with pytest.raises(ConnectionError, match=f"grpc://{worker} cannot be used"):
        first_batch(f"grpc://{worker}", monkeypatch, 20.0)
    del started


def test_a_dispatcher_that_was_not_told_of_its_workers(monkeypatch):
    dispatcher = service.start_dispatcher(0, [])
    worker = f"localhost:{free_ports(1)[0]}"
    started = service.start_worker(dispatcher.target, worker)
    with pytest.raises(ConnectionError, match="told of its workers"):
        first_batch(dispatcher.target, monkeypatch, 20.0)
    del started


@pytest.mark.parametrize("place", ["ram://service/state", "state/of/it"])
def test_its_state_is_wherever_tensorflow_can_write(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    dispatcher = service.start_dispatcher(0, ["localhost:1"], place)
    assert dispatcher.target
    assert tf.io.gfile.isdir(place)
    assert [each.name for each in tmp_path.iterdir()] == ["state"] * (place[0] == "s")


def test_a_state_that_cannot_be_kept_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match=r"Received: work_dir='none://bucket/state'"):
        service.start_dispatcher(0, ["localhost:1"], "none://bucket/state")
    assert not list(tmp_path.iterdir())
