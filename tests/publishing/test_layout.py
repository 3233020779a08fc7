"""A version is there as a whole or not at all, and a changed file is noticed."""

import os
import signal
import subprocess
import sys

import pytest

from keras_regnet.publishing import layout


def add(folder, text="one", **options):
    with layout.new_version(folder, **options) as (path, version):
        (path / "sub").mkdir()
        (path / "a.txt").write_text(text)
        (path / "sub" / "b.txt").write_text("b")
    return version


def test_versions_count_up(tmp_path):
    folder = tmp_path / "model"
    assert layout.versions(folder) == []
    assert [add(folder), add(folder), add(folder, version=10), add(folder)] == [
        1, 2, 10, 11,
    ]  # fmt: skip
    assert layout.versions(folder) == [1, 2, 10, 11]
    with pytest.raises(ValueError, match=r"never changed\. Received: version=2"):
        add(folder, version=2)
    with pytest.raises(ValueError, match=r"positive integer\. Received: 0"):
        add(folder, version=0)
    # What is no version: notes, names that only look like numbers.
    for name in ("notes", "012", "3.tmp"):
        (folder / name).mkdir()
    assert layout.versions(folder) == [1, 2, 10, 11]


def test_a_failure_leaves_nothing(tmp_path):
    folder = tmp_path / "model"
    with pytest.raises(RuntimeError), layout.new_version(folder) as (path, _):
        (path / "a.txt").write_text("half")
        raise RuntimeError
    assert not folder.exists()


_KILLED = """
import sys, time
from pathlib import Path
from keras_regnet.publishing import layout
with layout.new_version(Path(sys.argv[1])) as (path, _):
    (path / "a.txt").write_text("half")
    print("written", flush=True)
    time.sleep(60)
"""


def test_a_kill_between_the_writes_leaves_no_version(tmp_path):
    folder = tmp_path / "model"
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(folder)],
        stdout=subprocess.PIPE,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    while process.stdout.readline() != b"written\n":
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert layout.versions(folder) == []
    (left,) = folder.iterdir()
    assert left.name.startswith(".1.")
    assert add(folder) == 1
    assert [entry.name for entry in folder.iterdir()] == ["1"]  # it was tidied up


def test_another_process_at_work_is_left_alone(tmp_path):
    with layout.new_version(tmp_path) as (path, _):
        (path / "a.txt").write_text("a")
        assert add(tmp_path, version=7) == 7
        assert path.exists()
    assert layout.versions(tmp_path) == [1, 7]


def test_checksums_are_those_of_sha256sum(tmp_path):
    folder = tmp_path / "model"
    add(folder)
    layout.check_checksums(folder / "1")
    program = ["sha256sum", "--check", "--strict", layout.CHECKSUMS]
    subprocess.run(program, cwd=folder / "1", check=True, capture_output=True)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: (path / "a.txt").write_text("two"), "a.txt is not the file that"),
        (lambda path: os.truncate(path / "sub" / "b.txt", 0), "sub/b.txt is not the"),
        (lambda path: (path / "sub" / "b.txt").unlink(), "sub/b.txt is missing"),
        (lambda path: (path / "SHA256SUMS").unlink(), "without SHA256SUMS"),
        (lambda path: (path / "SHA256SUMS").write_text("x\n"), "lines as sha256sum"),
    ],
)
def test_damage_is_refused_by_name(tmp_path, damage, message):
    folder = tmp_path / "model"
    add(folder)
    damage(folder / "1")
    with pytest.raises(ValueError, match=message):
        layout.check_checksums(folder / "1")


@pytest.mark.parametrize("name", ["", "a/b", "..", "-x", "12", "a b", None])
def test_names_that_are_no_folders_are_refused(name):
    with pytest.raises(ValueError, match="A published model's name"):
        layout.check_name(name)
