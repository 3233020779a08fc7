"""Networks of the paper in every format give what Keras gives."""

import os
import subprocess
import sys

import numpy as np
import pytest

from keras_regnet.publishing.exports import export_formats
from tests.publishing.conftest import network
from tests.publishing.networks import images_for, published

pytestmark = pytest.mark.kernels

_RUN = """
import sys
import numpy as np
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
images = np.load(sys.argv[2])
given = [
    loaded.signatures[name](images=tf.constant(images))["logits"]
    for name in ("serve", "fast_serve")
]
np.save(sys.argv[3], given)
found = []
for train in (loaded.train, loaded.native_train):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(train(images[:2]) ** 2)
    found.append(tape.gradient(loss, loaded.trainable_variables))
for portable, native in zip(*found, strict=True):
    largest = np.abs(portable).max()
    np.testing.assert_allclose(native, portable, rtol=0, atol=2e-2 * largest)
"""


def check(model, folder):
    """All formats within 1e-4; the SavedModel with the CPU's other kernels, too."""
    images = images_for(model, 4)
    rows, _ = export_formats(
        model,
        ["saved_model", "onnx", "litert"],
        folder,
        evaluation=images,
        measure_speed=False,
    )
    assert [row.format for row in rows] == [
        "saved_model", "saved_model (fast)", "onnx", "litert",
    ]  # fmt: skip
    for row in rows:
        assert row.agreement.relative_difference < 1e-4, row
        assert row.agreement.top1 == 1.0
    np.save(folder / "images.npy", images)
    program = [sys.executable, "-c", _RUN, str(rows[0].path)]
    program += [str(folder / "images.npy"), str(folder / "logits.npy")]
    expected = model.predict_on_batch(images)
    # Here it has been compared with these kernels; there with the other ones.
    other = "0" if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "1" else "1"
    environment = os.environ | {"TF_ENABLE_ONEDNN_OPTS": other}
    done = subprocess.run(program, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    difference = np.abs(np.load(folder / "logits.npy") - expected).max()
    assert difference < 1e-4 * np.abs(expected).max()


# What is in X is in Y, too.
@pytest.mark.parametrize("block", [pytest.param("x", marks=pytest.mark.slow), "y"])
def test_two_stages(block, tmp_path):
    check(network(block, classifier_activation=None), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["RegNetX-200MF", "RegNetX-400MF", "RegNetY-200MF", "RegNetY-400MF"]
)
def test_networks_of_the_paper(name, tmp_path):
    check(published(name, include_preprocessing=True), tmp_path)
