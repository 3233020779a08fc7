"""export_onnx: the graph, the outputs in onnxruntime, and what is refused."""

import collections
import json
import logging

import keras
import numpy as np
import pytest

from keras_regnet.publishing import endings, preparation
from keras_regnet.publishing.agreement import DisagreementError
from keras_regnet.publishing.onnx_export import export_onnx, session
from tests.publishing import networks
from tests.torch_peer import relative_difference

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")


def kinds(path):
    return collections.Counter(node.op_type for node in onnx.load(path).graph.node)


def groups(path):
    """The group of every convolution that has more than one."""
    found = []
    for node in onnx.load(path).graph.node:
        if node.op_type == "Conv":
            values = {
                a.name: onnx.helper.get_attribute_value(a) for a in node.attribute
            }
            assert "auto_pad" not in values
            found += [values["group"]] if values["group"] > 1 else []
    return found


def outputs(path, images):
    """What onnxruntime gives, by name."""
    running = session(path)
    names = [each.name for each in running.get_outputs()]
    return dict(zip(names, running.run(None, {"images": images}), strict=True))


@pytest.mark.kernels
def test_the_graph_of_a_y_network(tmp_path):
    path = tmp_path / "net.onnx"
    model = networks.two_stages("y")
    exported = export_onnx(model, path, verbose=False)
    assert exported.path == path
    assert exported.bytes == path.stat().st_size
    assert exported.inputs == ("images", (None, 32, 32, 3))
    assert exported.outputs == ("logits",)
    assert exported.agreement.relative_difference < 1e-5
    assert exported.agreement.images == 8
    assert kinds(path) == {
        "Transpose": 1,
        "Conv": 1 + 3 * (3 + 2) + 2,  # stem, blocks with SE, two shortcuts
        "Relu": 1 + 3 * (2 + 1 + 1),
        "GlobalAveragePool": 4,
        "Sigmoid": 3,
        "Mul": 3,
        "Add": 3,
        "Flatten": 1,
        "Gemm": 1,
    }
    assert kinds(path)["Conv"] == networks.convolutions(model)
    assert groups(path) == [2, 2, 2]  # of 8 channels, and of 16 in the second stage
    graph = onnx.load(path).graph
    names = {node.name for node in graph.node}
    assert {"stem/conv", "s2_b2/conv2/conv", "s1_b1/se/fc1"} <= names
    constants = {each.name: tuple(each.dims) for each in graph.initializer}
    assert constants["s1_b1/conv2/conv/kernel"] == (16, 8, 3, 3)
    assert constants["s2_b1/conv2/conv/bias"] == (32,)


def test_the_groups_can_stay_as_they_are(tmp_path):
    path = tmp_path / "net.onnx"
    export_onnx(networks.two_stages("x"), path, channel_block=1, verbose=False)
    assert groups(path) == [2, 4, 4]
    graph = onnx.load(path).graph
    kernel = next(n for n in graph.initializer if n.name == "s2_b1/conv2/conv/kernel")
    assert tuple(kernel.dims) == (32, 8, 3, 3)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_free_sizes_in_both_layouts(layout, tmp_path):
    path = tmp_path / "net.onnx"
    model = networks.two_stages("y", input_shape=(None, None, 3))
    exported = export_onnx(model, path, layout=layout, verbose=False)
    free = (None, None, None)
    assert exported.inputs[1] == (
        (*free, 3) if layout == "NHWC" else (None, 3, None, None)
    )
    assert kinds(path)["Transpose"] == (layout == "NHWC")
    for shape in ((1, 32, 32, 3), (4, 65, 48, 3)):
        images = np.random.default_rng(1).standard_normal(shape, dtype="float32")
        expected = np.asarray(model(images))
        given = images if layout == "NHWC" else images.transpose(0, 3, 1, 2).copy()
        found = outputs(path, given)["logits"]
        assert relative_difference(found, expected) < 1e-5


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_feature_maps(layout, tmp_path):
    path = tmp_path / "net.onnx"
    model = networks.two_stages("x", include_top=False, feature_maps=True)
    exported = export_onnx(model, path, layout=layout, verbose=False)
    assert exported.outputs == ("P1", "P2", "P3")
    assert exported.agreement.top1 is None
    # One at the input and one at each output, none between.
    assert kinds(path)["Transpose"] == (4 if layout == "NHWC" else 0)


def test_a_resnet_stem_and_basic_blocks(tmp_path):
    path = tmp_path / "net.onnx"
    model = networks.two_stages("res_basic", "resnet", input_shape=(64, 64, 3))
    export_onnx(model, path, verbose=False)
    assert kinds(path)["MaxPool"] == 1
    assert "Pad" not in kinds(path)
    assert kinds(path)["Conv"] == networks.convolutions(model)


def test_dilated_networks_keep_one_convolution_each(tmp_path):
    path = tmp_path / "net.onnx"
    model = networks.trained(
        networks.keras_regnet.AnyNet(
            networks.AnyNetParameters(
                tuple(networks.Stage(1, 16 * n, 2, 16) for n in (1, 2, 3)), stem_width=8
            ),
            include_top=False,
            input_shape=(48, 48, 3),
            output_stride=8,
        )
    )
    export_onnx(model, path, verbose=False)
    assert set(kinds(path)) == {"Transpose", "Conv", "Relu", "Add"}
    assert kinds(path)["Conv"] == networks.convolutions(model)
    assert len(groups(path)) == networks.grouped_convolutions(model) == 2


def test_grey_pixels(tmp_path):
    path = tmp_path / "net.onnx"
    model = networks.grey(classifier_activation="softmax")
    export_onnx(model, path, layout="NCHW", verbose=False)
    images = networks.images_for(model)
    given = images.transpose(0, 3, 1, 2).copy()
    found = outputs(path, given)["probabilities"]
    np.testing.assert_allclose(found.sum(-1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(found, model(images), atol=1e-5)


@pytest.mark.parametrize(("has", "wanted"), [("softmax", "logits"), (None, "softmax")])
def test_logits_or_probabilities_as_asked(has, wanted, tmp_path):
    path = tmp_path / "net.onnx"
    model = networks.two_stages("x", classifier_activation=has)
    exported = export_onnx(model, path, activation=wanted, verbose=False)
    logits = networks.two_stages("x")
    logits.set_weights(model.get_weights())
    images = networks.images_for(model)
    expected = np.asarray(logits(images))
    if wanted == "softmax":
        expected = np.asarray(keras.ops.softmax(expected))
    name = "logits" if wanted == "logits" else "probabilities"
    assert exported.outputs == (name,)
    assert relative_difference(outputs(path, images)[name], expected) < 1e-5
    assert kinds(path)["Softmax"] == (wanted == "softmax")


@pytest.mark.parametrize(("has", "wanted"), [("softmax",) * 2, (None, "logits")])
def test_what_ends_as_asked_stays(has, wanted):
    model = networks.two_stages("x", classifier_activation=has)
    assert endings.with_ending(model, wanted) is model


def test_other_heads(tmp_path):
    path = tmp_path / "net.onnx"
    features = networks.two_stages("x", include_top=False, pooling="avg")
    assert export_onnx(features, path, verbose=False).outputs == ("features",)
    head = keras.layers.Dense(3, "softmax", name="own")
    model = keras.Sequential([keras.Input((32, 32, 3)), features, head])
    exported = export_onnx(model, path, verbose=False)
    assert exported.outputs == ("probabilities",)
    exported = export_onnx(model, path, activation="logits", verbose=False)
    assert exported.outputs == ("logits",)
    with pytest.raises(ValueError, match=r"Dense.*give logits.*Received"):
        export_onnx(features, path, activation="logits")


def test_mixed_precision_is_exported_in_float32(tmp_path):
    path = tmp_path / "net.onnx"
    model = networks.two_stages("y", dtype="mixed_bfloat16")
    exported = export_onnx(model, path, verbose=False)
    assert exported.agreement.relative_difference < 1e-5
    assert all(each.data_type == 1 for each in onnx.load(path).graph.initializer)


def test_the_oldest_operators_and_metadata(tmp_path):
    path = tmp_path / "net.onnx"
    model = networks.two_stages("y")
    metadata = {"licence": "MIT", "class_names": ["cat", "dog"]}
    export_onnx(model, path, opset=13, metadata=metadata, verbose=False)
    found = onnx.load(path)
    assert [(each.domain, each.version) for each in found.opset_import] == [("", 13)]
    entries = {each.key: each.value for each in found.metadata_props}
    assert entries["licence"] == "MIT"
    assert json.loads(entries["class_names"]) == ["cat", "dog"]
    assert kinds(path)["GlobalAveragePool"] == 4


def test_a_line_is_printed_and_logs_keep_their_levels(tmp_path, capsys, monkeypatch):
    logger = logging.getLogger("tensorflow")
    monkeypatch.setattr(logger, "level", logging.INFO)
    export_onnx(networks.two_stages("x"), tmp_path / "net.onnx")
    line = capsys.readouterr().out
    assert "net.onnx" in line
    assert "largest relative difference" in line
    assert logger.level == logging.INFO


def test_a_file_that_differs_is_refused_and_nothing_is_left(tmp_path, monkeypatch):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"what was there")
    model = networks.two_stages("x")
    with pytest.raises(DisagreementError, match=r"tolerance of 1e-12\. Received: "):
        export_onnx(model, path, tolerance=1e-12)

    fuse = preparation.fuse

    def wrong(*args, **kwargs):
        fused = fuse(*args, **kwargs)
        unit = fused.get_layer("s2_b1").conv2.conv
        unit.set_weights([value * 1.01 for value in unit.get_weights()])
        return fused

    monkeypatch.setattr(preparation, "fuse", wrong)
    with pytest.raises(DisagreementError):
        export_onnx(model, path)
    assert path.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_impossible_is_refused_before_work(tmp_path):
    model = networks.two_stages("x")
    for arguments, received in (
        ({"path": tmp_path / "net.pb"}, "net.pb"),
        ({"path": tmp_path / "none" / "net.onnx"}, "none/net.onnx"),
        ({"layout": "CHWN"}, "CHWN"),
        ({"opset": 12}, "12"),
        ({"opset": 99}, "99"),
        ({"channel_block": 0}, "channel_block=0"),
        ({"activation": "relu"}, "activation='relu'"),
        ({"model": 3}, "model=3"),
    ):
        arguments = {"model": model, "path": tmp_path / "net.onnx"} | arguments
        with pytest.raises(ValueError, match=f"Received: .*{received}"):
            export_onnx(**arguments)
    inputs = keras.Input((4,))
    dense = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    with pytest.raises(ValueError, match=r"batch of images.*Received"):
        export_onnx(dense, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x_200mf", "x_400mf", "y_200mf", "y_400mf"])
def test_published_networks(name, tmp_path):
    path = tmp_path / "net.onnx"
    model = networks.published(name)
    exported = export_onnx(model, path, verbose=False)
    assert exported.agreement.relative_difference < 1e-4
    assert kinds(path)["Conv"] == networks.convolutions(model)
    assert len(groups(path)) == networks.grouped_convolutions(model)
    assert kinds(path)["Transpose"] == 1
    assert not {"Pad", "Reshape", "ReduceMean"} & set(kinds(path))


@pytest.mark.peers
def test_weights_of_timm_give_timms_logits(tmp_path):
    """16 blocks of three convolutions and SE's two; four shortcuts and the stem."""
    from tests.torch_peer import carry_over, logits, random_timm_model

    theirs = random_timm_model("regnety_004")
    model = networks.published("y_400mf")
    carry_over(theirs, model)
    path = tmp_path / "net.onnx"
    export_onnx(model, path, verbose=False)
    images = networks.images_for(model, 2)
    found = outputs(path, images)["logits"]
    assert relative_difference(found, logits(theirs, images)) < 1e-4
    assert kinds(path)["Conv"] == 1 + 16 * (3 + 2) + 4 == networks.convolutions(model)
    assert len(groups(path)) == 16
