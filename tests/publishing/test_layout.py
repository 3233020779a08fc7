"""A version is there as a whole or not at all, and a changed file is noticed."""

import os
import shutil
import signal
import subprocess
import threading

import pytest

from keras_regnet.publishing import layout


def add(folder, text="one", **options):
    with layout.new_version(folder, **options) as (path, version):
        for name in layout.LISTED:
            (path / name).parent.mkdir(exist_ok=True)
            (path / name).write_text(text)
        (path / "variables" / "data").write_text("b")
        (path / "variables" / "variables.data-00000-of-00001").write_text("b")
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


def test_a_kill_between_the_writes_leaves_no_version(tmp_path):
    folder = tmp_path / "model"
    child = os.fork()
    if not child:
        with layout.new_version(folder) as (path, _):
            (path / "a.txt").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert layout.versions(folder) == []
    assert (folder / ".1.tmp" / "a.txt").read_text() == "half"
    assert add(folder) == 1
    assert [entry.name for entry in folder.iterdir()] == ["1"]  # it was tidied up


def test_another_process_at_work_is_left_alone(tmp_path):
    with layout.new_version(tmp_path) as (path, _):
        (path / "a.txt").write_text("a")
        assert add(tmp_path, version=7) == 7
        with pytest.raises(ValueError, match=r"Somebody else .* version=1$"):
            add(tmp_path, version=1)
        assert [entry.name for entry in path.iterdir()] == ["a.txt"]
    assert layout.versions(tmp_path) == [1, 7]


def test_publishers_at_once_get_a_version_each(tmp_path):
    """As from several containers: none sees the others' processes."""
    made, barrier = [], threading.Barrier(4)

    def publisher(number):
        barrier.wait()
        with layout.new_version(tmp_path / "model") as (path, version):
            (path / "a.txt").write_text(str(number))
            barrier.wait()  # all are at work
        made.append((version, number))

    threads = [threading.Thread(target=publisher, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(version for version, _ in made) == [1, 2, 3, 4]
    for version, number in made:
        text = (tmp_path / "model" / str(version) / "a.txt").read_text()
        assert text == str(number)
    assert len(list((tmp_path / "model").iterdir())) == 4  # and nothing else


def test_a_claim_of_another_machine_is_left_alone(tmp_path):
    """Its lock is not seen here, so that nobody can tell whether it is at work."""
    (tmp_path / ".1.claim").write_text("another boot id")
    (tmp_path / ".1.tmp").mkdir()
    (tmp_path / ".1.tmp" / "a.txt").write_text("half")
    assert add(tmp_path) == 2
    assert (tmp_path / ".1.claim").exists()
    assert (tmp_path / ".1.tmp" / "a.txt").read_text() == "half"


def test_checksums_are_those_of_sha256sum(tmp_path):
    folder = tmp_path / "model"
    add(folder)
    layout.check_checksums(folder / "1")
    program = ["sha256sum", "--check", "--strict", layout.CHECKSUMS]
    subprocess.run(program, cwd=folder / "1", check=True, capture_output=True)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: (path / "model.keras").write_text("two"), "model.keras is not"),
        (lambda path: os.truncate(path / "variables/data", 0), "variables/data is not"),
        (lambda path: (path / "variables/data").unlink(), "variables/data is missing"),
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


@pytest.mark.parametrize("kept", range(7))
def test_a_list_that_lost_lines_is_refused(tmp_path, kept):
    """Empty, or cut off after any line: what it must list is known."""
    folder = tmp_path / "model"
    add(folder)
    sums = folder / "1" / layout.CHECKSUMS
    lines = sums.read_text().splitlines(keepends=True)
    assert len(lines) == 7
    sums.write_text("".join(lines[:kept]))
    with pytest.raises(ValueError, match=r"is not listed\. Received: .*SHA256SUMS"):
        layout.check_checksums(folder / "1")
    sums.write_text("".join(lines[:kept] + lines[kept + 1 :]))
    with pytest.raises(ValueError, match=r"is not listed\. Received: .*SHA256SUMS"):
        layout.check_checksums(folder / "1")
    sums.write_text("".join(lines))
    (folder / "1" / "notes.txt").write_text("of the user's")
    layout.check_checksums(folder / "1")


def test_a_missing_variables_folder_is_noticed(tmp_path):
    folder = tmp_path / "model"
    add(folder)
    shutil.rmtree(folder / "1" / "variables")
    layout.write_checksums(folder / "1")
    with pytest.raises(ValueError, match=r"variables\.index is not listed"):
        layout.check_checksums(folder / "1")


@pytest.mark.parametrize("name", ["", "a/b", "..", "-x", "12", "a b", None])
def test_names_that_are_no_folders_are_refused(name):
    with pytest.raises(ValueError, match="A published model's name"):
        layout.check_name(name)
