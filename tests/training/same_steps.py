"""Training runs of a two-stage RegNet whose steps must be the same on any devices.

    python -m tests.training.same_steps RESULT.npz DTYPE STEPS

is a worker of TF_CONFIG; the first one writes what it came to.
"""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import keras_regnet
from keras_regnet.training import Trainer
from keras_regnet.training.consensus import Consensus
from keras_regnet.training.strategies import make_strategy
from tests.training import toys

BATCH = 16
VALIDATION = 57  # in batches of 25: the last one is short


class Recorder(keras.callbacks.Callback):
    """Remembers the loss, the weights and the statistics after every step."""

    def __init__(self):
        super().__init__()
        self.losses, self.weights, self.statistics = [], [], []

    def set_model(self, model):
        super().set_model(model)
        self.weights.append(flat(model.trainable_variables))

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(logs["loss"])
        self.weights.append(flat(self.model.trainable_variables))
        self.statistics.append(flat(self.model.non_trainable_variables))


def flat(variables):
    return np.concatenate([np.ravel(variable.numpy()) for variable in variables])


def sizes(model):
    return [int(np.prod(variable.shape)) for variable in model.trainable_variables]


def run(strategy, folder, dtype, steps, backwards=False):
    """Takes one epoch of steps.

    Args:
        strategy: The strategy.
        folder: For the run directory.
        dtype: Of everything.
        steps: Number of steps.
        backwards: Whether the images of each batch come in reversed order.

    Returns:
        Arrays by name: `losses`, `weights` (before and after each step), `statistics`,
        `sizes` of the weights, and `judged`: accuracy and count of the validation.
    """
    with strategy.scope():
        keras.utils.set_random_seed(0)
        model = keras_regnet.RegNetX(
            depth=2,
            w0=16,
            wa=16,
            wm=2.0,
            group_width=8,
            input_shape=(32, 32, 3),
            classes=toys.CLASSES,
            classifier_activation=None,
            synchronized_batch_norm=True,
            dtype=dtype,
        )

    def images(count, seed):
        random = np.random.default_rng(seed)
        labels = random.integers(0, toys.CLASSES, count).astype("int32")
        pixels = random.normal(size=(count, 32, 32, 3))
        return (pixels + 0.2 * labels[:, None, None, None]).astype(dtype), labels

    def train(epoch):
        pixels, labels = images(BATCH * steps, seed=epoch)
        if backwards:
            pixels, labels = (
                part.reshape(steps, BATCH, *part.shape[1:])[:, ::-1].reshape(part.shape)
                for part in (pixels, labels)
            )
        data = tf.data.Dataset.from_tensor_slices((pixels, labels))
        return data.batch(BATCH, drop_remainder=True)

    validation = tf.data.Dataset.from_tensor_slices(images(VALIDATION, seed=99))
    recorder = Recorder()
    result = Trainer(
        model,
        train,
        validation.batch(25),
        toys.config(epochs=1, warmup_epochs=0, learning_rate=0.05),
        folder / f"{dtype}-{backwards}",
        strategy=strategy,
        callbacks=[recorder],
        save_models=False,
        verbose=0,
    ).train()
    return {
        "losses": np.array(recorder.losses),
        "weights": np.array(recorder.weights),
        "statistics": np.array(recorder.statistics),
        "sizes": np.array(sizes(model)),
        "judged": np.array(
            [result.final["validation_accuracy"], result.final["validation_count"]]
        ),
    }


def main(path, dtype, steps):
    strategy = make_strategy("multi_worker", timeout=120)
    found = run(strategy, Path(path).parent / "workers", dtype, int(steps))
    if Consensus(strategy).chief:
        np.savez(path, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
