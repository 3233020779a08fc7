"""The study's file: what it refuses, and what it keeps through any kill."""

import os
import random
import signal
import sqlite3
from functools import partial
from pathlib import Path

import pytest

from keras_regnet.design_space import database
from keras_regnet.design_space.population import work_through
from keras_regnet.design_space.study import Study
from keras_regnet.design_space.study_file import StudyFile
from tests.design_space.fakes import FakePool, result
from tests.design_space.tiny_study import add, networks, regime


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.sqlite"


def damage(path, sql):
    with sqlite3.connect(path) as connection:
        connection.execute(sql)
    connection.close()


def test_networks_are_written_once(path):
    with Study.open(path, regime()) as study:
        assert add(study, 3) == 3
        assert add(study, 3) == 0
        assert add(study, 5) == 2  # the same sampling, more of it
        records = study.records()
    assert [record.id for record in records] == [1, 2, 3, 4, 5]
    assert [record.position for record in records] == [0, 1, 2, 3, 4]
    assert {record.status for record in records} == {"waiting"}
    # By hand: 8 x 8 x 8 x 9 of the stem, and so on; as counted for the built model.
    assert records[0].parameters == 2802


def test_each_network_once_per_seed(path):
    with Study.open(path, regime()) as study:
        add(study, 2, seeds=(0, 1))
        found = [(r.network, r.seed) for r in study.records()]
    assert [seed for _, seed in found] == [0, 1, 0, 1]
    assert found[0][0] == found[1][0] != found[2][0]


def test_spaces_advance_together(path):
    with Study.open(path, regime()) as study:
        add(study, 3, "A")
        add(study, 2, "B")
        taken = [study.begin() for _ in range(5)]
        assert study.begin() is None
    assert [(r.space, r.position) for r in taken] == [
        ("A", 0),
        ("B", 0),
        ("A", 1),
        ("B", 1),
        ("A", 2),
    ]


def test_other_networks_of_the_same_space_are_refused(path):
    with Study.open(path, regime()) as study:
        add(study, 2)
        with pytest.raises(ValueError, match=r"seed: 0 before, 1 now"):
            study.add(
                "A",
                networks(2),
                {"seed": 1, "space": "A"},
                input_shape=(8, 8, 1),
                classes=10,
            )
        with pytest.raises(ValueError, match="another network at place 0 of the space"):
            add(study, 2, first=1)
        with pytest.raises(ValueError, match=r"must differ.*with repetitions"):
            add(study, 2, "B", seeds=(0, 0))
        assert len(study.records()) == 2


def test_another_regime_is_refused(path):
    with Study.open(path, regime()):
        pass
    with pytest.raises(ValueError, match=r"another regime.*epochs: 2 before, 3 now$"):
        Study.open(path, regime(epochs=3))
    with Study.open(path, regime(data_dir="/elsewhere")) as study:
        assert study.regime == regime()


def test_other_images_are_refused(path):
    with Study.open(path, regime()) as study:
        study.check_images({"digest": "a", "shape": [8, 8, 1]})
        study.check_images({"digest": "a", "shape": [8, 8, 1]})
        with pytest.raises(ValueError, match=r"other images.*digest: 'a' before"):
            study.check_images({"digest": "b", "shape": [8, 8, 1]})


def test_one_process_writes_and_others_look(path):
    with Study.open(path, regime()) as study:
        add(study, 1)
        told = f"Another process is training.*held by process {os.getpid()} on"
        with pytest.raises(ValueError, match=told):
            Study.open(path, regime())
        study.begin()
        with StudyFile.read(path) as other:
            assert other.records()[0].status == "running"
    with Study.open(path, regime()):
        pass


def test_what_was_running_waits_again(path):
    with Study.open(path, regime()) as study:
        add(study, 2)
        assert study.begin().attempts == 0
    with Study.open(path, regime()) as study:
        record = study.records()[0]
        assert (record.status, record.attempts) == ("waiting", 0)


def test_only_a_running_network_can_end(path):
    with Study.open(path, regime()) as study:
        add(study, 1)
        with pytest.raises(ValueError, match=r"no network of this number.*Received: 1"):
            study.finish(1, result(1), "w")
        study.begin()
        study.finish(1, result(1), "w")
        with pytest.raises(ValueError, match="no network of this number"):
            study.fail(1, "twice", "w")
        (record,) = study.records()
    assert (record.status, record.errors, record.error) == ("done", (0.9, 0.25), 0.25)
    assert record.seconds == {"training": 1.5, "judging": 0.25}


def test_there_is_no_such_study(path):
    with pytest.raises(FileNotFoundError, match="There is no study"):
        StudyFile.read(path)
    path.touch()
    with pytest.raises(ValueError, match="is no study"):
        StudyFile.read(path)


@pytest.mark.parametrize("opened", [lambda p: Study.open(p, regime()), StudyFile.read])
def test_damaged_files_are_refused(path, opened):
    path.write_bytes(b"not a data base at all, but long enough to look at" * 20)
    with pytest.raises(ValueError, match=r"is damaged, or no study.*Received: file is"):
        opened(path)
    path.unlink()
    with Study.open(path, regime()) as study:
        add(study, 300)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8192] = os.urandom(8192)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged, or no study"):
        opened(path)


@pytest.mark.parametrize("opened", [lambda p: Study.open(p, regime()), StudyFile.read])
def test_other_files_are_refused(path, opened):
    with Study.open(path, regime()):
        pass
    damage(path, f"PRAGMA user_version = {database.FORMAT + 1}")
    with pytest.raises(ValueError, match=r"later version.*Received: format 2"):
        opened(path)
    path.unlink()
    damage(path, "CREATE TABLE other (x)")
    with pytest.raises(ValueError, match="SQLite file, but no study"):
        opened(path)


def test_a_full_disk_loses_nothing(path):
    with Study.open(path, regime()) as study:
        add(study, 3)
        work_through(study, FakePool(1))
        add(study, 100, "B")
        pages = study._connection.execute("PRAGMA page_count").fetchone()[0]
        study._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(OSError, match=r"disk or quota is full.*same command again"):
            work_through(study, FakePool(2))
        done = [r for r in study.records() if r.status == "done"]
    assert [r.errors for r in done[:3]] == [result(i).errors for i in (1, 2, 3)]
    with Study.open(path, regime()) as study:
        assert not study.records(status="running")
        assert study.records(status="done") == done
        work_through(study, FakePool(2))
        assert len(study.records(status="done")) == 103


@pytest.mark.parametrize("left", ["closed", "killed"])
def test_reading_needs_no_right_to_write(path, monkeypatch, left):
    with Study.open(path, regime()) as study:
        add(study, 3)
        if left == "killed":  # with all of it in the log alone
            log = path.with_name(f"{path.name}-wal")
            parts = path.read_bytes(), log.read_bytes()
    if left == "killed":
        path.write_bytes(parts[0])
        log.write_bytes(parts[1])
    before = {p.name: p.read_bytes() for p in path.parent.iterdir()}
    # What SQLite says where it may not write, which a superuser always may.
    real = database._open

    def refused(where, mode="rwc"):
        if where != path:
            return real(where, mode)
        assert mode == "ro"
        return real(path.parent / "absent", "ro")

    monkeypatch.setattr(database, "_open", refused)
    with StudyFile.read(path) as study:
        assert len(study.records()) == 3
    assert {p.name: p.read_bytes() for p in path.parent.iterdir()} == before


@pytest.mark.parametrize("name", ["gs://bucket/a.study", "ram://a"])
def test_a_remote_study_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for opened in (StudyFile.read, partial(Study.open, regime=regime())):
        with pytest.raises(ValueError, match=f"Received: study='{name}'"):
            opened(name)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"Cannot write .*file/study.sqlite.lock"):
        Study.open(tmp_path / "file" / "study.sqlite", regime())


def killed(work):
    """Runs `work` in a process of its own; returns whether it was killed."""
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or not os.waitstatus_to_exitcode(status)
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))]
)
def test_killed_at_any_instruction(path, seed):
    """SIGKILL in the middle of SQLite's own work, again and again."""
    count, kills, most = 40, 0, 1500  # a whole run has some 3900
    rng = random.Random(seed)

    def work(left):
        def third_instruction():
            nonlocal left
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

        with Study.open(path, regime()) as study:
            study._connection.set_progress_handler(third_instruction, 3)
            add(study, count)
            work_through(study, FakePool(3, dies={5: 1}, fails={7: "too wide"}))

    def seen():
        with StudyFile.read(path) as study:
            return {r.id: r for r in study.records(status="done")}

    before = {}
    # Drawn here: what a child draws does not move the parent's generator.
    while killed(partial(work, rng.randrange(1, most))):
        kills += 1
        assert kills < 200
        if Path(path).stat().st_size:
            try:
                now = seen()
            except ValueError as error:  # killed before the first record
                assert not before
                assert "Nothing was written" in str(error) or "empty" in str(error)
                continue
            assert before.items() <= now.items()
            before = now
    assert kills >= 4
    with StudyFile.read(path) as study:
        records = study.records()
    assert [r.id for r in records] == list(range(1, count + 1))
    assert len({(r.network, r.seed) for r in records}) == count
    for record in records:
        if record.id == 7:
            assert (record.status, record.reason) == ("failed", "too wide")
        else:
            assert record.errors == result(record.id).errors
