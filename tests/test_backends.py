"""The models on Keras' other backends, with TensorFlow's weights and numbers."""

import importlib.util
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_regnet

SCRIPT = """
import json, sys
import keras, numpy as np, keras_regnet
assert keras.backend.backend() == {backend!r}
model = keras_regnet.RegNetY(**json.loads({numbers!r}), weights={weights!r})
images = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32")
outputs = model.predict(images, verbose=0)
model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
losses = model.fit(images, np.arange(4) % 3, batch_size=4, epochs=3, verbose=0,
                   shuffle=False).history["loss"]
bn = model.get_layer("s2_b1").conv2.bn
print(json.dumps({{
    "outputs": outputs.tolist(), "losses": losses,
    "statistics": [keras.ops.convert_to_numpy(v).tolist()
                   for v in (bn.moving_mean, bn.moving_variance)]}}))
"""

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


def run(backend, weights):
    script = SCRIPT.format(
        backend=backend, numbers=json.dumps(NUMBERS), weights=str(weights)
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.backends
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_same_numbers_as_on_tensorflow(backend, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    path = tmp_path / "model.weights.h5"
    model = keras_regnet.RegNetY(**NUMBERS)
    rng = np.random.default_rng(1)
    for variable in model.variables:
        if "moving" in variable.path:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    model.save_weights(path)
    expected, actual = run("tensorflow", path), run(backend, path)
    np.testing.assert_allclose(
        expected["outputs"], keras.ops.convert_to_numpy(actual["outputs"]), rtol=1e-4
    )
    np.testing.assert_allclose(actual["losses"], expected["losses"], rtol=2e-3)
    for ours, theirs in zip(actual["statistics"], expected["statistics"], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=5e-3, atol=1e-4)
