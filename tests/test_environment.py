"""TensorFlow's switches that an import sets, and the hint where it came too late."""

import logging
import os
import platform
import subprocess
import sys
import types

import pytest

from keras_regnet import environment

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="the switches are for x86"
)


@pytest.fixture
def fresh(monkeypatch):
    """As where neither TensorFlow nor Keras is imported and no switch is set."""
    for switch in environment.SWITCHES:
        monkeypatch.delenv(switch, raising=False)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    for module in ("tensorflow", "keras"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    environment.hint_at_onednn.cache_clear()
    return monkeypatch


def switches():
    return [os.environ.get(switch) for switch in environment.SWITCHES]


def test_both_are_switched_on(fresh):
    environment.set_tensorflow_switches()
    assert switches() == ["1", "1"]


@pytest.mark.parametrize("own", ["0", "1", ""])
def test_a_users_own_setting_stays(fresh, own):
    fresh.setenv(environment.ONEDNN, own)
    environment.set_tensorflow_switches()
    assert switches() == [own, "1"]


def test_nothing_is_set_once_tensorflow_is_there(fresh):
    fresh.setitem(sys.modules, "tensorflow", types.ModuleType("tensorflow"))
    environment.set_tensorflow_switches()
    assert switches() == [None, None]


def test_nothing_is_set_on_other_processors(fresh):
    fresh.setattr(platform, "machine", lambda: "aarch64")
    environment.set_tensorflow_switches()
    assert switches() == [None, None]


@pytest.mark.parametrize(
    ("variable", "file", "wanted"),
    [
        ("jax", None, None),
        ("tensorflow", '{"backend": "jax"}', "1"),
        (None, '{"backend": "torch"}', None),
        (None, '{"backend": "tensorflow"}', "1"),
        (None, '{"floatx": "float32"}', "1"),
        (None, "damaged", "1"),
    ],
)
def test_the_backend_is_the_one_that_keras_will_take(
    fresh, tmp_path, variable, file, wanted
):
    fresh.setenv("KERAS_HOME", str(tmp_path))
    if variable:
        fresh.setenv("KERAS_BACKEND", variable)
    if file:
        (tmp_path / "keras.json").write_text(file)
    environment.set_tensorflow_switches()
    assert switches() == [wanted, wanted]


def test_the_hint_comes_once_and_only_where_nobody_decided(fresh, caplog):
    with caplog.at_level(logging.WARNING):
        environment.hint_at_onednn()
        environment.hint_at_onednn()
    (record,) = caplog.records
    assert "TF_ENABLE_ONEDNN_OPTS=1" in record.getMessage()
    environment.hint_at_onednn.cache_clear()
    fresh.setenv(environment.ONEDNN, "0")
    environment.hint_at_onednn()
    assert len(caplog.records) == 1


_PROGRAM = """
{imports}
import numpy as np
model = keras_regnet.RegNetX(depth=2, w0=8, wa=8, wm=2.0, group_width=8,
                             input_shape=(16, 16, 3), classes=3)
model.compile("sgd", "sparse_categorical_crossentropy")
for _ in range(2):
    model.fit(np.ones((4, 16, 16, 3)), np.zeros(4), verbose=0)
from keras_regnet.layers import kernels
print("native", kernels.cpu_has_native_gradient("float32"))
"""


@pytest.mark.long
@pytest.mark.parametrize("first", ["keras_regnet", "tensorflow"])
def test_in_a_program(first):
    """Imported first, oneDNN is on; otherwise as TensorFlow has it on this CPU."""
    imports = [f"import {name}" for name in (first, "tensorflow", "keras_regnet")]
    variables = {
        name: value
        for name, value in os.environ.items()
        if name not in environment.SWITCHES
    }
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(imports="\n".join(imports))],
        env=variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    native = done.stdout.split()[-1] == "True"
    assert native or first == "tensorflow"
    assert done.stderr.count("Set the environment variable") == (0 if native else 1)
