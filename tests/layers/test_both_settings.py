"""What is trained and saved with one setting of oneDNN runs with the other.

This tries both settings itself, whichever that of the tests is.
"""

import json
import os
import platform

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_regnet
from keras_regnet.layers import kernels
from tests import fork_server

X86 = platform.machine() in ("x86_64", "AMD64")


def train(folder):
    """Trains and saves a network; returns what it then gives, and a gradient."""
    keras.utils.set_random_seed(3)
    model = keras_regnet.RegNetY(
        depth=2,
        w0=16,
        wa=16,
        wm=2.0,
        group_width=8,
        input_shape=(32, 32, 3),
        classes=4,
    )
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, 32, 32, 3)).astype("float32"), rng.integers(0, 4, 16)
    model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
    history = model.fit(x, y, epochs=3, batch_size=16, shuffle=False, verbose=0)
    model.export(f"{folder}/export", verbose=False)
    tf.saved_model.save(model, f"{folder}/save")
    with tf.GradientTape() as tape:
        outputs = model(x)
        loss = -tf.reduce_mean(tf.math.log(outputs[:, 0]))
    kernel = model.get_layer("s1_b1").conv2.conv.kernel
    return {
        "losses": history.history["loss"],
        "outputs": outputs.numpy().tolist(),
        "gradient": tape.gradient(loss, kernel.value).numpy().tolist(),
        "native": kernels.cpu_has_native_gradient("float32"),
    }


_TRAINED = """
import json, sys
from tests.layers.test_both_settings import train
print(json.dumps(train(sys.argv[1])))
"""

_LOADED = """
import json, sys
import numpy as np, tensorflow as tf
rng = np.random.default_rng(0)
x = tf.constant(rng.normal(size=(16, 32, 32, 3)).astype("float32"))
found = []
for name in ("export", "save"):
    loaded = tf.saved_model.load(f"{sys.argv[1]}/{name}")
    signature = loaded.signatures["serving_default"]
    with tf.GradientTape() as tape:
        outputs = loaded.serve(x) if name == "export" else signature(x)
        if isinstance(outputs, dict):
            outputs, = outputs.values()
        loss = -tf.reduce_mean(tf.math.log(outputs[:, 0]))
    variables = {v.name: v for v in tape.watched_variables()}
    kernel, = (v for n, v in variables.items() if "s1_b1/conv2/conv/k" in n)
    gradient = tape.gradient(loss, kernel)
    found.append([outputs.numpy().tolist(), gradient.numpy().tolist()])
assert "keras_regnet" not in sys.modules
print(json.dumps(found))
"""


def run(program, folder, onednn):
    env = fork_server.environment(TF_ENABLE_ONEDNN_OPTS=onednn)
    done = fork_server.run(["-c", program, folder], env=env, fresh=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.long
def test_models_train_the_same_and_run_where_they_were_not_exported(tmp_path):
    """With and without oneDNN; the SavedModels of each with the other's kernels."""
    here, other = "10" if os.environ.get("TF_ENABLE_ONEDNN_OPTS") != "0" else "01"
    trained = {here: train(tmp_path / here)}
    trained[other] = run(_TRAINED, tmp_path / other, other)
    assert not trained["0"]["native"]
    assert trained["1"]["native"] or not X86
    losses = [trained[onednn]["losses"] for onednn in ("1", "0")]
    np.testing.assert_allclose(*losses, rtol=1e-3)
    assert losses[0][-1] < losses[0][0]
    outputs = [trained[onednn]["outputs"] for onednn in ("1", "0")]
    np.testing.assert_allclose(*outputs, rtol=0, atol=2e-3)
    for made, loaded_with in ("10", "01"):
        expected = trained[made]
        scale = np.abs(expected["gradient"]).max()
        assert scale > 0
        for outputs, gradient in run(_LOADED, tmp_path / made, loaded_with):
            np.testing.assert_allclose(outputs, expected["outputs"], rtol=0, atol=1e-4)
            np.testing.assert_allclose(
                gradient, expected["gradient"], rtol=0, atol=1e-3 * scale
            )
