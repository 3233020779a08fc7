"""Runs that are stopped in the middle of an epoch, and go on."""

import signal
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.training import TerminatedError, Trainer
from keras_regnet.training.epoch import NonFiniteLossError
from keras_regnet.training.metrics import MetricsFile
from tests.training import toys


class Raise(keras.callbacks.Callback):
    """Sends a signal to the process after so many steps."""

    def __init__(self, number, after):
        super().__init__()
        self.number, self.after = number, after

    def on_train_batch_end(self, batch, logs=None):
        self.after -= 1
        if self.after == 0:
            signal.raise_signal(self.number)


class RaiseInTest(Raise):
    on_train_batch_end = keras.callbacks.Callback.on_train_batch_end

    def on_test_begin(self, logs=None):
        super().on_train_batch_end(0)


def trainer(run_dir, callbacks=(), seed=0, save_models=True, **fields):
    fields = {"log_every_steps": 2, "ema_decay": 0.9, "precise_bn_images": 32} | fields
    return Trainer(
        toys.network(dropout=0.2, seed=seed),
        toys.train(),
        toys.validation(),
        toys.config(**fields),
        run_dir,
        verbose=0,
        callbacks=callbacks,
        save_models=save_models,
        resume=True,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole")
    return path, trainer(path).train()


@pytest.mark.long
@pytest.mark.parametrize(
    ("callback", "error", "step"),
    [
        (Raise(signal.SIGINT, 15), KeyboardInterrupt, 15),  # of 24
        (Raise(signal.SIGTERM, 12), TerminatedError, 12),  # the last of an epoch
        (RaiseInTest(signal.SIGTERM, 3), TerminatedError, 18),
    ],
)
def test_a_signal_leaves_a_checkpoint(tmp_path, whole, callback, error, step):
    with pytest.raises(error):
        trainer(tmp_path, [callback]).train()
    newest = sorted((tmp_path / "checkpoints").glob("step-*.npz"))[-1]
    assert int(newest.stem[5:]) == step
    result = trainer(tmp_path, seed=7).train()
    assert_same_run(whole, tmp_path, result)


def assert_same_run(whole, run_dir, result):
    assert toys.numbers(result) == toys.numbers(whole[1])
    mine, theirs = (
        MetricsFile(p / "metrics.jsonl").read() for p in (run_dir, whole[0])
    )
    timing = ("seconds", "images_per_second", "data_wait")
    rows = [
        [{k: v for k, v in row.items() if not k.endswith(timing)} for row in each]
        for each in (mine, theirs)
    ]
    assert rows[0] == rows[1]
    steps = [row["step"] for row in mine if row["kind"] == "step"]
    assert steps == list(range(2, 25, 2))
    for name in ("model.keras", "model_raw.keras"):
        networks = [keras.saving.load_model(p / name) for p in (run_dir, whole[0])]
        for a, b in zip(*(network.weights for network in networks), strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_checkpoints_by_steps_and_by_the_clock(tmp_path, monkeypatch):
    written = []
    from keras_regnet.training import checkpoint_writer

    original = checkpoint_writer.write_checkpoint

    def write(folder, snapshot, keep, best):
        written.append(snapshot.step)
        return original(folder, snapshot, keep, best)

    monkeypatch.setattr(checkpoint_writer, "write_checkpoint", write)
    trainer(
        tmp_path / "steps",
        save_models=False,
        epochs=1,
        warmup_epochs=0,
        checkpoint_every_steps=4,
        keep_checkpoints=1,
    ).train()
    assert written == [4, 6]
    left = sorted(p.name for p in (tmp_path / "steps" / "checkpoints").iterdir())
    assert left == ["best.npz", "step-000000006.npz"]
    written.clear()
    trainer(
        tmp_path / "clock",
        save_models=False,
        epochs=1,
        warmup_epochs=0,
        checkpoint_every_minutes=1e-6,
        log_every_steps=1,
    ).train()
    assert written == [1, 2, 3, 4, 5, 6]


def test_rows_after_the_checkpoint_and_half_a_line_are_dropped(tmp_path):
    file = MetricsFile(tmp_path / "metrics.jsonl")
    file.add(*({"kind": "step", "step": step} for step in (1, 2, 3)))
    with open(file.path, "a") as stream:
        stream.write('{"kind": "st')
    file.go_on(2, 0)
    assert [row["step"] for row in file.read()] == [1, 2]
    file.add({"kind": "step", "step": 3})
    assert [row["step"] for row in file.read()] == [1, 2, 3]


def test_the_best_epoch_is_kept(tmp_path):
    """The last epoch is spoilt on purpose."""

    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 3:
                kernel = self.model.trainable_variables[-2]
                kernel.assign(-kernel * 50)

    result = trainer(
        tmp_path, [Spoil()], ema_decay=0.0, precise_bn_images=0, learning_rate=1e-3
    ).train()
    best = max(result.history, key=lambda row: row["validation_accuracy"])
    assert best["epoch"] < 4
    images, labels = toys.arrays(50, seed=1)
    outputs = keras.saving.load_model(tmp_path / "best.keras").predict(
        images, verbose=0
    )
    assert (outputs.argmax(-1) == labels).mean() == best["validation_accuracy"]
    last = keras.saving.load_model(tmp_path / "model.keras").predict(images, verbose=0)
    assert (last.argmax(-1) == labels).mean() == result.final["validation_accuracy"]


def test_no_checkpoint_of_what_is_not_finite(tmp_path):
    class Poison(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 5:
                self.model.trainable_variables[0].assign_add(
                    tf.fill(self.model.trainable_variables[0].shape, float("nan"))
                )

    with pytest.raises(NonFiniteLossError, match="kernel is not finite after"):
        Trainer(
            toys.network(),
            toys.train(),
            None,
            toys.config(),
            tmp_path,
            callbacks=[Poison()],
            verbose=0,
        ).train()
    assert not list((tmp_path / "checkpoints").iterdir())


def test_a_checkpoint_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(
        "keras_regnet.training.checkpoint_writer.write_checkpoint", full
    )
    with pytest.raises(OSError, match=r"Cannot write .*checkpoints: .*full"):
        trainer(tmp_path).train()


def test_slow_data_are_seen(tmp_path):
    def slow(epoch):
        def wait(images, labels):
            def sleep(labels):
                time.sleep(0.05)
                return labels

            return images, tf.ensure_shape(
                tf.numpy_function(sleep, [labels], tf.int32), labels.shape
            )

        return toys.train()(epoch).map(wait)

    def last_row(data, folder):
        return (
            Trainer(
                toys.network(),
                data,
                None,
                toys.config(epochs=2),
                folder,
                save_models=False,
                verbose=0,
            )
            .train()
            .final
        )

    slow_row = last_row(slow, tmp_path / "slow")
    quick_row = last_row(toys.train(), tmp_path / "quick")
    assert slow_row["data_wait"] > 0.5
    waited = [row["data_wait"] * row["seconds"] for row in (slow_row, quick_row)]
    assert waited[0] > 6 * 0.05 / 2 > waited[1]
