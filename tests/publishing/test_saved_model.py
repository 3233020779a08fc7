"""A published SavedModel: called, trained and served as the Keras model."""

import collections
import functools
import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.saved_model import loader_impl
from tensorflow.python.tools import saved_model_cli

from keras_regnet.data import ImageReader, decode
from keras_regnet.layers import GroupedConv2D, XBlock
from keras_regnet.layers.composite import all_layers
from keras_regnet.publishing import metadata, publication, publish
from keras_regnet.training.prediction import predict_files, read_image
from keras_regnet.transfer.opening import open_run
from tests import fork_server
from tests.publishing.conftest import SPECIFICATION, logits, network, pixels
from tests.real_data import real_data

pytestmark = pytest.mark.kernels

BOTH = ["two_stages_x", "two_stages_y"]


def close(found, expected):
    np.testing.assert_allclose(
        found, expected, rtol=0, atol=1e-4 * np.abs(expected).max()
    )


@functools.cache
def load(path):
    """A SavedModel for tests that leave its variables as they are."""
    return tf.saved_model.load(str(path))


def loaded_and_model(published, name):
    folder, models = published
    return load(folder / name / "1"), models[name]


@pytest.mark.parametrize("name", BOTH)
def test_every_endpoint_gives_what_the_model_gives(published, name):
    loaded, model = loaded_and_model(published, name)
    images = pixels(model)
    probabilities = np.asarray(model(images, training=False))
    answers = logits(model, images)
    features = model.get_layer("head_fc").input.shape
    for prefix in ("", "native_"):
        close(getattr(loaded, f"{prefix}serve")(images), probabilities)
        found = getattr(loaded, f"{prefix}serve_features")(images)
        assert found.shape == (4, features[-1])
    close(loaded(images / 255), answers)
    close(loaded(images / 255, training=False), answers)
    close(loaded.feature_vector(images / 255), loaded.serve_features(images))
    for prefix in ("", "fast_"):
        outputs = loaded.signatures[f"{prefix}serve"](images=tf.constant(images))
        close(outputs["logits"], answers)
        close(outputs["probabilities"], probabilities)


@pytest.mark.parametrize("name", BOTH)
def test_the_forms_have_their_kernels(published, name):
    loaded, _ = loaded_and_model(published, name)

    def convolutions(function):
        """Input channels of the kernel over those of the image, of each convolution."""
        (concrete,) = function.concrete_functions
        graphs = [concrete.graph.as_graph_def()]
        return sum(
            node.op == "Conv2D"
            for graph in graphs
            for inner in (graph, *graph.library.function)
            for node in getattr(inner, "node_def", getattr(inner, "node", ()))
        )

    # 40 channels in groups of 8 are one native convolution and two portable ones.
    assert convolutions(loaded.serve) > convolutions(loaded.native_serve)
    assert convolutions(loaded.train) > convolutions(loaded.native_train)


def constants(path):
    """The numbers in the graph of a SavedModel."""
    (meta,) = loader_impl.parse_saved_model(str(path)).meta_graphs
    functions = meta.graph_def.library.function
    nodes = [*meta.graph_def.node, *(n for f in functions for n in f.node_def)]
    shapes = [n.attr["value"].tensor.tensor_shape for n in nodes if n.op == "Const"]
    return sum(math.prod(size.size for size in shape.dim) for shape in shapes)


@pytest.mark.long
def test_a_large_network_has_its_weights_twice_and_not_in_the_graph(
    published, tmp_path, monkeypatch
):
    """As RegNetY-128GF, whose 2.6 GB would not go into a graph."""
    folder, models = published
    model = models["two_stages_x"]
    assert constants(folder / model.name / "1") > model.count_params()
    for module in (metadata, publication):
        assert model.count_params() < module.MOST_CONSTANTS
        monkeypatch.setattr(module, "MOST_CONSTANTS", model.count_params() // 2)
    path = publish(model, tmp_path, measure_speed=False)
    assert constants(path) < model.count_params() / 3
    assert len(list(path.rglob("*.data-*"))) == len(list(path.rglob("*.keras"))) == 1
    loaded, images = load(path), pixels(model)
    found = loaded.signatures["fast_serve"](images=tf.constant(images))
    close(found["probabilities"], np.asarray(model(images)))
    assert "have the weights of the others" in (path / "model_card.md").read_text()


@pytest.mark.long
def test_only_a_softmax_and_sigmoids_give_probabilities(published, published_as):
    folder, models = published
    sigmoids = folder / "two_stages_y" / "1", models["two_stages_y"]
    for (path, model), name, function in (
        (sigmoids, "probabilities", tf.sigmoid),
        (published_as("normalized"), "scores", tf.tanh),
    ):
        images = pixels(model) / 255
        expected = logits(model, images)
        for signature in ("serve", "fast_serve"):
            found = load(path).signatures[signature](images=tf.constant(images))
            assert set(found) == {"logits", name}
            close(found["logits"], expected)
            close(found[name], function(expected).numpy())
        assert f"`{name}`, `logits`" in (path / "model_card.md").read_text()


@pytest.mark.parametrize("preprocessing", [True, False])
def test_the_fast_graph_adds_within_its_convolutions(
    preprocessing, published, published_as
):
    folder, models = published
    path, model = folder / "two_stages_x" / "1", models["two_stages_x"]
    if not preprocessing:
        path, model = published_as("normalized")
    v1, images = tf.compat.v1, pixels(model)
    with v1.Session(graph=tf.Graph()) as session:
        meta = v1.saved_model.load(session, ["serve"], str(path))
        signature = meta.signature_def["fast_serve"]
        ran = v1.RunMetadata()
        session.run(
            signature.outputs["logits"].name,
            {signature.inputs["images"].name: images},
            v1.RunOptions(output_partition_graphs=True),
            ran,
        )
    found = collections.Counter(
        node.op for graph in ran.partition_graphs for node in graph.node
    )
    if not any(op.startswith("_Mkl") for op in found):
        pytest.skip("this TensorFlow has no oneDNN")
    # Grouped ones are kept from it, so that the graph runs on every machine; and of the
    # batch size after them it does not know that it is that of the block's input.
    layers = list(all_layers(model))
    grouped = sum(isinstance(n, GroupedConv2D) and n.groups > 1 for n in layers)
    unprojected = sum(isinstance(n, XBlock) and n.downsample is None for n in layers)
    assert found["Conv2D"] == 0
    assert found["BiasAdd"] == grouped, found
    assert found["Relu"] == grouped + unprojected, found
    assert found["AddV2"] == unprojected + preprocessing, found


@pytest.mark.parametrize("form", ["", "native_"])
def test_training_endpoints_update_as_the_model_does(published, form):
    folder, models = published
    model = models["two_stages_y"]
    loaded = tf.saved_model.load(str(folder / model.name / "1"))
    images = pixels(model)
    own = network("y", (None, None, 3), classifier_activation="sigmoid")
    own.set_weights(model.get_weights())
    expected = np.asarray(own(images, training=True))
    before = [variable.numpy() for variable in loaded.variables]
    close(getattr(loaded, f"{form}train")(images), expected)
    names = [variable.name.removesuffix(":0") for variable in loaded.variables]
    for variable in own.weights:
        close(loaded.variables[names.index(variable.path)], np.asarray(variable))
    moved = [
        name
        for name, old, new in zip(names, before, loaded.variables, strict=True)
        if not np.array_equal(old, new)
    ]
    assert moved == [name for name in names if "moving_" in name]


def test_images_files_and_pixels_are_served(published):
    loaded, model = loaded_and_model(published, "two_stages_y")
    reader = ImageReader.for_model(model)
    small = np.random.RandomState(0).uniform(0, 255, (5, 7, 3))
    picture = tf.cast(tf.image.resize(small, (60, 90)), tf.uint8)
    encoded = [tf.io.encode_png(picture), tf.io.encode_jpeg(picture, quality=95)]
    grey = tf.image.rgb_to_grayscale(picture)
    encoded.append(tf.io.encode_jpeg(grey))
    expected = logits(model, np.stack([reader(each) for each in encoded]))
    for name in ("serving_default", "fast_serving"):
        outputs = loaded.signatures[name](image_bytes=tf.stack(encoded))
        close(outputs["logits"], expected)
        assert outputs["probabilities"].shape == (3, 5)
    for name in ("serve_pixels", "fast_serve_pixels"):
        outputs = loaded.signatures[name](images=picture[None])
        close(outputs["logits"], expected[:1])


def test_free_image_sizes_stay_free(published):
    loaded, model = loaded_and_model(published, "two_stages_y")
    images = np.random.RandomState(0).uniform(0, 255, (2, 45, 37, 3)).astype("float32")
    close(loaded.serve(images), model(images, training=False))


def test_normalised_input_is_made_from_both_ranges(published_as):
    path, model = published_as("normalized")
    loaded, images = load(path), pixels(model)
    normalized = (images / 255 - SPECIFICATION.mean) / SPECIFICATION.std
    expected = logits(model, normalized.astype("float32"))
    close(loaded(images / 255), expected)
    close(loaded.signatures["serve"](images=normalized)["logits"], expected)


@pytest.mark.long
def test_networks_without_a_classifier(published_as):
    path, model = published_as("features")
    loaded, images = load(path), pixels(model)
    expected = np.asarray(model(images, training=False))
    close(loaded(images / 255), expected)
    close(loaded.feature_vector(images / 255), expected)
    close(loaded.signatures["fast_serve"](images=images)["features"], expected)


_ALONE = """
import json, sys
import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

path = sys.argv[1]
keras.utils.set_random_seed(0)
digits = load_digits()
images = tf.image.resize(digits.images[..., None] * 255 / 16, (28, 28)).numpy()
labels = digits.target
loaded = tf.saved_model.load(path)
out = {}
for name, target in (("logits", loaded), ("features", loaded.feature_vector)):
    variables = target.trainable_variables
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(target(images[:8] / 255, training=True) ** 2)
    gradients = tape.gradient(loss, variables)
    out[name] = [
        None if g is None else float(tf.reduce_max(tf.abs(g))) for g in gradients
    ]
out["names"] = [v.name for v in loaded.trainable_variables]
layer = keras.layers.TFSMLayer(
    path, call_endpoint="serve_features", call_training_endpoint="train_features"
)
image = keras.Input((28, 28, 1))
model = keras.Model(image, keras.layers.Dense(10)(layer(image)))
model.compile(
    keras.optimizers.SGD(0.1),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
)
old = {v.path: v.numpy() for v in layer.weights}
history = model.fit(images[:640], labels[:640], batch_size=32, epochs=4, verbose=0)
out["moved"] = [v.path for v in layer.weights if not np.array_equal(v, old[v.path])]
out["losses"] = history.history["loss"]
assert "keras_regnet" not in sys.modules
print(json.dumps(out))
"""


@pytest.mark.long
def test_is_fine_tuned_without_this_package(published, tmp_path):
    folder, models = published
    model = models["two_stages_x"]
    answer = subprocess.run(
        [sys.executable, "-c", _ALONE, str(folder / "two_stages_x" / "1")],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    out = json.loads(answer.stdout.splitlines()[-1])
    names = [name.removesuffix(":0") for name in out["names"]]
    assert names == [variable.path for variable in model.trainable_variables]
    for name, gradient in zip(names, out["logits"], strict=True):
        assert gradient is not None and gradient > 0, name
    assert out["features"] and min(out["features"]) > 0
    moving = [v.path for v in model.weights if "moving_" in v.path]
    assert len([path for path in out["moved"] if "moving_" in path]) == len(moving)
    assert out["losses"][-1] < 0.8 * out["losses"][0]


def command_line(path, signature, name, values, folder):
    """The logits that `saved_model_cli run` gives, in this process."""
    saved_model_cli.run_saved_model_with_feed_dict(
        str(path), "serve", signature, {name: values}, str(folder), True
    )
    return np.load(folder / "logits.npy")


@pytest.mark.long
def test_command_line_of_tensorflow_runs_and_shows_it(published, tmp_path):
    folder, models = published
    model = models["two_stages_x"]
    images = pixels(model, 2)
    path = folder / "two_stages_x" / "1"
    np.save(tmp_path / "in.npy", images)
    program = ["-m", saved_model_cli.__name__, "run"]
    program += ["--dir", path, "--tag_set", "serve", "--overwrite"]
    program += ["--signature_def", "serve", "--outdir", tmp_path]
    program += ["--inputs", f"images={tmp_path / 'in.npy'}"]
    ran = fork_server.run(program)
    assert ran.returncode == 0, ran.stderr
    close(np.load(tmp_path / "logits.npy"), logits(model, images))
    shown = fork_server.run([*program[:2], "show", "--dir", path, "--all"]).stdout
    for name in load(path).signatures:
        assert f"signature_def['{name}']" in shown


@pytest.mark.real_data
def test_command_line_equals_predict_on_photographs(published_as, tmp_path):
    path, model = published_as("photographs")
    photographs = sorted(real_data("imagenet_samples").rglob("*.[jJ][pP]*"))[::5]
    contents = [file.read_bytes() for file in photographs]
    greys = [tf.io.decode_jpeg(each).shape[-1] == 1 for each in contents]
    assert 1 < sum(greys) < len(greys)
    found = command_line(
        path, "serving_default", "image_bytes", np.array(contents, object), tmp_path
    )
    run = open_run(path)
    images = np.stack([read_image(run, file) for file in photographs])
    close(found, logits(model, images))
    shares = tf.nn.softmax(found).numpy()
    for row, prediction in zip(shares, predict_files(run, photographs, 1), strict=True):
        assert prediction.top[0][1] == pytest.approx(row.max(), abs=1e-4)


@pytest.mark.real_data
def test_every_signature_of_photographs_runs_on_the_command_line(
    published_as, tmp_path
):
    path, model = published_as("photographs")
    file = min(real_data("imagenet_samples").rglob("*.[jJ][pP]*"))
    encoded = np.array([file.read_bytes()], object)
    decoded = decode(encoded[0]).numpy()[None]
    image = read_image(open_run(path), file)[None]
    expected = logits(model, image)
    for name, key, values in (
        ("serving_default", "image_bytes", encoded),
        ("fast_serving", "image_bytes", encoded),
        ("serve_pixels", "images", decoded),
        ("fast_serve_pixels", "images", decoded),
        ("serve", "images", image),
        ("fast_serve", "images", image),
    ):
        close(command_line(path, name, key, values, tmp_path), expected)


def test_no_empty_folder_is_left(published):
    folder, _ = published
    path = folder / "two_stages_x" / "1"
    assert not [
        each for each in path.rglob("*") if each.is_dir() and not any(each.iterdir())
    ]
