"""What a driver does with what workers say; and tiny networks, trained."""

import io
import os

import keras
import numpy as np
import pytest

from keras_regnet import RegNetParameters
from keras_regnet.design_space import trial
from keras_regnet.design_space.cores import ClaimedCores
from keras_regnet.design_space.images import load_images
from keras_regnet.design_space.live_table import LiveTable
from keras_regnet.design_space.mlp import MLPParameters
from keras_regnet.design_space.networks import KINDS, Cost, build, cost, decode, encode
from keras_regnet.design_space.population import (
    InProcess,
    train_population,
    work_through,
)
from keras_regnet.design_space.steps import DeviceImages
from keras_regnet.design_space.study import Study
from keras_regnet.design_space.trial import PHASES, TrialError, train_network
from keras_regnet.design_space.worker import Worker
from tests.design_space.fakes import FakePool
from tests.design_space.tiny_study import CLASSES, SHAPE, add, networks, regime


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.sqlite"


class Perceptron:
    """A network of another kind than this package's."""

    def __init__(self, width):
        self.width = width

    def to_dict(self):
        return {"width": self.width}

    @classmethod
    def from_dict(cls, values):
        return cls(**values)

    def build(self, input_shape, classes):
        return keras.Sequential(
            [
                keras.Input(input_shape),
                keras.layers.Flatten(),
                keras.layers.Dense(self.width, "relu"),
                keras.layers.Dense(classes),
            ]
        )

    def cost(self, input_shape, classes):
        weights = (np.prod(input_shape) + 1) * self.width + (self.width + 1) * classes
        return Cost(int(weights), int(weights), self.width + classes)


def test_networks_go_through_text():
    perceptron = MLPParameters((2, 1), (16, 8))
    regnet = RegNetParameters(6, 24, 36.44, 2.49, 8)
    for network in (networks(1)[0], regnet, perceptron):
        assert decode(encode(network)) == network
    with pytest.raises(ValueError, match="its class be given in `kinds`"):
        encode(Perceptron(8))
    with pytest.raises(ValueError, match="Received: 'one_hidden'"):
        decode('{"one_hidden":{"width":8}}')
    with pytest.raises(ValueError, match="A network is written as"):
        decode("[]")


def test_costs_are_those_of_the_built_model():
    for network in (*networks(2), MLPParameters((2, 1), (16, 8))):
        model = build(network, SHAPE, CLASSES)
        trained = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
        assert cost(network, SHAPE, CLASSES).parameters == trained


def test_failures_and_deaths_never_stop_the_rest(path):
    with Study.open(path, regime()) as study:
        add(study, 6)
        pool = FakePool(2, dies={2: 1, 4: 9}, fails={5: "out of memory: 1 TB"})
        work_through(study, pool, retries=2)
        records = {record.id: record for record in study.records()}
    assert [records[i].status for i in (1, 2, 3, 6)] == ["done"] * 4
    assert records[2].attempts == 2
    assert (records[4].status, records[4].attempts) == ("failed", 3)
    assert records[4].reason == "the worker died (3 times): SIGKILL"
    assert records[5].reason == "out of memory: 1 TB"
    assert sorted(pool.given) == [1, 2, 2, 3, 4, 4, 4, 5, 6]


def test_failed_ones_can_be_tried_again(path):
    with Study.open(path, regime()) as study:
        add(study, 2)
        work_through(study, FakePool(1, fails={1: "bad luck"}))
        assert study.retry_failed() == 1
        work_through(study, FakePool(1))
        assert [r.status for r in study.records()] == ["done", "done"]
        assert study.records()[0].reason is None


def test_ctrl_c_leaves_what_goes_on(path):
    def stop(number):
        if number == 3:
            raise KeyboardInterrupt

    with Study.open(path, regime()) as study:
        add(study, 5)
        with pytest.raises(KeyboardInterrupt):
            work_through(study, FakePool(1, then=stop))
        assert [r.status for r in study.records()][:2] == ["done", "done"]
        assert not study.records(status="running")
        again = FakePool(1)
        work_through(study, again)
        assert again.given == [3, 4, 5]
        assert all(r.attempts == 1 for r in study.records())


def test_a_network_that_cannot_be_read(path):
    with Study.open(path, regime()) as study:
        add(study, 2)
        sampling = {"seed": 0}
        kinds = {"one_hidden": Perceptron}
        arguments = {"input_shape": SHAPE, "classes": CLASSES, "kinds": kinds}
        study.add("one hidden", [Perceptron(8)], sampling, **arguments)
        work_through(study, FakePool())
        (failed,) = study.records(status="failed")
    assert failed.space == "one hidden"
    assert failed.reason.startswith("could not be read: Networks here are of the kinds")


def test_table(path):
    now = [0.0]
    stream = io.StringIO()
    with Study.open(path, regime()) as study:
        add(study, 4, "AnyNetX-A")
        add(study, 1, "B")
        table = LiveTable(stream, clock=lambda: now[0])

        def until_the_second(number):
            now[0] += 90
            if number == 2:
                raise KeyboardInterrupt

        pool = FakePool(1, fails={5: "x"}, then=until_the_second)
        with pytest.raises(KeyboardInterrupt):
            work_through(study, pool, table=table)
    last = stream.getvalue().splitlines()[-5:]
    assert last[0].split() == [
        *("space", "done", "failed", "running", "left", "best", "error")
    ]
    assert last[1].split() == ["AnyNetX-A", "1", "0", "0", "3", "25.00", "%"]
    assert last[2].split() == ["B", "0", "1", "0", "0"]
    assert last[3].split() == ["all", "1", "1", "0", "3", "25.00", "%"]
    # Two of five in 270 seconds.
    assert last[4].endswith("4:30 so far, 27 networks per hour, 6:45 left")


def test_cores_are_claimed_once(tmp_path):
    cores = sorted(os.sched_getaffinity(0))
    first = ClaimedCores(1, tmp_path)
    assert first.cores == (cores[0],)
    assert not ClaimedCores(len(cores), tmp_path).cores
    assert set(ClaimedCores(len(cores) - 1, tmp_path).cores) == set(cores[1:])
    first.release()
    assert ClaimedCores(len(cores), tmp_path).cores == tuple(cores)


@pytest.fixture(scope="module")
def digits():
    settings = regime(learning_rate=0.3, epochs=8, train_images=768, batch_size=32)
    return settings, load_images(settings)


@pytest.fixture(scope="module")
def trained(digits):
    settings, images = digits
    device = DeviceImages(images, settings)
    return train_network(networks(1)[0], 1, settings, device)


def test_networks_learn(trained):
    assert len(trained.errors) == len(trained.train_errors) == 8
    assert trained.errors[-1] < 0.25  # nine of ten are wrong at random
    assert trained.train_losses[-1] < trained.train_losses[0]
    assert set(trained.seconds) == set(PHASES)


def test_same_seed_same_errors(digits):
    _, images = digits
    device = DeviceImages(images, regime())
    found = []
    for before, seed in ((1, 1), (99, 1), (1, 2)):
        keras.utils.set_random_seed(before)  # what was before does not matter
        found.append(train_network(networks(1)[0], seed, regime(), device))
    assert found[0].errors == found[1].errors
    assert found[0].train_losses == found[1].train_losses
    assert found[0].train_losses != found[2].train_losses


def test_errors_are_those_of_the_model(digits, monkeypatch):
    """The compiled judging against plain Keras, with an incomplete last batch."""
    settings, images = digits
    assert len(images.judged) % settings.batch_size
    models = []

    def remembered(*arguments):
        models.append(build(*arguments))
        return models[-1]

    monkeypatch.setattr(trial, "build", remembered)
    settings = regime(learning_rate=0.3, epochs=1, batch_size=32, train_images=768)
    found = train_network(networks(1)[0], 3, settings, DeviceImages(images, settings))
    pixels = (images.judged / 255 - images.mean) / images.std
    outputs = models[0].predict(pixels.astype(np.float32), verbose=0)
    wrong = np.mean(outputs.argmax(-1) != images.judged_labels)
    assert found.errors == (pytest.approx(wrong, abs=1e-5),)


def test_what_cannot_be_trained_says_why(digits):
    settings, images = digits
    device = DeviceImages(images, settings)
    wild = regime(learning_rate=1e30, epochs=2)
    with pytest.raises(TrialError, match=r"loss not finite: .* in epoch"):
        train_network(Perceptron(16), 0, wild, DeviceImages(images, wild))
    deep = networks(1)[0].to_dict()
    deep["stages"] *= 3  # 8 x 8 pixels, halved three times and then once more
    deep["stages"] += (deep["stages"][1],)
    deep = type(networks(1)[0]).from_dict(deep)
    with pytest.raises(TrialError, match="could not be built: `input_shape` must be"):
        train_network(deep, 0, settings, device)

    class Huge(Perceptron):
        def build(self, input_shape, classes):
            raise MemoryError("Unable to allocate 1 TiB")

    with pytest.raises(TrialError, match="out of memory: Unable to allocate") as caught:
        train_network(Huge(1), 0, settings, device)
    assert caught.value.out_of_memory


def test_a_study_in_this_process(path):
    """Two kinds of networks, one of which diverges; a restart finds nothing to do."""
    settings = regime(train_images=128)
    kinds = {"one_hidden": Perceptron}
    with Study.open(path, settings) as study:
        add(study, 1)
        arguments = {"input_shape": SHAPE, "classes": CLASSES, "kinds": kinds}
        study.add("one hidden", [Perceptron(8)], {"seed": 0}, **arguments)
        stream = io.StringIO()
        table = LiveTable(stream)
        train_population(study, workers=0, kinds=KINDS | kinds, table=table)
        first = study.records()
        assert [record.status for record in first] == ["done", "done"]
        assert all(len(record.errors) == 2 for record in first)
        assert "core" in first[0].worker
        train_population(study, workers=0, kinds=KINDS | kinds)
        assert study.records() == first
    assert stream.getvalue()


def test_a_pool_of_this_process(digits):
    _, images = digits
    pool = InProcess(Worker(regime(), images))
    assert (pool.free(), pool.workers()) == (1, 1)
    assert pool.wait(0.0) == []


@pytest.mark.parametrize(
    "arguments", [{"workers": -1}, {"workers": 1.5}, {"retries": -1}]
)
def test_wrong_arguments(path, arguments):
    with Study.open(path, regime()) as study:
        (name,) = arguments
        with pytest.raises(ValueError, match=f"{name} must be a whole number"):
            train_population(study, **arguments)
