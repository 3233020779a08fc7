"""Runs under the interpreter of KERAS_REGNET_TF_KERAS_PYTHON, which has tf_keras.

    keras2_program.py FOLDER NAME ...

Writes tf_keras' own RegNets with random weights and statistics as FOLDER/NAME.h5, one
without the classifier as FOLDER/NAME_notop.h5, and their outputs for the pixels in
FOLDER/pixels.npy beside them.
"""

import sys
from pathlib import Path

import numpy as np
from tf_keras.applications import regnet


def write(folder, name):
    pixels = np.load(folder / "pixels.npy")
    rng = np.random.default_rng(1)
    for suffix, options in (("", {}), ("_notop", {"include_top": False})):
        model = getattr(regnet, name)(weights=None, pooling="avg", **options)
        for variable in model.weights:
            shape = tuple(variable.shape)
            if "gamma" in variable.name or "moving_variance" in variable.name:
                variable.assign(rng.uniform(0.5, 1.5, shape))
            elif "kernel" not in variable.name:
                variable.assign(rng.normal(0, 0.2, shape))
        model.save_weights(folder / f"{name}{suffix}.h5")
        np.save(folder / f"{name}{suffix}.npy", model(pixels, training=False))


if __name__ == "__main__":
    for argument in sys.argv[2:]:
        write(Path(sys.argv[1]), argument)
