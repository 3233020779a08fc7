"""The oldest Keras that setup.cfg allows: the fast way by default, the same files.

`scripts/test.sh --all` unpacks that Keras into a folder of its own and names it in
KERAS_REGNET_OLDEST_KERAS; the tests run it in a process of its own.
"""

import configparser
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.peers

SCRIPT = """
import json, sys
import keras, numpy as np, tensorflow as tf
import keras_regnet
images = np.random.default_rng(0).uniform(0, 255, (8, 32, 32, 3)).astype("float32")
old = keras.saving.load_model({fixture!r})
grid = np.linspace(0, 255, 32 * 32 * 3).reshape(1, 32, 32, 3)
model = keras_regnet.RegNetX(depth=3, w0=16, wa=16, wm=2.0, group_width=8,
                             input_shape=(32, 32, 3), classes=3, dropout=0.1,
                             stochastic_depth=0.1)
xla = []
from keras_regnet.layers import kernels
question = kernels.inside_xla
def asked():
    xla.append(question())
    return xla[-1]
kernels.inside_xla = asked
model.compile("sgd", "sparse_categorical_crossentropy")
model.fit(images, np.arange(8) % 3, verbose=0)
from keras_regnet.optimizers import SGD
model.compile(SGD(0.1, momentum=0.9, weight_decay=1e-4),
              "sparse_categorical_crossentropy")
model.fit(images, np.arange(8) % 3, verbose=0)
model.save(sys.argv[1])
print(json.dumps({{"keras": keras.__version__, "jit": model.jit_compile, "xla": xla,
                  "outputs": old.predict(grid, verbose=0).tolist(),
                  "own": model.predict(images, verbose=0).tolist()}}))
"""


def oldest_allowed():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    requirements = config["options"]["install_requires"]
    return re.search(r"keras>=([\d.]+)", requirements).group(1)


def test_the_oldest_keras_takes_the_fast_way(tmp_path):
    folder = os.environ.get("KERAS_REGNET_OLDEST_KERAS")
    if not folder or not Path(folder, "keras").is_dir():
        pytest.skip("KERAS_REGNET_OLDEST_KERAS names no folder with an old Keras")
    fixture = ROOT / "tests/fixtures/regnety_0.1.0.keras"
    path = tmp_path / "old.keras"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(fixture=str(fixture)), str(path)],
        env=os.environ | {"PYTHONPATH": folder, "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["keras"].startswith(oldest_allowed())
    assert result["jit"] is False
    assert result["xla"]
    assert not any(result["xla"])
    stored = json.loads(fixture.with_suffix(".json").read_text())["outputs"]
    np.testing.assert_allclose(result["outputs"], stored, rtol=1e-4)
    # What the old Keras wrote, the new one reads.
    import keras

    import keras_regnet

    assert keras_regnet.__version__
    images = np.random.default_rng(0).uniform(0, 255, (8, 32, 32, 3))
    new = keras.saving.load_model(path)
    np.testing.assert_allclose(new.predict(images, verbose=0), result["own"], rtol=1e-4)
