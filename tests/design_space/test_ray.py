"""On Ray: killed drivers and workers, and two nodes that share a study."""

import importlib.util
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from keras_regnet.design_space.study import Study
from keras_regnet.design_space.study_file import StudyFile
from tests.design_space.tiny_study import add, regime
from tests.training.processes import ROOT, free_ports

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None,
    reason="Ray is not installed (pip install 'keras-regnet[design-space]')",
)
COUNT = 6
PATIENCE = 600  # seconds


def environment(**more):
    # Ray's own variables of the person who runs this must not matter.
    kept = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    path = os.pathsep.join([str(ROOT), *filter(None, [kept.get("PYTHONPATH")])])
    return kept | {"PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "2", **more}


def launch(*arguments, **variables):
    """Starts Python, as the first of a process group of its own."""
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env=environment(**variables),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def start(path, *arguments, **variables):
    """Starts the program."""
    command = ["-u", "-m", "tests.design_space.tiny_study", path]
    return launch(*command, f"--networks={COUNT}", *arguments, **variables)


def finish(process):
    """Waits for the end; returns what it printed."""
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output[-3000:]
    return output


def complete(path, *arguments, **variables):
    """Runs the program to its end; returns what it printed."""
    process = start(path, *arguments, **variables)
    with stopped_at_the_end(process):
        return finish(process)


def descendants(pid):
    """All processes below one, with what they call themselves."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
            names[int(folder.name)] = (folder / "cmdline").read_text()
        except OSError:  # gone meanwhile
            continue
        parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    found = {}
    front = {pid}
    while front:
        front = {child for child, parent in parents.items() if parent in front}
        found |= {child: names.get(child, "") for child in front}
    return found


def until(condition, what):
    """Waits for something to become true; returns it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.2)
    raise AssertionError(f"waited too long for {what}")


def done(path):
    if not path.exists():
        return {}
    try:
        with StudyFile.read(path) as study:
            return {record.id: record for record in study.records(status="done")}
    except ValueError:  # it is just being made
        return {}


def results(path):
    """What must be equal: networks, seeds and all errors; each once."""
    with StudyFile.read(path) as study:
        records = study.records()
    assert [record.status for record in records] == ["done"] * COUNT
    keys = [(record.network, record.seed) for record in records]
    assert len(set(keys)) == COUNT
    values = [(r.errors, r.train_errors, r.train_losses) for r in records]
    return dict(zip(keys, values, strict=True))


@contextmanager
def stopped_at_the_end(*processes):
    """Ends processes and all below them, whatever happened."""
    try:
        yield
    finally:
        for process in processes:
            everything = [process.pid, *descendants(process.pid)]
            for pid in everything:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()
            if process.stdout:
                process.stdout.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What an undisturbed run gives."""
    path = tmp_path_factory.mktemp("whole") / "study.sqlite"
    output = complete(path, "--workers=2")
    assert output.splitlines()[-1] == "done"
    return results(path)


@needs_ray
@pytest.mark.slow
def test_killed_driver(tmp_path, whole):
    path = tmp_path / "study.sqlite"
    process = start(path, "--workers=2")
    with stopped_at_the_end(process):
        until(lambda: len(done(path)) >= 2, "two networks")
        below = descendants(process.pid)
        process.kill()
        process.wait()
        before = done(path)
        assert len(before) < COUNT
        # Ray's processes notice that the driver is gone, and go too.
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below), "Ray")
    complete(path, "--workers=2")
    assert before.items() <= done(path).items()
    assert results(path) == whole


@needs_ray
@pytest.mark.slow
def test_killed_worker(tmp_path, whole):
    path = tmp_path / "study.sqlite"
    process = start(path, "--workers=2")
    with stopped_at_the_end(process):

        def training():
            names = descendants(process.pid).items()
            return [pid for pid, name in names if name.startswith("ray::RayWorker.run")]

        os.kill(until(training, "a worker at work")[0], signal.SIGKILL)
        finish(process)
    assert results(path) == whole
    assert sorted(r.attempts for r in done(path).values()) == [1] * (COUNT - 1) + [2]


@needs_ray
@pytest.mark.slow
def test_ctrl_c(tmp_path, whole):
    path = tmp_path / "study.sqlite"
    process = start(path, "--workers=2")
    with stopped_at_the_end(process):
        until(lambda: done(path), "a network")
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in output
    with StudyFile.read(path) as study:
        assert not study.records(status="running")
    complete(path, "--workers=2")
    assert results(path) == whole


@needs_ray
@pytest.mark.slow
def test_sigterm_ends_the_script_as_ctrl_c_does(tmp_path):
    path = tmp_path / "study.sqlite"
    flags = f"--study={path} --spaces=regnetx --n=50 --ranges=small_images --stages=2"
    flags += " --flops=2e5,4e5 --stem=small --stem_width=8 --epochs=1"
    script = launch("scripts/design_space.py", "train", *flags.split())
    with stopped_at_the_end(script):
        until(lambda: done(path), "a network")
        script.terminate()
        output, _ = script.communicate(timeout=PATIENCE)
    assert script.returncode == 143, output[-3000:]
    last = output.splitlines()[-1]
    assert last == "Stopped by SIGTERM. The same command goes on."
    with StudyFile.read(path) as study:
        assert not study.records(status="running")


@needs_ray
@pytest.mark.slow
def test_two_nodes_with_a_token_share_a_study(tmp_path, whole):
    (port,) = free_ports(1)
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    address = f"127.0.0.1:{port}"
    common = ["--node-ip-address=127.0.0.1", "--num-cpus=1", "--block"]
    common += ["--disable-usage-stats", "--object-store-memory=100000000"]
    ray = [sys.executable, "-m", "ray.scripts.scripts", "start", *common]

    def node(*arguments):
        return subprocess.Popen(
            [*ray, *arguments],
            env=environment(**token),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    # Sockets are made in this folder, and their paths are short.
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    options = [f"--port={port}", "--include-dashboard=false"]
    head = node("--head", *options, f"--temp-dir={folder.name}")
    with folder, stopped_at_the_end(head):
        time.sleep(20)
        assert head.poll() is None
        other = node(f"--address={address}")
        with stopped_at_the_end(other):
            stranger = start(tmp_path / "none.sqlite", f"--address={address}")
            with stopped_at_the_end(stranger):
                output, _ = stranger.communicate(timeout=PATIENCE)
            assert stranger.returncode == 1
            assert "There is no Ray cluster at this address that lets us in" in output

            path = tmp_path / "study.sqlite"
            complete(path, f"--address={address}", **token)
    assert results(path) == whole
    # Each node has room for one worker.
    assert {r.worker.partition(":")[0] for r in done(path).values()} == {"0", "1"}


@needs_ray
@pytest.mark.slow
def test_too_little_for_a_worker(tmp_path):
    from keras_regnet.design_space.population import train_population

    with Study.open(tmp_path / "study.sqlite", regime()) as study:
        add(study, 1)
        with pytest.raises(ValueError, match=r"no room for one worker.*gpus=99"):
            train_population(study, gpus=99)
        with pytest.raises(ValueError, match="cpus must be above 0"):
            train_population(study, cpus=0)
        assert [r.status for r in study.records()] == ["waiting"]


@pytest.mark.skipif(
    importlib.util.find_spec("ray") is not None, reason="Ray is installed"
)
def test_without_ray_the_extra_is_named(tmp_path):
    from keras_regnet.design_space.population import train_population

    with Study.open(tmp_path / "study.sqlite", regime()) as study:
        add(study, 1)
        with pytest.raises(ImportError, match=r"keras-regnet\[design-space\]"):
            train_population(study, workers=1)
