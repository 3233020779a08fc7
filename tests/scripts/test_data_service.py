"""scripts/data_service.py: a training that is fed by it is the same training."""

import csv
import signal

import pytest

from tests.script_runner import run_script
from tests.scripts.programs import TINY, run, start
from tests.training.processes import free_ports

pytest.importorskip("sklearn")


def serve(*arguments):
    return start("data_service", *arguments, fresh=True)


def losses(path):
    with open(path / "log.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    found = {key: row[key] for key in row if "loss" in key or "accuracy" in key}
    assert found
    return found


@pytest.mark.slow
def test_a_training_with_it_is_the_same(tmp_path):
    port, *others = free_ports(3)
    workers = [f"localhost:{each}" for each in others]
    dispatcher = f"localhost:{port}"
    processes = [
        serve("--role=dispatcher", f"--port={port}", f"--workers={','.join(workers)}")
    ]
    try:
        processes += [
            serve("--role=worker", f"--dispatcher={dispatcher}", f"--address={each}")
            for each in workers
        ]
        # The trainer waits for them.
        fed = [f"--data_service=grpc://{dispatcher}", f"--run_dir={tmp_path / 'fed'}"]
        run("train", *TINY, "--epochs=1", *fed)
        run("train", *TINY, "--epochs=1", f"--run_dir={tmp_path / 'alone'}")
        for process, number in zip(
            processes, (signal.SIGINT, signal.SIGTERM, signal.SIGINT), strict=True
        ):
            process.send_signal(number)
        said = [process.communicate(timeout=20) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert losses(tmp_path / "fed") == losses(tmp_path / "alone")
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert f"Dispatcher at port {port}." in said[0][0]
    assert "The dispatcher has ended (SIGINT)." in said[0][0]
    for (out, error), address in zip(said[1:], workers, strict=True):
        assert f"Worker at {address}." in out
        assert f"--data_service=grpc://{dispatcher}" in out
        assert "The worker has ended (SIG" in out
        assert "Traceback" not in error


@pytest.mark.slow
def test_a_training_does_not_wait_for_ever_for_a_lost_worker(tmp_path):
    port, other = free_ports(2)
    dispatcher, address = f"localhost:{port}", f"localhost:{other}"
    service = [
        serve("--role=dispatcher", f"--port={port}", f"--workers={address}"),
        serve("--role=worker", f"--dispatcher={dispatcher}", f"--address={address}"),
    ]
    flags = [f"--data_service=grpc://{dispatcher}", f"--run_dir={tmp_path}"]
    training = start("train", *TINY, "--epochs=9999", "--worker_timeout=15", *flags)
    try:
        for line in training.stdout:
            if line.startswith("Epoch"):
                break
        service[1].kill()
        _, error = training.communicate(timeout=120)
    finally:
        for process in (*service, training):
            process.kill()
            process.communicate()
    assert training.returncode == 4, error
    assert "Nothing happened for 15 seconds: the tf.data service hangs" in error
    assert list((tmp_path / "checkpoints").glob("step-*.npz"))


WORKER = "--role=worker"
DISPATCHER = "--role=dispatcher"


@pytest.mark.long
def test_wrong_flags(tmp_path):
    cases = {
        "--role must be dispatcher or worker": [],
        "needs --workers. Received: None": [DISPATCHER, "--port=0"],
        "different addresses": [DISPATCHER, "--port=0", "--workers=a:1,a:1"],
        "host:port. Received: 'b:0'": [WORKER, "--dispatcher=a:1", "--address=b:0"],
        "no use for": [WORKER, "--dispatcher=a:1", "--address=b:1", "--workers=b:1"],
    }
    runs = run_script("data_service.py", list(cases.values()), tmp_path)
    for message, done in zip(cases, runs, strict=True):
        assert done.returncode == 2, done
        assert message in done.stderr
        assert done.stderr.count("Error: ") == 1
        assert "Traceback" not in done.stderr
