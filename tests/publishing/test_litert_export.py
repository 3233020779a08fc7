"""export_litert: the outputs in LiteRT's interpreter, and what is refused."""

import collections

import numpy as np
import pytest

from keras_regnet.preprocessing import PreprocessingSpec
from keras_regnet.publishing import litert_export
from keras_regnet.publishing.agreement import DisagreementError
from keras_regnet.publishing.calibration import give_silent_units_a_range
from keras_regnet.publishing.exports import export_formats
from keras_regnet.publishing.fusion import fuse
from keras_regnet.publishing.litert_export import export_litert, interpreter
from tests.publishing import networks
from tests.torch_peer import relative_difference

litert = pytest.importorskip("ai_edge_litert.interpreter")


def outputs(path, images, without_delegate=False):
    """What the interpreter gives for a batch, after resizing its input."""
    kind = litert.OpResolverType
    found = litert.Interpreter(
        str(path),
        experimental_op_resolver_type=kind.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        if without_delegate
        else kind.AUTO,
    )
    (given,), (first, *_) = found.get_input_details(), found.get_output_details()
    found.resize_tensor_input(given["index"], images.shape)
    found.allocate_tensors()
    found.set_tensor(given["index"], images.astype(given["dtype"]))
    found.invoke()
    return found.get_tensor(first["index"])


def operators(path):
    """The operators of a file, without the delegate that runs them."""
    kind = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    found = litert.Interpreter(str(path), experimental_op_resolver_type=kind)
    # Not public, and the only way to see them without a further package.
    return collections.Counter(n["op_name"] for n in found._get_ops_details())


@pytest.mark.parametrize("block", ["x", "y"])
def test_float32_with_and_without_the_delegate(block, tmp_path):
    path = tmp_path / "net.tflite"
    model = networks.two_stages(block)
    exported = export_litert(model, path, verbose=False)
    assert exported.bytes == path.stat().st_size
    assert exported.inputs == ("images", (None, 32, 32, 3))
    assert exported.outputs == ("logits",)
    assert exported.agreement.relative_difference < 1e-5
    assert operators(path)["CONV_2D"] == networks.convolutions(model)
    assert "BATCH_NORM" not in str(operators(path))
    for count in (1, 7):
        images = networks.images_for(model, count)
        expected = np.asarray(model(images))
        for without_delegate in (False, True):
            found = outputs(path, images, without_delegate)
            assert relative_difference(found, expected) < 1e-5


def test_free_sizes_and_several_outputs(tmp_path):
    path = tmp_path / "net.tflite"
    model = networks.two_stages("y", input_shape=(None, None, 3))
    assert export_litert(model, path, verbose=False).inputs[1] == (None, None, None, 3)
    images = networks.images_for(model)
    assert images.shape[1:3] == (40, 33)
    assert relative_difference(outputs(path, images), model(images)) < 1e-5
    maps = networks.two_stages("x", include_top=False, feature_maps=True)
    exported = export_litert(maps, path, verbose=False)
    assert exported.outputs == ("P1", "P2", "P3")
    signature = interpreter(path).get_signature_list()["serving_default"]
    assert signature == {"inputs": ["images"], "outputs": ["P1", "P2", "P3"]}


def test_grey_pixels_in_float16(tmp_path):
    path, full = tmp_path / "half.tflite", tmp_path / "full.tflite"
    model = networks.grey()
    half = export_litert(
        model, path, precision="float16", activation="softmax", verbose=False
    )
    assert half.outputs == ("probabilities",)
    assert 1e-7 < half.agreement.relative_difference < 1e-2
    assert half.bytes < 0.8 * export_litert(model, full, verbose=False).bytes


@pytest.mark.parametrize("input_type", ["float32", "uint8"])
def test_int8_is_judged_on_images_outside_the_calibration(input_type, tmp_path):
    path = tmp_path / "net.tflite"
    model = networks.grey()
    exported = export_litert(
        model,
        path,
        precision="int8",
        calibration=networks.images_for(model, 40),
        evaluation=[networks.images_for(model, 25, seed) for seed in (6, 7)],
        input_type=input_type,
        least_agreement=0.5,
        verbose=False,
    )
    assert exported.agreement.images == 40
    assert exported.evaluation.images == 50
    assert exported.evaluation.top1 >= 0.5
    assert 1e-5 < exported.evaluation.relative_difference < 0.25
    assert "on the given images" in str(exported)
    (details,) = interpreter(path).get_input_details()
    assert details["dtype"] == np.dtype(input_type)
    assert operators(path)["CONV_2D"] == networks.convolutions(model)
    images = networks.images_for(model, 8, 8)
    scale, zero = details["quantization"]
    given = np.rint(images / scale + zero) if scale else images
    found = outputs(path, given)
    assert relative_difference(found, model(images)) < 0.25


def test_useless_calibration_images_end_in_an_error_and_no_file(tmp_path):
    path = tmp_path / "net.tflite"
    model = networks.grey()  # for pixels of 0 to 255
    images = networks.images_for(model, 40)
    others = networks.images_for(model, 40, 6)
    for useless, message in (
        (images / 255, "must be as the model takes them, of 0 to 255"),
        (images - 128, "must be as the model takes them"),
        (images * np.nan, "finite numbers"),
        (np.full_like(images, 128), "must differ"),
        (np.repeat(images[:1], 40, 0), "must differ"),
    ):
        with pytest.raises(ValueError, match=rf"{message}.*Received: calibration im"):
            export_litert(model, path, precision="int8", calibration=useless)
    with pytest.raises(DisagreementError, match=r"(top-1|tolerance).*Received: "):
        export_litert(
            model, path, precision="int8", calibration=images / 64, evaluation=others
        )
    assert not list(tmp_path.iterdir())
    # A network that takes normalised images says their range, too.
    model = networks.two_stages("x", preprocessing=PreprocessingSpec(32, 32))
    with pytest.raises(ValueError, match=r"of -2\.12 to 2\.64,.*Received: .* to 256"):
        export_litert(
            model,
            path,
            precision="int8",
            calibration=np.float32([[[[0, 9, 255]]]])
            + np.zeros((2, 32, 32, 3), "float32")
            + np.arange(2)[:, None, None, None],
        )


def test_all_formats_together_hold_int8_to_the_least_agreement(tmp_path):
    model = networks.grey(name="grey")
    images = networks.images_for(model, 60)
    with pytest.raises(DisagreementError, match=r"(top-1|tolerance).*Received: "):
        export_formats(
            model,
            ["litert_int8"],
            tmp_path,
            calibration=images[:30] / 64,
            evaluation=images[30:],
            measure_speed=False,
        )
    assert not list(tmp_path.iterdir())


def test_squeezes_that_never_fire_are_quantised_too(tmp_path):
    path = tmp_path / "net.tflite"
    model = networks.two_stages("y")
    squeeze = model.get_layer("s1_b1").se.fc1
    squeeze.set_weights([0 * squeeze.get_weights()[0] - 1.0, -np.ones(2)])
    images = networks.images_for(model, 20)
    network = fuse(model)
    before = np.asarray(network(images))
    give_silent_units_a_range(network, [images])
    np.testing.assert_allclose(network(images), before, rtol=1e-5, atol=1e-5)
    assert network.get_layer("s1_b1").se.fc1.get_weights()[1].tolist() == [1.0, -1.0]
    exported = export_litert(
        model, path, precision="int8", calibration=images, verbose=False
    )
    assert exported.agreement.relative_difference < 0.25


def test_mixed_precision_is_exported_in_float32(tmp_path):
    model = networks.two_stages("x", dtype="mixed_float16")
    exported = export_litert(model, tmp_path / "net.tflite", verbose=False)
    assert exported.agreement.relative_difference < 1e-5


def test_a_file_that_differs_is_refused_and_nothing_is_left(tmp_path, capsys):
    path = tmp_path / "net.tflite"
    model = networks.two_stages("x")
    with pytest.raises(DisagreementError, match=r"tolerance of 1e-12\. Received: "):
        export_litert(model, path, tolerance=1e-12)
    images = networks.images_for(model, 10)
    arguments = {"precision": "int8", "calibration": images, "evaluation": images}
    with pytest.raises(DisagreementError, match=r"top-1 .*below 1\.5\. Received: "):
        export_litert(model, path, least_agreement=1.5, **arguments)
    assert not list(tmp_path.iterdir())
    assert "largest" not in capsys.readouterr().out


def test_a_file_that_the_interpreter_cannot_run_is_refused(tmp_path, monkeypatch):
    def silent(*args):
        """Leaves the squeezes as they are."""

    monkeypatch.setattr(litert_export, "give_silent_units_a_range", silent)
    model = networks.two_stages("y")
    squeeze = model.get_layer("s1_b1").se.fc1
    squeeze.set_weights([0 * squeeze.get_weights()[0] - 1.0, -np.ones(2)])
    images = networks.images_for(model, 20)
    with pytest.raises(ValueError, match=r"able to run.*Received: .*XNNPACK"):
        export_litert(
            model, tmp_path / "net.tflite", precision="int8", calibration=images
        )
    assert not list(tmp_path.iterdir())


def test_what_is_impossible_is_refused_before_work(tmp_path):
    model = networks.two_stages("x")
    images = networks.images_for(model)
    int8 = {"precision": "int8", "calibration": images}
    for arguments, received in (
        ({"path": tmp_path / "net.onnx"}, "net.onnx"),
        ({"path": tmp_path / "none" / "net.tflite"}, "none/net.tflite"),
        ({"precision": "int4"}, "int4"),
        ({"precision": "int8"}, "precision='int8', calibration=None"),
        ({"calibration": images}, "precision='float32', calibration=images"),
        ({"input_type": "uint8"}, "input_type='uint8'"),
        (int8 | {"calibration": images[..., :1]}, r"shape \(3, 32, 32, 1\)"),
        (int8 | {"calibration": []}, "none"),
        (int8 | {"evaluation": images[0]}, "shape"),
        ({"model": 3}, "model=3"),
    ):
        arguments = {"model": model, "path": tmp_path / "net.tflite"} | arguments
        with pytest.raises(ValueError, match=f"Received: .*{received}"):
            export_litert(**arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x_200mf", "x_400mf", "y_200mf", "y_400mf"])
def test_published_networks(name, tmp_path):
    path = tmp_path / "net.tflite"
    model = networks.published(name)
    exported = export_litert(model, path, verbose=False)
    assert exported.agreement.relative_difference < 1e-4
    assert operators(path)["CONV_2D"] == networks.convolutions(model)
