"""The .h5 files of keras.applications, in the graph that they belong to.

The comparison runs tf_keras, which has the models still, under an interpreter of its
own: KERAS_REGNET_TF_KERAS_PYTHON names it.
"""

import ast
import os
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_regnet
from keras_regnet import weights
from keras_regnet.weights.keras_applications import KERAS_APPLICATIONS
from tests.small_networks import randomise, tiny
from tests.torch_peer import relative_difference

h5py = pytest.importorskip("h5py")
NAMES = {"RegNetX002": "RegNetX-200MF", "RegNetY002": "RegNetY-200MF"}


@pytest.fixture(scope="module")
def python():
    """An interpreter with tf_keras."""
    found = os.environ.get("KERAS_REGNET_TF_KERAS_PYTHON")
    if not found:
        pytest.skip("KERAS_REGNET_TF_KERAS_PYTHON names no interpreter with tf_keras")
    return found


@pytest.fixture(scope="module")
def written(python, tmp_path_factory):
    """The folder with what tf_keras wrote."""
    folder = tmp_path_factory.mktemp("keras2")
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (2, 7, 7, 3)).astype("float32")
    pixels = np.repeat(np.repeat(coarse, 32, axis=1), 32, axis=2)
    np.save(folder / "pixels.npy", pixels)
    program = Path(__file__).with_name("keras2_program.py")
    run = subprocess.run(
        [python, program, folder, *NAMES],
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return folder


def build(name, path, **options):
    options = {"padding": "same", "include_preprocessing": True} | options
    return keras_regnet.RegNet(
        NAMES[name], weights=path, classifier_activation=None, **options
    )


@pytest.mark.peers
@pytest.mark.parametrize("name", list(NAMES))
def test_outputs_equal_tf_keras(name, written):
    pixels = np.load(written / "pixels.npy")
    ours = build(name, written / f"{name}.h5")
    expected = np.load(written / f"{name}.npy")
    # Theirs returns logits in spite of its classifier_activation="softmax".
    assert abs(expected.sum(axis=1) - 1).min() > 1e-2
    difference = relative_difference(ours.predict(pixels, verbose=0), expected)
    print(f"| {name} | {np.abs(expected).max():.3f} | {difference:.1e} |")
    assert difference < 1e-4
    expected = np.load(written / f"{name}_notop.npy")
    ours = build(
        name,
        written / f"{name}_notop.h5",
        include_top=False,
        pooling="avg",
        input_shape=(224, 224, 3),
    )
    assert relative_difference(ours(pixels), expected) < 1e-4
    assert weights.read(written / f"{name}.h5").architecture == NAMES[name]


@pytest.mark.peers
def test_tf_keras_says_the_same_of_its_files(python):
    code = "import importlib.util as u; print(u.find_spec('tf_keras').origin)"
    run = subprocess.run([python, "-c", code], capture_output=True, text=True)
    source = Path(run.stdout.strip()).parent / "src/applications/regnet.py"
    constants = {
        node.targets[0].id: node.value
        for node in ast.parse(source.read_text()).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    digests = ast.literal_eval(constants["WEIGHTS_HASHES"])
    expected = {
        f"keras_applications/regnet{code}{suffix}": digest
        for code, both in digests.items()
        for suffix, digest in zip(("", "_notop"), both, strict=True)
    }
    sets = weights.list_weights(source="keras_applications")
    assert {each.name: each.sha256 for each in sets} == expected
    folder = ast.literal_eval(constants["BASE_WEIGHTS_PATH"])
    assert all(each.url.startswith(f"{folder}regnet") for each in sets)


@pytest.mark.peers
def test_in_the_right_graph_the_outputs_would_be_others(written):
    """What the refusal saves its users from."""
    pixels = np.load(written / "pixels.npy")
    path = written / "RegNetX002.h5"
    same = build("RegNetX002", path)
    right = keras_regnet.RegNetX(
        "200MF",
        include_preprocessing=True,
        preprocessing=weights.read(path).preprocessing,
        classifier_activation=None,
    )
    right.set_weights(same.get_weights())
    assert (
        relative_difference(right(pixels), np.load(written / "RegNetX002.npy")) > 0.01
    )
    with pytest.raises(ValueError, match=r"padding='same': build.*padding='symmetric'"):
        build("RegNetX002", path, padding="symmetric")


def write_keras2(model, path, prefix="my_net_", block="YBlock"):
    """The file that Keras 2 would write of an equal network of its own."""
    layers = {}
    for variable in model.weights:
        layer, _, leaf = KERAS_APPLICATIONS.key(variable.path).rpartition("/")
        layer = layer.replace("Block", block)
        layer = "3head_dense" if layer == "head_dense" else prefix + layer
        layers.setdefault(layer, {})[leaf] = np.array(variable)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for name, values in layers.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{v}:0".encode() for v in values]
            for leaf, value in values.items():
                group[f"{name}/{leaf}:0"] = value


def test_every_name_is_found_and_the_specification_kept(tmp_path):
    path = tmp_path / "net.h5"
    source = randomise(tiny(padding="same"))
    write_keras2(source, path)
    ours = tiny(padding="same", weights=path, include_preprocessing=True)
    for one, two in zip(source.weights, ours.weights, strict=True):
        np.testing.assert_array_equal(one, two)
    ours.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    specification = keras_regnet.preprocessing_for(loaded).specification
    assert (specification.mean, specification.std) == ((0.0,) * 3, (1.0,) * 3)
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3))
    np.testing.assert_allclose(loaded(pixels), source(pixels / 255), rtol=1e-4)


def test_only_with_the_flag(tmp_path):
    path = tmp_path / "net.h5"
    write_keras2(tiny(), path)
    for options in ({}, {"padding": "symmetric"}):
        with pytest.raises(ValueError, match="padding='same': build it so"):
            tiny(weights=path, **options)
    with pytest.raises(ValueError, match=r"padding='same': build it so.*net\.h5"):
        weights.load_weights(tiny(), path)
    for name in ("keras_applications", "keras_applications/regnetx002"):
        with pytest.raises(ValueError, match="padding='same': build it so"):
            keras_regnet.RegNetX("200MF", weights=name)  # before any download
    with h5py.File(path, "a") as file:
        file.create_group("stray").attrs["weight_names"] = [b"stray/kernel:0"]
        file["stray"]["stray/kernel:0"] = np.ones(2)
        names = [name.encode() for name in file.attrs["layer_names"]]
        file.attrs["layer_names"] = [*names, b"stray"]
    with pytest.raises(ValueError, match=r"Unused tensors \(1\): stray/kernel"):
        tiny(weights=path, padding="same")
    with pytest.raises(ValueError, match="padding='full'"):
        tiny(padding="full")
