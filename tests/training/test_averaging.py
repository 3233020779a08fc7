import keras
import numpy as np
import pytest

from keras_regnet.training import Trainer
from keras_regnet.training.averaging import average_rates
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
    np.testing.assert_allclose(average_rates(config, 1, 5), [0.1, 0, 0.1, 0, 0.1])
    plain = toys.config(ema_decay=0.9)
    np.testing.assert_allclose(average_rates(plain, 0, 3), [1, 0.1, 0.1])
    assert not average_rates(toys.config(), 1, 3).any()


class Recorder(keras.callbacks.Callback):
    """Averages by itself what it sees after every step."""

    def __init__(self, decay):
        super().__init__()
        self.decay = decay
        self.averages = None

    def on_train_batch_end(self, batch, logs=None):
        values = [v.numpy() for v in self.model.weights]
        if self.averages is None:
            self.averages = values
        for average, value in zip(self.averages, values, strict=True):
            average += (1 - self.decay) * (value - average)


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
        outputs = network.predict(images, verbose=0)
        right = (outputs.argmax(-1) == labels).mean()
        assert result.final[f"{name}_accuracy"] == right
        losses = keras.losses.sparse_categorical_crossentropy(labels, outputs, True)
        assert result.final[f"{name}_loss"] == pytest.approx(float(np.mean(losses)))
    assert result.final["ema_validation_loss"] != result.final["validation_loss"]
