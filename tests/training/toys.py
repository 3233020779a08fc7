"""A tiny network and a tiny data set for the tests of training."""

import keras
import numpy as np
import tensorflow as tf

from keras_regnet.training import TrainingConfig

CLASSES = 3


def arrays(count=96, seed=0, dtype="float32"):
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, count).astype("int32")
    images = random.normal(size=(count, 8, 8, 1)) + labels[:, None, None, None]
    return images.astype(dtype), labels


def train(batch=16, dtype="float32"):
    def dataset(epoch):
        # Not Dataset.shuffle(seed): that depends on TensorFlow's global seed too.
        images, labels = arrays(dtype=dtype)
        order = np.random.default_rng(epoch).permutation(len(labels))
        data = tf.data.Dataset.from_tensor_slices((images[order], labels[order]))
        return data.batch(batch, drop_remainder=True)

    return dataset


def validation(batch=20, count=50, dtype="float32"):
    data = tf.data.Dataset.from_tensor_slices(arrays(count, seed=1, dtype=dtype))
    return data.batch(batch)


def network(dropout=0.0, synchronized=False, dtype=None, seed=0):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(8, 3, use_bias=False, dtype=dtype),
            keras.layers.BatchNormalization(
                momentum=0.9, synchronized=synchronized, dtype=dtype
            ),
            keras.layers.ReLU(dtype=dtype),
            keras.layers.Dropout(dropout, dtype=dtype),
            keras.layers.GlobalAveragePooling2D(dtype=dtype),
            keras.layers.Dense(CLASSES, dtype=dtype),
        ]
    )


def config(**fields):
    return TrainingConfig(**{"epochs": 4, "warmup_epochs": 1} | fields)


def numbers(result):
    """The history without what the clock decides."""
    timing = (
        "seconds",
        "images_per_second",
        "data_wait",
        "validation_seconds",
        "checkpoint_seconds",
    )
    return [
        {key: value for key, value in row.items() if key not in timing}
        for row in result.history
    ]
