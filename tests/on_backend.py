"""What a Keras backend computes; for test_backends.py.

Run as a program on another backend, where TensorFlow cannot be imported then:

    KERAS_BACKEND=jax python -m tests.on_backend FOLDER
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.modules["tensorflow"] = None

import keras
import numpy as np

import keras_regnet
from keras_regnet.preprocessing import PreprocessingSpec, Preprocessor

NUMBERS = {
    "depth": 3,
    "w0": 16,
    "wa": 24,
    "wm": 2.5,
    "group_width": 8,
    "input_shape": (32, 32, 3),
    "classes": 3,
    "include_preprocessing": True,
}
RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(0, 255, (4, 32, 32, 3)).astype("float32")
PICTURE = RNG.integers(0, 256, (40, 30, 3), np.uint8)


def network(**options):
    return keras_regnet.RegNetY(**(NUMBERS | options))


def write_files(folder):
    """One network's weights in every kind of file."""
    from safetensors.numpy import save_file

    model = network()
    rng = np.random.default_rng(1)
    for variable in model.variables:
        if "moving" in variable.path:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    model.save_weights(folder / "model.weights.h5")
    model.save(folder / "model.keras")
    state = keras_regnet.weights.to_timm_state_dict(model, "numpy")
    save_file(state, folder / "model.safetensors")


def measured(folder):
    """The numbers of this backend by name."""
    weights = folder / "model.weights.h5"
    model = network(weights=weights)
    found = {"outputs": model.predict(IMAGES, verbose=0)}
    model.save(folder / f"{keras.backend.backend()}.keras")
    for name in ("model.keras", f"{keras.backend.backend()}.keras"):
        loaded = keras.saving.load_model(folder / name)
        key = "outputs, " + name.replace(keras.backend.backend(), "saved")
        found[key] = loaded.predict(IMAGES, verbose=0)
    loaded = network(weights=folder / "model.safetensors")
    found["outputs, safetensors"] = loaded.predict(IMAGES, verbose=0)
    features = network(
        include_top=False, feature_maps=True, weights=folder / "model.safetensors"
    )
    for name, values in features(IMAGES, training=False).items():
        found[f"feature map {name}"] = values
    found |= training(weights) | preprocessing(model)
    return {name: keras.ops.convert_to_numpy(each) for name, each in found.items()}


def training(weights):
    """Losses, statistics and weights after steps with groups of parameters."""
    found = {}
    groups = {"weight_decay": 1e-2, "norm_weight_decay": 0.0, "bias_weight_decay": 1e-3}
    groups["learning_rate_factors"] = {"stem": 0.1, "s1_b1/conv1": 0.5}
    for name, optimizer in {
        "SGD": keras_regnet.optimizers.SGD(0.1, **groups),
        "RMSprop": keras_regnet.optimizers.RMSprop(0.001, **groups),
        "Keras' SGD": keras.optimizers.SGD(0.1),
    }.items():
        model = network(weights=weights)
        model.compile(optimizer, "sparse_categorical_crossentropy")
        fitted = model.fit(
            IMAGES, np.arange(4) % 3, 4, epochs=3, verbose=0, shuffle=False
        )
        found[f"losses {name}"] = fitted.history["loss"]
        norm = model.get_layer("s2_b1").conv2.bn
        found[f"mean {name}"] = norm.moving_mean
        found[f"variance {name}"] = norm.moving_variance
        found[f"gamma {name}"] = norm.gamma
        found[f"stem {name}"] = model.get_layer("stem").conv.kernel
    return found


def preprocessing(model):
    specification = PreprocessingSpec(16, 20, interpolation="bicubic")
    prepare = Preprocessor(specification)
    prepared = keras_regnet.preprocessing_for(model)
    return {
        "prepared picture": prepare(PICTURE),
        "prepared pixels": prepare.layer()(PICTURE),
        "prepared for the model": prepared(PICTURE),
        "prepared for the model, layer": prepared.layer()(PICTURE),
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    numbers = measured(folder)
    np.savez(folder / f"{keras.backend.backend()}.npz", **numbers)
