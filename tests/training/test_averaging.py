import keras
import numpy as np
import pytest

from keras_regnet.training import Trainer, outputs
from keras_regnet.training.averaging import average_rates
from keras_regnet.training.state import RunState
from tests.training import toys


def test_rates():
    config = toys.config(
        epochs=3,
        warmup_epochs=1,
        ema_decay=0.9,
        ema_every_steps=2,
        ema_copies_in_warmup=True,
    )
    np.testing.assert_allclose(average_rates(config, 0, 5), [1, 0, 1, 0, 1])
    after = [9 / 11, 0, 9 / 12, 0, 9 / 13]  # 1 - (1 + n) / (10 + n)
    np.testing.assert_allclose(average_rates(config, 1, 5), after)
    np.testing.assert_allclose(average_rates(config, 40, 5), [0.1, 0, 0.1, 0, 0.1])
    plain = toys.config(ema_decay=0.9)
    np.testing.assert_allclose(average_rates(plain, 0, 3), [1, 9 / 11, 9 / 12])
    np.testing.assert_allclose(average_rates(plain, 1, 3), [9 / 13, 9 / 14, 9 / 15])
    # As it was, for runs that began so.
    np.testing.assert_allclose(average_rates(plain, 0, 3, False), [1, 0.1, 0.1])
    old = average_rates(config, 1, 5, False)
    np.testing.assert_allclose(old, [0.1, 0, 0.1, 0, 0.1])
    assert not average_rates(toys.config(), 1, 3).any()


def test_an_old_run_goes_on_without_warm_up():
    state = RunState(epoch=2).to_dict()
    assert RunState.from_dict(state).averages_warm_up
    del state["averages_warm_up"]
    assert not RunState.from_dict(state).averages_warm_up


def test_averages_of_a_short_run_are_not_its_first_weights(tmp_path):
    model = toys.network(dtype="float64")
    data = toys.train(dtype="float64"), toys.validation(dtype="float64")
    config = toys.config(epochs=8, ema_decay=0.9999)
    result = Trainer(
        model, *data, config, tmp_path, save_models=False, verbose=0
    ).train()
    row = result.final
    assert row["ema_validation_accuracy"] > row["validation_accuracy"] - 0.1


def test_worse_averages_are_told(recwarn):
    row = {"epoch": 3, "validation_accuracy": 0.5, "ema_validation_accuracy": 0.5}
    outputs._warn_of_worse_averages("model.keras", row)
    assert not recwarn.list
    row["ema_validation_accuracy"] = 0.25
    with pytest.warns(
        UserWarning, match=r"averaged.*epoch 3 was 0\.2500.*0\.5000.*raw"
    ):
        outputs._warn_of_worse_averages("model.keras", row)


class Recorder(keras.callbacks.Callback):
    """Averages by itself what it sees after every step."""

    def __init__(self, decay):
        super().__init__()
        self.decay = decay
        self.averages = None
        self.seen = 0

    def on_train_batch_end(self, batch, logs=None):
        values = [v.numpy() for v in self.model.weights]
        if self.averages is None:
            self.averages = values
        decay = min(self.decay, (1 + self.seen) / (10 + self.seen))
        self.seen += 1
        for average, value in zip(self.averages, values, strict=True):
            average += (1 - decay) * (value - average)


@pytest.mark.parametrize("steps_per_execution", [1, 4])
def test_weights_and_statistics_are_averaged_and_judged(tmp_path, steps_per_execution):
    def trainer(name, **fields):
        model = toys.network(dtype="float64")
        recorder = Recorder(0.8)
        return (
            model,
            recorder,
            Trainer(
                model,
                toys.train(dtype="float64"),
                toys.validation(dtype="float64"),
                toys.config(ema_decay=0.8, **fields),
                tmp_path / name,
                verbose=0,
                callbacks=[recorder] if steps_per_execution == 1 else [],
            ),
        )

    model, recorder, run = trainer("run", steps_per_execution=steps_per_execution)
    result = run.train()
    averaged = keras.saving.load_model(tmp_path / "run" / "model.keras")
    raw = keras.saving.load_model(tmp_path / "run" / "model_raw.keras")
    for mine, theirs in zip(raw.weights, model.weights, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
    names = {v.path.rpartition("/")[2] for v in averaged.weights}
    assert {"kernel", "gamma", "moving_variance"} <= names
    if steps_per_execution == 1:
        for mine, expected in zip(averaged.weights, recorder.averages, strict=True):
            np.testing.assert_allclose(mine.numpy(), expected, rtol=1e-6, atol=1e-9)
    images, labels = toys.arrays(50, seed=1, dtype="float64")
    for network, name in ((averaged, "ema_validation"), (raw, "validation")):
        predicted = network.predict(images, verbose=0)
        right = (predicted.argmax(-1) == labels).mean()
        assert result.final[f"{name}_accuracy"] == right
        losses = keras.losses.sparse_categorical_crossentropy(labels, predicted, True)
        assert result.final[f"{name}_loss"] == pytest.approx(float(np.mean(losses)))
    assert result.final["ema_validation_loss"] != result.final["validation_loss"]
