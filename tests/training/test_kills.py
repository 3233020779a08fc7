"""SIGKILL at any moment: the same command goes on to the same weights, bit by bit."""

import collections
import random
import subprocess
import time

import keras
import numpy as np
import pytest

from keras_regnet.training.metrics import MetricsFile
from tests import fork_server
from tests.training.processes import ROOT, free_ports, tf_config

TIMING = ("seconds", "images_per_second", "data_wait")


def start(run_dir, *arguments, workers=1, fresh=False):
    """Starts the program as one process, or as the workers of a cluster.

    Args:
        run_dir: Of the run.
        *arguments: Further ones of the program.
        workers: How many.
        fresh: Whether each is a Python of its own, which orders sets otherwise.
    """
    ports = free_ports(workers)
    processes = []
    for index in range(workers):
        variables = {"TF_CONFIG": tf_config(ports, index)} if workers > 1 else {}
        processes.append(
            fork_server.start(
                ["-m", "tests.training.program", run_dir, *arguments],
                env=fork_server.environment(**variables),
                cwd=ROOT,
                stderr=subprocess.DEVNULL,
                fresh=fresh,
            )
        )
    return processes


def finish(processes, timeout=300):
    """Waits for all; returns their exit codes. None outlives the test."""
    end = time.monotonic() + timeout
    try:
        return [process.wait(end - time.monotonic()) for process in processes]
    finally:
        for process in processes:
            process.kill()


def run(run_dir, *arguments, workers=1, timeout=300, fresh=False):
    processes = start(run_dir, *arguments, workers=workers, fresh=fresh)
    assert finish(processes, timeout) == [0] * workers


def results(run_dir):
    """What must be equal: weights, averages, and the metrics without the clock's."""
    rows = [
        {key: value for key, value in row.items() if not key.endswith(TIMING)}
        for row in MetricsFile(run_dir / "metrics.jsonl").read()
    ]
    places = [(row["kind"], row["step"]) for row in rows]
    assert len(places) == len(set(places))
    networks = [
        keras.saving.load_model(run_dir / name)
        for name in ("model.keras", "model_raw.keras")
    ]
    return rows, [v.numpy() for network in networks for v in network.weights]


def assert_same(run_dir, whole):
    rows, weights = results(run_dir)
    expected_rows, expected_weights = results(whole)
    assert rows == expected_rows
    for mine, theirs in zip(weights, expected_weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "run"
    run(path, fresh=True)
    return path


@pytest.mark.parametrize(
    "moment",
    [
        "checkpoint:5",
        # Between two checkpoints: the disk has what the last one left there.
        pytest.param("step:16", marks=pytest.mark.slow),
        pytest.param("evaluation:3", marks=pytest.mark.slow),
    ],
)
def test_killed_once(tmp_path, whole, moment):
    (process,) = start(tmp_path, f"--kill={moment}")
    assert finish([process]) == [-9]
    assert not (tmp_path / "result.json").exists()
    if moment.startswith("checkpoint"):
        assert list((tmp_path / "checkpoints").glob(".*.tmp*"))  # cut off in the middle
    run(tmp_path)
    assert_same(tmp_path, whole)
    assert not list((tmp_path / "checkpoints").glob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "epochs"), [(1, 500), (2, 150)])
def test_killed_twenty_times_at_random(tmp_path, workers, epochs):
    options = (f"--epochs={epochs}", "--every_steps=5")
    run(tmp_path / "whole", *options, workers=workers, timeout=900)
    rng = random.Random(workers)
    hit = collections.Counter()
    path = tmp_path / "killed"
    for turn in range(20):
        if turn % 4:
            processes = start(path, *options, workers=workers)
            for process in processes:
                process.stdout.readline()  # "training"
            time.sleep(rng.uniform(1.0, 4.0))
            victim = rng.randrange(workers)
            processes[victim].kill()
        else:  # too short to be hit by chance: the first worker falls while it writes
            moment = f"--kill=checkpoint:{rng.randrange(1, 9)}"
            processes = start(path, *options, moment, workers=workers)
            victim = 0
        codes = finish(processes, timeout=120)  # the others must not hang
        if codes == [0] * workers:
            break
        assert all(codes)
        phase = path / f"phase.{victim}"
        hit[phase.read_text().strip() if phase.exists() else "start"] += 1
    print(f"{workers} worker(s), killed during: {dict(hit)}")
    assert sum(hit.values()) == 20
    run(path, *options, workers=workers, timeout=900)
    assert_same(path, tmp_path / "whole")
