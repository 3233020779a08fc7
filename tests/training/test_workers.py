"""Two workers on loopback: they take the steps of one device, or say why not."""

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.training.strategies import make_strategy
from tests.training import same_steps
from tests.training.processes import ROOT, free_ports, run_workers

ONE = tf.distribute.get_strategy()


def run_two(where, folder, dtype, steps):
    if where == "two devices":
        return same_steps.run(make_strategy("mirrored"), folder, dtype, steps)
    path = folder / "result.npz"
    program = ["-m", "tests.training.same_steps", path, dtype, steps]
    # Two Pythons, which order sets differently: the workers must agree all the same.
    for code, _, err in run_workers(program, fresh=[1]):
        assert code == 0, err[-3000:]
    return dict(np.load(path))


@pytest.fixture(
    scope="module",
    params=["two workers", pytest.param("two devices", marks=pytest.mark.slow)],
)
def float64(request, tmp_path_factory):
    """20 steps with one device, and with two."""
    folder = tmp_path_factory.mktemp("float64")
    one = same_steps.run(ONE, folder / "one", "float64", 20)
    return one, run_two(request.param, folder, "float64", 20)


@pytest.mark.long
def test_float64_updates_are_those_of_one_device_for_20_steps(float64):
    mine, theirs = (
        np.split(
            np.diff(found["weights"], axis=0), np.cumsum(found["sizes"])[:-1], axis=1
        )
        for found in float64
    )
    for a, b in zip(mine, theirs, strict=True):  # of each variable, [steps, size]
        assert len(a) == 20
        largest = np.abs(a).max(1)
        assert (largest > 0).all()
        assert (np.abs(a - b).max(1) <= 1e-6 * largest).all()


def test_every_validation_image_is_counted_once(float64):
    one, two = float64
    assert one["judged"].tolist() == two["judged"].tolist()
    assert one["judged"][1] == same_steps.VALIDATION
    assert 0 < one["judged"][0] < 1


@pytest.fixture(scope="module", params=["two workers", "two devices"])
def float32(request, tmp_path_factory):
    """50 steps with one device, and with two."""
    folder = tmp_path_factory.mktemp("float32")
    one = same_steps.run(ONE, folder / "one", "float32", 50)
    return one, run_two(request.param, folder, "float32", 50)


@pytest.mark.slow
def test_float32_first_step_has_the_loss_and_statistics_of_one_device(float32):
    one, two = float32
    assert one["losses"][0] == pytest.approx(two["losses"][0], rel=1e-5)
    np.testing.assert_allclose(
        one["statistics"][0], two["statistics"][0], rtol=1e-5, atol=1e-5
    )


@pytest.mark.slow
def test_float32_stays_as_near_as_another_order_of_the_same_images(float32, tmp_path):
    one, two = float32
    backwards = same_steps.run(ONE, tmp_path, "float32", 50, backwards=True)

    def distance(found):
        return np.linalg.norm(found["weights"][-1] - one["weights"][-1])

    assert len(one["losses"]) == 50
    assert distance(backwards) > 0
    # Both are rounding, grown over the steps: 4.2e-6 and 4.3e-6 were seen. Which is the
    # longer one is chance, hence the quarter.
    assert distance(two) <= 1.25 * distance(backwards)


def train(tmp_path, more, *arguments):
    """Runs scripts/train.py as two workers; returns (code, stdout, stderr) of each."""
    return run_workers(
        [
            ROOT / "scripts" / "train.py",
            "--dataset=digits",
            "--block=x",
            "--depth=2",
            "--w0=8",
            "--wa=8",
            "--wm=2",
            "--group_width=8",
            "--batch_size=64",
            "--epochs=2",
            "--worker_timeout=60",
            f"--run_dir={tmp_path / 'run'}",
            *arguments,
        ],
        more=more,
    )


@pytest.mark.long
def test_workers_that_disagree_refuse_with_the_difference(tmp_path):
    other = ["--learning_rate=0.3", "--seed=4", "--checkpoint_every_steps=7"]
    results = train(tmp_path, {1: [*other, "--data_dir=elsewhere"]})
    for code, _, err in results:
        assert code == 2, err[-3000:]
        assert "All workers must be given the same configuration." in err
        assert "seed: 0 on worker 0, 4 on worker 1" in err
        assert "training.learning_rate: 0.05 on worker 0, 0.3 on worker 1" in err
        # A run may go on with another one, but its workers must look up together.
        assert "training.checkpoint_every_steps: 0 on worker 0, 7 on worker 1" in err
        assert "epochs" not in err
        assert "data_dir" not in err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_two_workers_train_from_the_command_line(tmp_path):
    chief, other = train(tmp_path, {})
    assert chief[0] == other[0] == 0, chief[2][-3000:] + other[2][-3000:]
    assert "Validation accuracy" in chief[1]
    assert not other[1]  # one of them speaks
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"model.keras", "saved_model", "result.json", "log.csv"} <= names
    # Worker 0 refuses to begin anew where a run is; the other one hears why.
    for code, _, err in train(tmp_path, {}):
        assert code == 2
        assert "already holds a run" in err


@pytest.mark.slow
def test_a_self_check_of_two_workers(tmp_path):
    program = [ROOT / "scripts" / "train.py", "--self_check"]
    chief, other = run_workers(program)
    assert chief[0] == other[0] == 0, chief[2][-3000:] + other[2][-3000:]
    assert "2 worker(s), 2 replicas" in chief[1]
    assert chief[1].rstrip().endswith("All is well.")
    assert not other[1]


LOSES = """
import os, sys, time
from keras_regnet.training.consensus import Consensus
from keras_regnet.training.strategies import make_strategy
from keras_regnet.training.watchdog import Watchdog
from keras_regnet.training.workers import naming_lost_workers
consensus = Consensus(make_strategy("multi_worker", timeout=60))
consensus.total(1)
print("together", flush=True)
if consensus.index == 1:
    if sys.argv[1] == "dies":
        os.kill(os.getpid(), 9)
    time.sleep(30)
seconds = 5 if sys.argv[1] == "hangs" else 60
with naming_lost_workers(consensus), Watchdog(seconds, "Nothing happens."):
    consensus.total(1)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "code", "told"),
    [
        ("dies", 1, "LostWorkerError: Worker 0 (of 2, from 0) lost another one"),
        ("hangs", 4, "Nothing happens."),
    ],
)
def test_nobody_waits_for_a_worker_that_is_gone(how, code, told):
    chief, other = run_workers(["-c", LOSES, how], timeout=150)
    assert chief[0] == code, chief[2][-3000:]
    assert told in chief[2]
    assert chief[1] == other[1] == "together\n"
    assert other[0] != 0


STOPS = """
import json, os, sys
import keras, numpy as np, tensorflow as tf
from keras_regnet.training import Trainer, TrainingConfig
from keras_regnet.training.strategies import make_strategy
strategy = make_strategy("multi_worker", timeout=60)
index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]

class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = index == int(sys.argv[2]) and epoch == 1

with strategy.scope():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
batch = np.ones((8, 4), "float32"), np.zeros(8, "int32")
trainer = Trainer(
    model,
    lambda epoch: tf.data.Dataset.from_tensors(batch),
    None,
    TrainingConfig(epochs=6, warmup_epochs=0),
    sys.argv[1],
    strategy=strategy,
    callbacks=[Stop()],
    save_models=False,
    worker_timeout=60,
    verbose=0,
)
print(len(trainer.train().history))
"""


@pytest.mark.long
@pytest.mark.parametrize("index", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_callback_that_stops_one_worker_stops_all(index, tmp_path):
    for code, out, err in run_workers(["-c", STOPS, tmp_path, index], timeout=150):
        assert code == 0, err[-3000:]
        assert out.split() == ["2"]


SLURM = """
from keras_regnet.training.consensus import Consensus
from keras_regnet.training.strategies import make_strategy
consensus = Consensus(make_strategy("slurm", timeout=60))
print(consensus.index, consensus.workers, consensus.total(consensus.index + 1))
"""


@pytest.mark.slow
def test_slurm_tasks_become_workers():
    """As srun would start two tasks on this machine; no SLURM was at hand."""
    (port,) = free_ports(1)
    task = {
        "SLURM_JOB_ID": str(port),
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_TASKS_PER_NODE": "2",
        "SLURM_NODEID": "0",
        "SLURMD_NODENAME": "localhost",
    }
    tasks = [
        task | {"SLURM_PROCID": index, "SLURM_LOCALID": index} for index in ("0", "1")
    ]
    first, second = run_workers(["-c", SLURM], environment=tasks, timeout=120)
    assert first[:2] == (0, "0 2 [3.]\n"), first[2][-3000:]
    assert second[:2] == (0, "1 2 [3.]\n"), second[2][-3000:]
