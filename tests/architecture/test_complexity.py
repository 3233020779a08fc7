import pytest

from keras_regnet.architecture import (
    AnyNetParameters,
    RegNetParameters,
    Stage,
    complexity,
    variant,
)

from .golden import PUBLISHED, TORCHVISION


@pytest.mark.parametrize("name", PUBLISHED)
def test_published(name):
    counted, golden = complexity(variant(name)), PUBLISHED[name]
    for key in ("multiply_adds", "parameters", "total_parameters", "activations"):
        assert getattr(counted, key) == golden[key], key


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision(name):
    counted, golden = complexity(variant(name)), TORCHVISION[name]
    assert counted.parameters == golden["parameters"]
    digits = len(golden["gflops"].partition(".")[2])
    # The digits printed, of a figure that does not count the biases' additions.
    assert round(counted.multiply_adds / 1e9, digits) == float(golden["gflops"])


def test_larger_than_published():
    for name, parameters, giga in [
        ("regnety_640", 281378786, 64.07),
        ("regnety_2560", 1282601138, 254.38),
    ]:
        counted = complexity(variant(name))
        assert counted.parameters == parameters
        assert round(counted.multiply_adds / 1e9, 2) == giga


def resnet(block, depths, widths, b=1.0, groups=1, stem="resnet"):
    stages = tuple(
        Stage(d, w, 1 if i == 0 else 2, int(w / b) // groups, b)
        for i, (d, w) in enumerate(zip(depths, widths, strict=True))
    )
    stem_width = 64 if stem == "resnet" else 16
    return AnyNetParameters(stages, block, stem=stem, stem_width=stem_width)


NARROW, WIDE, CIFAR = (64, 128, 256, 512), (256, 512, 1024, 2048), (16, 32, 64)


@pytest.mark.parametrize(
    ("network", "multiply_adds", "parameters", "activations"),
    [
        (resnet("x", (3, 4, 6, 3), WIDE, 4), 4089185256, 25557032, 11315688),
        (resnet("x", (3, 4, 23, 3), WIDE, 4), 7801406440, 44549160, 16433640),
        (resnet("x", (3, 4, 6, 3), WIDE, 2, 32), 4230480872, 25028904, 14602216),
        (resnet("res_basic", (9,) * 3, CIFAR, stem="small"), 125747850, 855770, 544778),
        (resnet("vanilla", (9,) * 3, CIFAR, stem="small"), 125485706, 853018, 532490),
    ],
    ids=["R-50", "R-101", "X-50-32x4d", "CIFAR R-56", "CIFAR V-56"],
)
def test_other_networks_of_pycls(network, multiply_adds, parameters, activations):
    """Expected: pycls, dev/model_complexity.json of 2020-09-04."""
    cifar = network.stem == "small"
    size, classes = (32, 10) if cifar else (224, 1000)
    counted = complexity(network, size, classes=classes)
    assert counted.multiply_adds == multiply_adds
    assert counted.parameters == parameters
    assert counted.activations == activations


def test_basic_block_of_torchvision():
    """Expected: torchvision's num_params and GFLOPs of resnet18 and resnet34."""
    for depths, parameters, giga in [
        ((2, 2, 2, 2), 11689512, 1.814),
        ((3, 4, 6, 3), 21797672, 3.664),
    ]:
        counted = complexity(resnet("res_basic", depths, NARROW))
        assert counted.parameters == parameters
        assert round(counted.multiply_adds / 1e9, 3) == giga


def test_vanilla_by_hand():
    network = AnyNetParameters((Stage(2, 4, 2),), "vanilla", stem="small", stem_width=2)
    counted = complexity(network, input_size=(5, 3), input_channels=1, classes=10)
    stem, stage, head = counted.parts
    assert stem.output_shape == (5, 3, 2) and stage.output_shape == (3, 2, 4)
    assert (stem.multiply_adds, stem.activations) == (9 * 2 * 15, 30)
    assert (stem.parameters, stem.total_parameters) == (18 + 4, 18 + 8)
    assert stage.multiply_adds == 9 * (2 * 4 + 3 * 4 * 4) * 6
    assert stage.parameters == 9 * (2 * 4 + 3 * 4 * 4) + 4 * 8
    assert stage.total_parameters == stage.parameters + 4 * 8
    assert stage.activations == 4 * 4 * 6
    assert (head.multiply_adds, head.parameters, head.activations) == (50, 50, 10)


def test_parts_of_the_network_of_the_book():
    """The shapes that Dive into Deep Learning prints for a grey 96x96 image."""
    counted = complexity(variant("RegNetX32"), 96, input_channels=1, classes=10)
    assert [(part.name, part.output_shape) for part in counted.parts] == [
        ("stem", (48, 48, 32)),
        ("s1", (24, 24, 32)),
        ("s2", (12, 12, 80)),
        ("head", (10,)),
    ]
    lines = str(counted).splitlines()
    assert len(lines) == 6 and f"{counted.multiply_adds:,}" in lines[-1]


def test_without_top_there_is_no_head():
    golden = PUBLISHED["RegNetY-4.0GF"]
    bare = complexity(variant("RegNetY-4.0GF"), include_top=False)
    head = (golden["widths"][-1] + 1) * 1000
    assert bare.total_parameters == golden["total_parameters"] - head
    assert bare.multiply_adds == golden["multiply_adds"] - head
    assert bare.activations == golden["activations"] - 1000


def test_torchvision_at_384():
    """GFLOPs that torchvision prints for its weights at 384 pixels."""
    for name, giga in [("regnet_y_16gf", 46.735), ("regnet_y_32gf", 94.826)]:
        counted = complexity(variant(name), input_size=384)
        assert round(counted.multiply_adds / 1e9, 1) == round(giga, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"input_size": 0},
        {"input_size": (224,)},
        {"input_size": "224"},
        {"input_channels": 0},
        {"classes": 0},
        {"parameters": "RegNetX-200MF"},
    ],
)
def test_bad_input(changes):
    arguments = {"parameters": RegNetParameters(1, 8, 0, 2, 8), **changes}
    with pytest.raises(ValueError, match="Received: "):
        complexity(**arguments)
