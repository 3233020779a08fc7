"""Large networks: what a SavedModel holds, and what no other file can."""

import dataclasses

import pytest

from keras_regnet import AnyNet
from keras_regnet.architecture import complexity, variant
from keras_regnet.publishing import (
    export_litert,
    export_onnx,
    load_published,
    preparation,
    publish,
)
from keras_regnet.publishing.exports import export_formats
from tests.publishing import networks

_REFUSED = r"limit of 2 GB; publish\(\) has none\. Received: 'small' with {:,} numbers"


@pytest.fixture
def too_large(monkeypatch):
    """A network, and a limit that is one byte less than it has."""
    model = networks.two_stages(name="small")
    monkeypatch.setattr(preparation, "_MOST_BYTES", 4 * model.count_params() - 1)
    return model, _REFUSED.format(model.count_params())


@pytest.mark.parametrize(
    ("export", "name", "needed"),
    [
        (export_onnx, "net.onnx", "tf2onnx"),
        (export_litert, "net.tflite", "ai_edge_litert"),
    ],
)
def test_files_with_a_limit_refuse_a_larger_network(
    too_large, export, name, needed, tmp_path
):
    pytest.importorskip(needed)
    model, message = too_large
    with pytest.raises(ValueError, match=message):
        export(model, tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("other", ["onnx", "litert", "litert_float16"])
def test_nothing_is_published_where_another_format_is_impossible(
    too_large, other, tmp_path
):
    model, message = too_large
    with pytest.raises(ValueError, match=message):
        export_formats(model, ["saved_model", other], tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_the_limit_is_between_the_networks_of_the_paper_and_the_larger_ones():
    def size(name):
        return 4 * complexity(variant(name), 224, 3, 1000).parameters

    assert size("RegNetY-32GF") < preparation._MOST_BYTES < size("RegNetY-128GF")
    assert preparation._MOST_BYTES < 2**31


@pytest.mark.slow
@pytest.mark.parametrize("name", ["RegNetY-32GF", "RegNetY-128GF"])
def test_the_largest_networks_are_published(name, tmp_path):
    """All of 32GF; of 128GF, whose 2.6 GB take long, all widths, but a block of each.

    The weights are in the SavedModel's folder twice, as variables and in the Keras
    file, and never in a graph, which has a limit of 2 GB.
    """
    parameters = variant(name).anynet()
    if name == "RegNetY-128GF":
        stages = (dataclasses.replace(each, depth=1) for each in parameters.stages)
        parameters = dataclasses.replace(parameters, stages=tuple(stages))
        assert parameters.widths == (528, 1056, 2904, 7392)
    model = AnyNet(parameters, input_shape=(32, 32, 3), classes=5, name="large")
    size = 4 * model.count_params()
    assert size > 5e8
    path = publish(model, tmp_path, measure_speed=False)  # compares the outputs
    assert (path / "saved_model.pb").stat().st_size < size / 50
    written = [each.stat().st_size for each in path.rglob("*") if each.is_file()]
    assert sum(written) < 2.1 * size
    again = load_published(path, include_top=True)
    assert again.count_params() == model.count_params()
