import keras
import numpy as np
import pytest

from keras_regnet.training import Trainer, checkpoints
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
    def trainer(name, **arguments):
        return Trainer(
            toys.network(dropout=0.2),
            toys.train(),
            toys.validation(),
            toys.config(),
            tmp_path / name,
            verbose=0,
            **arguments,
        )

    whole = trainer("whole").train()
    trainer("damaged").train()
    newest = tmp_path / "damaged" / "checkpoints" / "step-000000024.npz"
    newest.write_bytes(cut(newest.read_bytes()))
    with pytest.warns(UserWarning, match="step-000000024"):
        result = trainer("damaged", resume=True).train()
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
