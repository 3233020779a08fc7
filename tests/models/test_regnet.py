import json
import math
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_regnet
from keras_regnet.architecture import published_names

GOLDEN = Path(__file__).parents[1] / "golden"


def test_numbers_and_name_give_the_same_network():
    arguments = {"input_shape": (64, 64, 3), "classes": 3}
    by_name = keras_regnet.RegNetX("400MF", **arguments)
    by_numbers = keras_regnet.RegNetX(
        depth=22,
        w0=24,
        wa=24.48,
        wm=2.54,
        group_width=16,
        bottleneck_ratio=1.0,
        **arguments,
    )
    assert [tuple(w.shape) for w in by_name.variables] == [
        tuple(w.shape) for w in by_numbers.variables
    ]
    assert by_name.name == "regnetx_400mf"


def test_torchvision_spelling_means_torchvision_widths():
    published = keras_regnet.RegNetX("400MF", include_top=False)
    twin = keras_regnet.RegNetX("regnet_x_400mf", include_top=False)
    assert published.output_shape[-1] == 384
    assert twin.output_shape[-1] == 400


def test_the_book_network_takes_grey_images():
    model = keras_regnet.RegNet("RegNetX32", input_shape=(96, 96, 1), classes=10)
    shapes = [model.get_layer(name).output.shape for name in ("s1_b4", "s2_b6")]
    assert shapes == [(None, 24, 24, 32), (None, 12, 12, 80)]
    assert model.get_layer("s1_b1").conv2.conv.groups == 2


def test_every_stem_and_stride():
    model = keras_regnet.RegNetY(
        depth=4,
        w0=16,
        wa=16,
        wm=2.0,
        group_width=8,
        stem="small",
        stem_width=8,
        strides=(1, 2, 2),
        input_shape=(28, 28, 1),
        classes=10,
    )
    assert model.get_layer("stem").output.shape == (None, 28, 28, 8)
    assert model.get_layer("s1_b1").output.shape[1] == 28
    assert model.get_layer("s3_b1").output.shape[1] == 7


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: keras_regnet.RegNetX(), "Received: None, without depth"),
        (lambda: keras_regnet.RegNetX(depth=3, w0=8), "without wa, wm, group_width"),
        (lambda: keras_regnet.RegNetX("200MF", depth=3), "not both"),
        (lambda: keras_regnet.RegNetX("210MF"), "RegNetX-200MF"),
        (lambda: keras_regnet.RegNetX("RegNetY-200MF"), "RegNetY-200MF"),
        (lambda: keras_regnet.RegNet(3), "Received: 3"),
        (
            lambda: keras_regnet.RegNetX(depth=0, w0=8, wa=8, wm=2, group_width=8),
            "depth=0",
        ),
        (
            lambda: keras_regnet.RegNetX(depth=3, w0=8, wa=8, wm=1, group_width=8),
            "wm=1",
        ),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@settings(max_examples=10, deadline=None)
@given(
    depth=st.integers(1, 5),
    w0=st.integers(1, 5).map(lambda n: 8 * n),
    wa=st.floats(0, 40),
    wm=st.floats(1.2, 3),
    group_width=st.sampled_from([1, 2, 4, 8, 16, 24]),
    bottleneck_ratio=st.sampled_from([0.5, 1.0, 2.0, 4.0]),
    squeeze=st.booleans(),
)
def test_random_networks_build_as_counted_or_are_refused(
    depth, w0, wa, wm, group_width, bottleneck_ratio, squeeze
):
    numbers = {
        "depth": depth,
        "w0": w0,
        "wa": wa,
        "wm": wm,
        "group_width": group_width,
        "bottleneck_ratio": bottleneck_ratio,
    }
    factory = keras_regnet.RegNetY if squeeze else keras_regnet.RegNetX
    try:
        parameters = keras_regnet.RegNetParameters(
            **numbers, squeeze_excite_ratio=0.25 * squeeze
        )
    except ValueError as error:
        assert "Received" in str(error)
        with pytest.raises(ValueError, match="Received"):
            factory(**numbers)
        return
    anynet = parameters.anynet()
    size = max(32, anynet.total_stride)
    model = factory(**numbers, input_shape=(size, size, 3), classes=4)
    counted = keras_regnet.complexity(anynet, size, classes=4)
    assert counted.total_parameters == model.count_params()
    side = size // anynet.total_stride
    name = f"s{len(anynet.stages)}_b{anynet.depths[-1]}"
    shape = model.get_layer(name).output.shape
    assert shape == (None, side, side, anynet.widths[-1])


@pytest.mark.slow
@pytest.mark.parametrize("name", published_names())
def test_all_24_have_the_published_parameters_and_run(name):
    published = json.loads((GOLDEN / "published.json").read_text())
    row = published[name]
    model = keras_regnet.RegNet(name, input_shape=(64, 64, 3))
    assert model.count_params() == row["total_parameters"]
    trainable = sum(math.prod(v.shape) for v in model.trainable_variables)
    assert trainable == row["parameters"]
    outputs = model.predict(np.zeros((1, 64, 64, 3)), verbose=0)
    assert np.isfinite(outputs).all()
    keras.backend.clear_session()
