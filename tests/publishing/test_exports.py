"""Networks of the paper in every format give what Keras gives."""

import os
import subprocess
import sys

import numpy as np
import pytest

from keras_regnet.publishing.exports import export_formats
from tests.publishing.conftest import network
from tests.publishing.networks import images_for, published

_RUN = """
import sys
import numpy as np
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
images = np.load(sys.argv[2])
np.save(sys.argv[3], loaded.signatures["serve"](images=tf.constant(images))["logits"])
with tf.GradientTape() as tape:
    loss = tf.reduce_mean(loaded(images[:2] / 255, training=True) ** 2)
gradients = tape.gradient(loss, loaded.trainable_variables)
assert all(np.isfinite(gradient).all() for gradient in gradients)
"""


def check(model, folder):
    """All formats within 1e-4; the SavedModel also without oneDNN, and trained so."""
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
    environment = os.environ | {"TF_ENABLE_ONEDNN_OPTS": "0"}
    subprocess.run(program, env=environment, check=True, capture_output=True)
    expected = model.predict_on_batch(images)
    difference = np.abs(np.load(folder / "logits.npy") - expected).max()
    assert difference < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("block", ["x", "y"])
def test_two_stages(block, tmp_path):
    check(network(block, classifier_activation=None), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["RegNetX-200MF", "RegNetX-400MF", "RegNetY-200MF", "RegNetY-400MF"]
)
def test_networks_of_the_paper(name, tmp_path):
    check(published(name, include_preprocessing=True), tmp_path)
