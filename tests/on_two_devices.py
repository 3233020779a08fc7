"""Data parallelism on JAX, where there are two devices; for test_jax_devices.py."""

import sys

if __name__ == "__main__":
    sys.modules["tensorflow"] = None

import keras
import numpy as np

import keras_regnet

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(16, 32, 32, 3)).astype("float32")
LABELS = RNG.integers(0, 3, 16)


def trained(distribution, policy="float32", **data):
    """The model after two epochs of two steps."""
    keras.distribution.set_distribution(distribution)
    keras.utils.set_random_seed(0)
    model = keras_regnet.RegNetY(
        depth=3,
        w0=16,
        wa=24,
        wm=2.5,
        group_width=8,
        input_shape=(32, 32, 3),
        classes=3,
        dropout=0.5,
        stochastic_depth=0.5,
        dtype=policy,
    )
    model.compile(
        keras_regnet.optimizers.SGD(0.05, weight_decay=1e-4),
        "sparse_categorical_crossentropy",
    )
    model.fit(data.get("x", IMAGES), LABELS, 8, epochs=2, verbose=0, shuffle=False)
    return model


def values(model):
    return {v.path: np.asarray(v.value, "float64") for v in model.weights}


def distance(first, second):
    """The greatest difference over the greatest value, of each variable."""
    return {
        path: np.abs(first[path] - second[path]).max() / np.abs(first[path]).max()
        for path in first
    }


def main():
    devices = keras.distribution.list_devices("cpu")
    assert len(devices) == 2, devices
    one = values(trained(None))
    model = trained(keras.distribution.DataParallel(devices=devices))
    assert all(len(v.value.sharding.device_set) == 2 for v in model.weights)
    both = values(model)
    apart = distance(one, both)
    assert max(apart.values()) < 1e-4, apart
    # Of other images in the second half of each batch hardly a weight is the same: the
    # comparison sees masks and statistics that are not those of the whole batch.
    other = IMAGES.copy()
    other[4:8], other[12:] = IMAGES[:4], IMAGES[8:12]
    assert min(distance(one, values(trained(None, x=other))).values()) > 1e-3
    mixed = trained(keras.distribution.DataParallel(devices=devices), "mixed_bfloat16")
    assert all(np.isfinite(each).all() for each in values(mixed).values())


if __name__ == "__main__":
    main()
