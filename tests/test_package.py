"""The package as its users meet it: imported, saved, loaded in another process."""

import ast
import configparser
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_regnet

ROOT = Path(__file__).parents[1]
FIXTURE = ROOT / "tests" / "fixtures" / "regnety_0.1.0.keras"
FIXTURE_OUTPUTS = FIXTURE.with_suffix(".json")


def run_python(code, **environment):
    """Runs code in a fresh process outside the source tree; returns what it printed."""
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"} | environment,
        cwd="/",
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


LOAD = """
import json, keras, keras_regnet, numpy as np
model = keras.saving.load_model({path!r})
images = np.linspace(0, 255, 32 * 32 * 3).reshape(1, 32, 32, 3)
copy = keras.models.clone_model(model)
copy.set_weights(model.get_weights())
again = keras.Model.from_config(model.get_config())
again.set_weights(model.get_weights())
print(json.dumps([np.asarray(m(images)).tolist() for m in (model, copy, again)]))
"""


@pytest.mark.long
def test_files_of_this_and_older_versions_load_in_a_fresh_process():
    """In safe mode; the outputs are those stored when the file was written."""
    outputs = json.loads(run_python(LOAD.format(path=str(FIXTURE))))
    stored = json.loads(FIXTURE_OUTPUTS.read_text())["outputs"]
    assert np.ptp(stored) > 0.01
    for values in outputs:
        np.testing.assert_allclose(values, stored, rtol=1e-4)


def test_a_file_of_today_has_the_names_of_the_fixture(tmp_path):
    """What a later version writes must not silently differ from what it reads."""
    old = keras.saving.load_model(FIXTURE)
    new = keras_regnet.RegNetY(
        depth=3,
        w0=8,
        wa=8,
        wm=2.0,
        group_width=4,
        stem_width=8,
        input_shape=(None, None, 3),
        classes=3,
        include_preprocessing=True,
    )
    assert [v.path for v in new.variables] == [v.path for v in old.variables]
    new.save_weights(tmp_path / "new.weights.h5")
    old.load_weights(tmp_path / "new.weights.h5")
    for one, other in zip(old.variables, new.variables, strict=True):
        np.testing.assert_array_equal(one, other)


def floor_of(module):
    """The floor on which design.md puts a module of the package."""
    floors = [
        {"version"},
        {"environment", "files", "logs", "optional", "provenance", "text_table"},
        {"architecture", "layers", "optimizers", "preprocessing"},
        {"weights", "data", "plots"},
        {"models"},
        {"applications"},
        {"training", "publishing"},
        {"design_space", "transfer"},
        {"benchmarks"},
    ]
    return next(i for i, floor in enumerate(floors) if module in floor)


def test_no_file_imports_from_above_or_beside():
    package = ROOT / "keras_regnet"
    for path in package.rglob("*.py"):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
                if node.module == "keras_regnet":
                    names = [f"keras_regnet.{alias.name}" for alias in node.names]
            for name in names:
                parts = name.split(".")
                if parts[0] != "keras_regnet" or len(parts) < 2 or parts[1] == room:
                    continue
                assert floor_of(parts[1]) < floor_of(room), f"{path}: {name}"


def test_only_declared_packages_are_imported():
    """The core needs TensorFlow and Keras alone; the rest is in an extra."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    core = {"keras", "tensorflow", "numpy", "keras_regnet"} | sys.stdlib_module_names
    for path in (ROOT / "keras_regnet").rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in tree.body:  # top level: run by every import
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module]
            else:
                continue
            for name in names:
                assert name.split(".")[0] in core, f"{path}: {name}"


def test_a_missing_package_names_its_extra():
    from keras_regnet.optional import require

    with pytest.raises(ImportError, match=r"keras-regnet\[plots\]"):
        require("a_package_that_is_not_there", "plots")


def test_what_is_required_is_in_the_extra_that_the_error_names():
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg")
    extras = config["options.extras_require"]
    others = {
        "absl": "absl-py",
        "PIL": "pillow",
        "sklearn": "scikit-learn",
        "yaml": "pyyaml",
    }
    found = set()
    for path in (ROOT / "keras_regnet").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            function = getattr(node, "func", None)
            name = getattr(function, "id", getattr(function, "attr", None))
            if name == "require" and len(node.args) == 2:
                module, extra = (argument.value for argument in node.args)
                module = module.partition(".")[0]
                declared = extras[extra].replace("-", "_")
                assert others.get(module, module).replace("-", "_") in declared, path
                found.add(extra)
    assert found == {
        "plots",
        "train",
        "weights",
        "torch",
        "export",
        "design-space",
    }
    for extra in ("test", "all"):
        for part in ("design-space", "weights", "export"):
            assert f"%({part})s" in extras[extra]


USE = """
import pathlib, sys
import keras, keras_regnet, numpy as np, tensorflow as tf
from keras_regnet.training import Trainer, TrainingConfig
assert "site-packages" in keras_regnet.__file__, keras_regnet.__file__
model = keras_regnet.RegNetX(depth=2, w0=8, wa=8, wm=2.0, group_width=4,
                             input_shape=(16, 16, 3), classes=3,
                             classifier_activation=None)
x, y = np.random.rand(8, 16, 16, 3).astype("float32"), np.arange(8) % 3
data = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)
config = TrainingConfig(epochs=1, learning_rate=0.05, warmup_epochs=0)
Trainer(model, data, data, config, "run", verbose=0).train()
assert pathlib.Path("run/result.json").is_file()
print("used")
"""


def test_a_wheel_works_outside_the_source_tree(tmp_path):
    """Built, installed into an environment of its own, used from an empty folder.

    The environment sees the packages of this one, but not this source tree.
    """
    pytest.importorskip("build")
    run = subprocess.run(
        [
            *(sys.executable, "-m", "build", "--wheel", "--no-isolation"),
            *("-o", tmp_path, ROOT),
        ],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    wheel = next(tmp_path.glob("*.whl"))
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    site = next(environment.glob("lib/python*/site-packages"))
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"),
            *("--target", site, wheel),
        ],
        check=True,
    )
    parent = Path(np.__file__).parents[1]
    work = tmp_path / "work"
    work.mkdir()
    run = subprocess.run(
        [environment / "bin" / "python", "-c", USE],
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        | {"PYTHONPATH": f"{site}{os.pathsep}{parent}"},
        cwd=work,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.strip().endswith("used")
