import keras
import numpy as np
import pytest

from keras_regnet.training import Trainer, checkpoints
from keras_regnet.training.callbacks import Callbacks
from keras_regnet.training.metrics import MetricsFile
from keras_regnet.training.run_directory import RunDirectory
from tests import fork_server
from tests.training import toys


def groups(*values, dtype="float32"):
    return {"model": [keras.Variable(value, dtype=dtype) for value in values]}


def write(folder, step, variables, extra):
    snapshot = checkpoints.take_snapshot(step, variables, extra)
    return checkpoints.write_checkpoint(folder, snapshot)


def restore(folder, variables):
    path, description, arrays = checkpoints.read_newest(folder)
    checkpoints.assign(path, description, arrays, variables)
    return description["step"], description["extra"]


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "int64", "uint32"])
def test_round_trip(tmp_path, dtype):
    before, after = (
        groups(np.arange(6).reshape(2, 3), 7, dtype=dtype),
        groups(np.zeros((2, 3)), 0, dtype=dtype),
    )
    write(tmp_path, 3, before, {"history": [0.1 + 0.2]})
    assert restore(tmp_path, after) == (3, {"history": [0.1 + 0.2]})
    for a, b in zip(before["model"], after["model"], strict=True):
        assert (a.numpy() == b.numpy()).all()


def test_the_last_two_are_kept(tmp_path):
    for step in (1, 2, 10, 11):
        write(tmp_path, step, groups(step), {})
    names = [path.name for path in checkpoints.list_checkpoints(tmp_path)]
    assert names == ["step-000000010.npz", "step-000000011.npz"]
    assert len(list(tmp_path.iterdir())) == 2


def cut(data):
    return data[: len(data) // 2]


def flip_a_bit(data):
    middle = data.index(b"NUMPY") + 200
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize("damage", [cut, flip_a_bit, lambda data: b""])
def test_a_damaged_newest_is_passed_over_with_a_warning(tmp_path, damage):
    values = np.arange(1000.0)
    for step in (1, 2):
        newest = write(tmp_path, step, groups(values), {})
    newest.write_bytes(damage(newest.read_bytes()))
    restored = groups(np.zeros(1000))
    with pytest.warns(UserWarning, match=r"step-000000002\.npz cannot be read"):
        assert restore(tmp_path, restored) == (1, {})
    np.testing.assert_array_equal(restored["model"][0], values)


def test_a_stated_checksum_is_verified(tmp_path):
    path = write(tmp_path, 1, groups(1.0), {})
    with np.load(path) as file:
        parts = dict(file)
    parts["model/00000"] = np.float32(2.0)  # a whole file with another content
    np.savez(path, **parts)
    with pytest.raises(checkpoints.DamagedCheckpointError, match="checksum"):
        checkpoints.read_checkpoint(path)


def test_training_goes_on_from_the_one_before_a_damaged_one(tmp_path):
    def trainer(**arguments):
        return Trainer(
            toys.network(dropout=0.2),
            toys.train(),
            toys.validation(),
            toys.config(),
            tmp_path,
            save_models=False,
            verbose=0,
            **arguments,
        )

    whole = trainer().train()
    newest = tmp_path / "checkpoints" / "step-000000024.npz"
    newest.write_bytes(cut(newest.read_bytes()))
    with pytest.warns(UserWarning, match="step-000000024"):
        result = trainer(resume=True).train()
    assert toys.numbers(result) == toys.numbers(whole)


@pytest.mark.parametrize("other", [(1.0, 2.0), (np.ones(3),)])
def test_another_network_is_refused(tmp_path, other):
    write(tmp_path, 1, groups(np.ones(2)), {})
    with pytest.raises(ValueError, match="another network"):
        restore(tmp_path, groups(*other))


def test_counters_in_automatic_names_do_not_matter(tmp_path):
    first, second, other = (
        {"model": keras.layers.Dense(2, name=name)} for name in ("d_1", "d_2", "e_1")
    )
    for each in (first, second, other):
        each["model"].build((None, 2))
        each["model"] = each["model"].variables
    write(tmp_path, 1, first, {})
    restore(tmp_path, second)
    with pytest.raises(ValueError, match="d_1/kernel"):
        restore(tmp_path, other)


def test_a_damaged_one_is_set_aside_and_displaces_no_good_one(tmp_path):
    for step in (1, 2):
        newest = write(tmp_path, step, groups(1.0), {})
    newest.write_bytes(cut(newest.read_bytes()))
    (tmp_path / "step-000000009.npz").write_bytes(b"")
    with pytest.warns(UserWarning, match="cannot be read"):
        assert restore(tmp_path, groups(0.0)) == (1, {})
    write(tmp_path, 3, groups(1.0), {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-000000001.npz",
        "step-000000002.npz.damaged",
        "step-000000003.npz",
        "step-000000009.npz.damaged",
    ]


def test_what_is_just_written_stays_whatever_else_is_there(tmp_path):
    for step in (8, 9, 1):
        path = write(tmp_path, step, groups(1.0), {})
    assert path.name == "step-000000001.npz"
    assert path.exists()


def test_nothing_readable_is_not_a_new_run(tmp_path):
    for step in (1, 2):
        path = write(tmp_path, step, groups(1.0), {})
        path.write_bytes(cut(path.read_bytes()))
    before = sorted(tmp_path.iterdir())
    for _ in range(2):
        with (
            pytest.warns(UserWarning, match="cannot be read"),
            pytest.raises(ValueError, match=r"anew, remove.*Received: .*000000002"),
        ):
            checkpoints.read_newest(tmp_path)
        assert sorted(tmp_path.iterdir()) == before


def test_the_best_is_a_checkpoint_too(tmp_path):
    for step in (1, 2):
        snapshot = checkpoints.take_snapshot(step, groups(float(step)), {})
        checkpoints.write_checkpoint(tmp_path, snapshot, best=step == 2)
    newest = tmp_path / "step-000000002.npz"
    newest.write_bytes(b"")
    with pytest.warns(UserWarning, match="cannot be read"):
        assert restore(tmp_path, groups(0.0)) == (2, {})


@pytest.mark.parametrize("error", [PermissionError(13, "Denied"), OSError(5, "I/O")])
def test_what_may_not_be_read_is_not_damaged(tmp_path, monkeypatch, error):
    write(tmp_path, 1, groups(1.0), {})

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(np, "load", fail)
    with pytest.raises(type(error), match=r"Cannot read .*step-000000001\.npz"):
        checkpoints.read_newest(tmp_path)


@pytest.mark.parametrize("damage", ["absent", "older", "cut"])
def test_the_best_is_right_after_a_kill_before_its_copy(tmp_path, damage):
    def trainer(**fields):
        return Trainer(
            toys.network(),
            toys.train(),
            toys.validation(),
            toys.config(epochs=1, warmup_epochs=0, **fields),
            tmp_path,
            resume=True,
            save_models=False,
            verbose=0,
        )

    trainer().train()
    best = tmp_path / "checkpoints" / "best.npz"
    newest = tmp_path / "checkpoints" / "step-000000006.npz"
    if damage == "absent":
        best.unlink()
    elif damage == "older":
        write(tmp_path, 3, groups(1.0), {}).rename(best)
    else:
        best.write_bytes(cut(best.read_bytes()))
    (tmp_path / "result.json").unlink()
    keeper = trainer().keeper
    if damage == "cut":
        with pytest.warns(UserWarning, match="made anew"):
            keeper.restore()
    else:
        keeper.restore()
    assert best.read_bytes() == newest.read_bytes()


HOLDS = """
import sys, time
from keras_regnet.training.run_directory import RunDirectory
run = RunDirectory(sys.argv[1])
run.open({}, {}, True)
print("held", flush=True)
time.sleep(60)
"""


def test_one_process_at_a_time_has_a_run_directory(tmp_path):
    other = fork_server.start(["-c", HOLDS, tmp_path])
    try:
        assert other.stdout.readline() == "held\n"
        half = tmp_path / "checkpoints" / ".step-000000009.1.tmp.npz"
        half.touch()
        with pytest.raises(ValueError, match=rf"Another.*held by process {other.pid} "):
            RunDirectory(tmp_path).open({}, {}, True)
        assert half.exists()
    finally:
        other.kill()  # what it held is free without more ado
        other.wait()
    RunDirectory(tmp_path).open({}, {}, True)
    assert not half.exists()


def test_one_trainer_at_a_time_trains_in_a_run_directory(tmp_path):
    first, second = RunDirectory(tmp_path), RunDirectory(tmp_path)
    first.open({}, {}, True)
    second.open({}, {}, True)  # the first one was never used
    with first.training():
        for work in (lambda: second.open({}, {}, True), second.training().__enter__):
            with pytest.raises(ValueError, match="run directory"):
                work()
    with second.training():
        pass


@pytest.mark.parametrize("path", ["gs://bucket/run", "s3://bucket/run", "ram://run"])
def test_a_remote_run_directory_is_refused(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"Received: run_dir='{path}'"):
        RunDirectory(path).open({}, {}, False)
    assert not list(tmp_path.iterdir())


def test_keras_callbacks_go_on_with_what_they_remember(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise InterruptedError

    def trainer(*more):
        callbacks = [
            keras.callbacks.ModelCheckpoint(
                str(tmp_path / f"{name}.keras"), name, save_best_only=True
            )
            for name in ("val_loss", "loss")
        ]
        run = Trainer(
            toys.network(),
            toys.train(),
            toys.validation(),
            toys.config(checkpoint_every_epochs=1),
            tmp_path / "run",
            callbacks=[*callbacks, *more],
            resume=True,
            save_models=False,
            verbose=0,
        )
        return run, callbacks

    run, before = trainer(Stop())
    with pytest.raises(InterruptedError):
        run.train()
    run, after = trainer(Stop())  # again before an epoch has ended
    with pytest.raises(InterruptedError):
        run.train()
    assert [each.best for each in after] == [each.best for each in before]
    assert np.isfinite([each.best for each in after]).all()
    forgetful = keras.callbacks.EarlyStopping(restore_best_weights=True)
    callbacks = Callbacks([forgetful], toys.network(), None, 1, 1)
    with pytest.raises(ValueError, match="restore_best_weights=True"):
        callbacks.begin([["EarlyStopping", {"best": 0.5}]])


def test_an_epoch_that_is_judged_again_stands_once_in_the_metrics(tmp_path):
    file = MetricsFile(tmp_path / "metrics.jsonl")
    for kind, epoch, step in [("step", 1, 6), ("epoch", 1, 6), ("epoch", 2, 12)]:
        file.add({"kind": kind, "epoch": epoch, "step": step})
    file.go_on(12, 1)  # killed between the judgement and the checkpoint
    assert [row["epoch"] for row in file.read() if row["kind"] == "epoch"] == [1]


def test_the_best_alone_is_gone_on_from_and_not_begun_anew(tmp_path):
    snapshot = checkpoints.take_snapshot(2, groups(2.0), {})
    checkpoints.write_checkpoint(tmp_path, snapshot, best=True).unlink()
    assert restore(tmp_path, groups(0.0)) == (2, {})
    best = tmp_path / "best.npz"
    best.write_bytes(cut(best.read_bytes()))
    with (
        pytest.warns(UserWarning, match="cannot be read"),
        pytest.raises(ValueError, match=r"anew, remove.*Received: .*best\.npz"),
    ):
        checkpoints.read_newest(tmp_path)
    assert best.exists()
