import csv

import keras
import pytest

from keras_regnet.training import Trainer
from tests.training import toys


def train(run_dir, callbacks, resume=False, save_models=False, **fields):
    model = toys.network()
    trainer = Trainer(
        model,
        toys.train(),
        toys.validation(),
        toys.config(**fields),
        run_dir,
        callbacks=callbacks,
        resume=resume,
        save_models=save_models,
        verbose=0,
    )
    return model, trainer.train()


class Calls(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []
        self.rates = []

    def on_train_begin(self, logs=None):
        self.seen.append("train")

    def on_epoch_begin(self, epoch, logs=None):
        self.seen.append(f"epoch {epoch}")

    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append(f"begin {batch}")

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(f"end {batch}")
        assert set(logs) == {"loss", "accuracy"}

    def on_test_begin(self, logs=None):
        self.seen.append("test")

    def on_test_end(self, logs=None):
        assert "val_loss" in logs

    def on_epoch_end(self, epoch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate))
        assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(logs)

    def on_train_end(self, logs=None):
        self.seen.append("done")


def test_are_called_as_fit_calls_them(tmp_path):
    calls = Calls()
    model, result = train(tmp_path, [calls], epochs=2)
    steps = [f"{word} {step}" for step in range(6) for word in ("begin", "end")]
    epochs = [["epoch 0", *steps, "test"], ["epoch 1", *steps, "test"]]
    assert calls.seen == ["train", *epochs[0], *epochs[1], "done"]
    rates = [row["learning_rate"] for row in result.history]
    assert calls.rates == pytest.approx(rates)
    assert not hasattr(model, "optimizer")


def test_early_stopping_ends_the_run_for_good(tmp_path):
    stop = keras.callbacks.EarlyStopping("val_loss", patience=0, min_delta=100)
    _, result = train(tmp_path, [stop], save_models=True, epochs=4)
    assert len(result.history) == 2
    assert (tmp_path / "model.keras").is_file()
    _, again = train(tmp_path, [], resume=True, epochs=4)
    assert again.history == result.history


def test_keras_own(tmp_path):
    callbacks = [
        keras.callbacks.CSVLogger(tmp_path / "keras.csv"),
        keras.callbacks.TensorBoard(tmp_path / "board"),
        keras.callbacks.ModelCheckpoint(
            tmp_path / "{epoch}.weights.h5", save_weights_only=True
        ),
        keras.callbacks.ProgbarLogger(),
        keras.callbacks.TerminateOnNaN(),
    ]
    _, result = train(tmp_path / "run", callbacks, epochs=2)
    with open(tmp_path / "keras.csv") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val_loss"]) for row in rows] == [
        row["validation_loss"] for row in result.history
    ]
    assert (tmp_path / "2.weights.h5").is_file()
    assert list((tmp_path / "board").rglob("events*"))


def test_hooks_given_to_a_lambda_callback_are_called(tmp_path):
    """They are attributes of the object, not of its class."""
    hooks = (
        "train_begin",
        "train_end",
        "epoch_begin",
        "epoch_end",
        "train_batch_begin",
        "train_batch_end",
    )
    seen = []
    functions = {
        f"on_{name}": lambda *_, name=name: seen.append(name) for name in hooks
    }
    train(tmp_path, [keras.callbacks.LambdaCallback(**functions)], epochs=1)
    steps = ["train_batch_begin", "train_batch_end"] * 6
    assert seen == ["train_begin", "epoch_begin", *steps, "epoch_end", "train_end"]


def test_batches_of_validation_are_called(tmp_path):
    class Test(keras.callbacks.Callback):
        seen = ()

        def on_test_batch_begin(self, batch, logs=None):
            self.seen += (batch,)

        def on_test_batch_end(self, batch, logs=None):
            self.seen += (logs["loss"],)

        def on_test_end(self, logs=None):
            assert logs["loss"] == logs["val_loss"]

    test = Test()
    _, result = train(tmp_path, [test], epochs=1, warmup_epochs=0, ema_decay=0.9)
    assert test.seen[::2] == (0, 1, 2)  # 20, 20 and 10 images, once
    assert test.seen[-1] == pytest.approx(result.final["validation_loss"])


def test_a_compiled_model_has_its_optimizer_again(tmp_path):
    model = toys.network()
    optimizer = keras.optimizers.SGD(0.1)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    counter = Calls()
    Trainer(
        model,
        toys.train(),
        toys.validation(),
        toys.config(epochs=1, warmup_epochs=0),
        tmp_path,
        callbacks=[counter],
        save_models=False,
        verbose=0,
    ).train()
    assert model.optimizer is optimizer
    model.fit(toys.train()(0), epochs=1, verbose=0)


@pytest.mark.parametrize(
    "callback",
    [
        keras.callbacks.LearningRateScheduler(lambda epoch: 0.1),
        keras.callbacks.ReduceLROnPlateau(),
        keras.callbacks.BackupAndRestore("backup"),
    ],
)
def test_callbacks_without_effect_are_refused(tmp_path, callback):
    with pytest.raises(ValueError, match=f"{type(callback).__name__} has no effect"):
        train(tmp_path, [callback])


def test_others_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"keras\.callbacks\.Callback"):
        train(tmp_path, [print])


@pytest.mark.parametrize("hook", ["on_train_batch_end", "on_epoch_begin"])
def test_a_stop_within_an_epoch_ends_it_there_as_in_fit(tmp_path, hook):
    """Then comes what an epoch ends with: its validation, and its hooks."""

    class Stop(Calls):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if hook == "on_train_batch_end" and batch == 3 and "test" in self.seen:
                self.model.stop_training = True

        def on_epoch_begin(self, epoch, logs=None):
            super().on_epoch_begin(epoch, logs)
            if hook == "on_epoch_begin" and epoch == 1:
                self.model.stop_training = True

    calls = Stop()
    _, result = train(tmp_path, [calls], save_models=True, epochs=4)
    last = 3 if hook == "on_train_batch_end" else 0
    steps = [f"{word} {step}" for step in range(6) for word in ("begin", "end")]
    assert calls.seen == [
        "train",
        "epoch 0",
        *steps,
        "test",
        "epoch 1",
        *steps[: 2 * last + 2],
        "test",
        "done",
    ]

    class InFit(Stop):
        def on_train_batch_end(self, batch, logs=None):
            Stop.on_train_batch_end(self, batch, {"loss": 0, "accuracy": 0})

        on_test_end = keras.callbacks.Callback.on_test_end
        on_epoch_end = keras.callbacks.Callback.on_epoch_end

    fitted = InFit()
    model = toys.network()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(
        toys.train()(0),
        validation_data=toys.validation(),
        epochs=4,
        verbose=0,
        callbacks=[fitted],
    )
    assert calls.seen == fitted.seen
    assert len(result.history) == 2
    assert (tmp_path / "model.keras").is_file()
    _, again = train(tmp_path, [], resume=True, epochs=4)
    assert again.history == result.history


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("append", [False, True])
def test_a_csv_logger_goes_on_in_its_file(tmp_path, append):
    """Without rows twice, and without losing those of other runs."""

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                raise Interrupted

    path, fields = tmp_path / "keras.csv", {"epochs": 4, "checkpoint_every_epochs": 2}
    before = b"epoch,accuracy\r\n7,0.5\r\n"
    if append:
        path.write_bytes(before)

    def logger():
        return keras.callbacks.CSVLogger(path, append=append)

    with pytest.raises(Interrupted):
        train(tmp_path / "run", [logger(), Interrupt()], **fields)
    train(tmp_path / "run", [logger()], resume=True, **fields)
    first = [line.split(b",")[0] for line in path.read_bytes().splitlines()]
    assert first == [b"epoch", *[b"7"] * append, b"0", b"1", b"2", b"3"]


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy", "validation_accuracy"])
def test_early_stopping_stops_at_the_same_epoch_after_a_resume(tmp_path, monitor):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                raise Interrupted

    def stop():
        return keras.callbacks.EarlyStopping(monitor, patience=2, min_delta=0.5)

    whole = stop()
    _, expected = train(tmp_path / "whole", [whole], epochs=7)
    assert len(expected.history) < 7
    with pytest.raises(Interrupted):
        train(tmp_path / "run", [stop(), Interrupt()], epochs=7)
    again = stop()
    _, result = train(tmp_path / "run", [again], resume=True, epochs=7)
    assert toys.numbers(result) == toys.numbers(expected)
    for name in ("wait", "best", "best_epoch", "stopped_epoch", "min_delta"):
        assert getattr(again, name) == getattr(whole, name)
