"""The package on Keras' other backends, without TensorFlow: TensorFlow's numbers.

A process for each backend computes everything; see on_backend.py.
"""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from tests import on_backend
from tests.script_runner import ROOT

pytestmark = pytest.mark.backends

# What steps of training add up to, beside what one pass does.
TOLERANCES = {
    "losses": {"rtol": 2e-3},
    "mean": {"rtol": 5e-3, "atol": 1e-3},
    "variance": {"rtol": 5e-3, "atol": 1e-4},
    "gamma": {"rtol": 2e-3},
    "stem": {"rtol": 2e-3, "atol": 2e-4},
    "prepared": {"rtol": 1e-5, "atol": 2e-5},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("safetensors")
    folder = tmp_path_factory.mktemp("backends")
    on_backend.write_files(folder)
    return folder


@pytest.fixture(scope="module")
def expected(folder):
    return on_backend.measured(folder)


def environment(backend, **further):
    return os.environ | {"KERAS_BACKEND": backend} | further


def run(module, backend, *arguments, **further):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        env=environment(backend, **further),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_same_numbers_as_on_tensorflow(backend, folder, expected):
    run("tests.on_backend", backend, folder)
    found = np.load(folder / f"{backend}.npz")
    assert set(found) == set(expected)
    for name, right in expected.items():
        tolerance = TOLERANCES.get(name.split()[0], {"rtol": 1e-4, "atol": 1e-5})
        np.testing.assert_allclose(found[name], right, err_msg=name, **tolerance)
    for name in found:
        if name.startswith("outputs, "):  # each way of loading gives one network
            np.testing.assert_allclose(found[name], found["outputs"], rtol=1e-6)
