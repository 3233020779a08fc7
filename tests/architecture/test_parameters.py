import ast
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_regnet import architecture
from keras_regnet.architecture import (
    AnyNetParameters,
    RegNetParameters,
    Stage,
    complexity,
)

from .golden import (
    PUBLISHED,
    compatible_width,
    parameters_of_x_or_y,
    per_block,
)

SIX = {"depth": 13, "w0": 24, "wa": 36.44, "wm": 2.49, "group_width": 8}


def regnet(**changes):
    return RegNetParameters(**{**SIX, **changes})


def golden_parameters(golden):
    names = ("depth", "w0", "wa", "wm", "group_width", "squeeze_excite_ratio")
    return RegNetParameters(**{name: golden[name] for name in names})


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_numbers_give_published_stages(name):
    golden = PUBLISHED[name]
    parameters = golden_parameters(golden)
    network = parameters.anynet()
    assert list(network.depths) == golden["depths"]
    assert list(network.widths) == golden["widths"]
    assert network.block == ("y" if "RegNetY" in name else "x")
    groups = golden["stage_group_widths"] or [golden["group_width"]] * 4
    assert [stage.group_width for stage in network.stages] == groups
    derivation = parameters.explain()
    assert list(derivation.quantized) == per_block(
        golden["depths"], golden["quantized_widths"]
    )
    assert list(derivation.compatible) == per_block(golden["depths"], golden["widths"])


def test_derivation_by_hand():
    derivation = regnet(depth=4).explain()
    assert derivation.continuous == pytest.approx((24, 60.44, 96.88, 133.32))
    # log(u / 24) / log(2.49) = 0, 1.012, 1.530, 1.880
    assert derivation.exponents == (0, 1, 2, 2)
    # 24 * 2.49 = 59.76 -> 56 (7.47 rounds to 7); 24 * 2.49**2 = 148.8 -> 152
    assert derivation.quantized == (24, 56, 152, 152)
    assert derivation.compatible == (24, 56, 152, 152)
    assert derivation.stages == (
        Stage(1, 24, 2, 8),
        Stage(1, 56, 2, 8),
        Stage(2, 152, 2, 8),
    )
    table = str(derivation).splitlines()
    assert table[-1].split() == ["s3_b2", "3", "133.32", "2", "152", "152"]
    assert "changed for the groups" not in str(derivation)
    assert "changed for the groups" in str(regnet(group_width=16).explain())


def test_group_wider_than_the_stage():
    """RegNetX-8.0GF: 80 channels and group width 120 make one group of 80."""
    stage = golden_parameters(PUBLISHED["RegNetX-8.0GF"]).anynet().stages[0]
    assert (stage.width, stage.group_width, stage.groups) == (80, 80, 1)


def test_stages_that_compatibility_makes_equal_stay_two():
    parameters = RegNetParameters(depth=2, w0=48, wa=16, wm=64 / 48, group_width=64)
    assert parameters.explain().quantized == (48, 64)
    # min(64, 48) = 48 fits into 48 and 64 into 64; with group width 40: 40 and 80.
    assert parameters.anynet().widths == (48, 64)
    merged = RegNetParameters(depth=2, w0=48, wa=8, wm=56 / 48, group_width=40)
    assert merged.explain().quantized == (48, 56)
    assert merged.anynet().widths == (40, 40)
    assert merged.anynet().depths == (1, 1)


def test_strides_and_stems():
    network = regnet(strides=(1, 2, 2, 2), stem="small").anynet()
    assert [stage.stride for stage in network.stages] == [1, 2, 2, 2]
    assert (network.stem_stride, network.total_stride) == (1, 8)
    assert regnet().anynet().total_stride == 32
    assert regnet(stem="resnet").anynet().total_stride == 64


def test_blocks():
    network = AnyNetParameters(
        (Stage(2, 64, 1, 8, 2.0), Stage(1, 64, 1, None), Stage(1, 96, 2, 16)),
        block="y",
        squeeze_excite_ratio=0.25,
        stem_width=64,
    )
    rows = [tuple(vars(block).values()) for block in network.blocks()]
    assert rows == [
        ("s1_b1", 1, 1, 64, 64, 1, 4, 8, 32, 16, False),
        ("s1_b2", 1, 2, 64, 64, 1, 4, 8, 32, 16, False),
        ("s2_b1", 2, 1, 64, 64, 1, 1, 64, 64, 16, False),
        ("s3_b1", 3, 1, 64, 96, 2, 6, 16, 96, 16, True),
    ]


def test_squeeze_width_comes_from_the_input_of_the_block():
    blocks = list(golden_parameters(PUBLISHED["RegNetY-200MF"]).anynet().blocks())
    assert [b.squeeze_excite_width for b in blocks[:4]] == [8, 6, 14, 38]
    tiny = AnyNetParameters((Stage(1, 8),), "y", 0.1, stem_width=1)
    assert tiny.squeeze_excite_width(1) == 1


@pytest.mark.parametrize("block", ["res_basic", "vanilla"])
def test_plain_blocks_have_one_group(block):
    network = AnyNetParameters((Stage(2, 32, 2, 8),), block)
    first, second = network.blocks()
    assert (first.groups, first.group_width, first.bottleneck_width) == (1, 32, 32)
    assert first.has_projection == (block == "res_basic")
    assert not second.has_projection


def test_inverted_bottleneck():
    stage = Stage(1, 32, 2, 16, 0.25)
    assert (stage.bottleneck_width, stage.groups) == (128, 8)
    assert Stage(1, 10, 2, 3, 1 / 3).bottleneck_width == 30


def test_numpy_numbers_become_python_numbers():
    stage = Stage(np.int64(2), np.int32(16), group_width=np.int64(8))
    assert type(stage.depth) is int and type(stage.group_width) is int
    parameters = regnet(wa=np.float32(36), w0=np.int64(24))
    json.dumps(parameters.to_dict())
    assert parameters == regnet(wa=36)


EXAMPLES = [
    Stage(2, 64, 1, 8, 2.0),
    Stage(1, 8),
    regnet(),
    regnet(strides=[1, 2, 2, 2], squeeze_excite_ratio=0.25, rounding="torchvision"),
    AnyNetParameters((Stage(4, 32, 2, 16), Stage(6, 80, 2, 16)), stem="small"),
    AnyNetParameters([Stage(4, 32)], block="vanilla", stem_width=16),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=repr)
def test_json_round_trip(example):
    text = json.dumps(example.to_dict())
    again = type(example).from_dict(json.loads(text))
    assert again == example and hash(again) == hash(example)
    if not isinstance(example, Stage):
        assert architecture.from_dict(json.loads(text)) == example


def test_dictionaries_are_plain():
    assert Stage(2, 64, 1, 8, 2.0).to_dict() == {
        "depth": 2,
        "width": 64,
        "stride": 1,
        "group_width": 8,
        "bottleneck_ratio": 2.0,
    }
    assert list(regnet().to_dict()) == [
        *("depth", "w0", "wa", "wm", "group_width", "bottleneck_ratio"),
        *("squeeze_excite_ratio", "stem", "stem_width", "strides", "rounding", "q"),
    ]


BAD = {
    "depth 0": (lambda: regnet(depth=0), "depth"),
    "depth true": (lambda: regnet(depth=True), "depth"),
    "depth 1.5": (lambda: regnet(depth=1.5), "depth"),
    "depth beyond reason": (lambda: regnet(depth=10**9), "depth"),
    "w0 0": (lambda: regnet(w0=0), "w0"),
    "w0 no multiple": (lambda: regnet(w0=28), "multiple of 8"),
    "wa negative": (lambda: regnet(wa=-1), "wa"),
    "wa nan": (lambda: regnet(wa=float("nan")), "wa"),
    "wa a word": (lambda: regnet(wa="36"), "wa"),
    "wm 1": (lambda: regnet(wm=1), "above 1"),
    "wm below 1": (lambda: regnet(wm=0.5), "above 1"),
    "wm infinite": (lambda: regnet(wm=float("inf")), "wm"),
    "group width 0": (lambda: regnet(group_width=0), "group_width"),
    "group width None": (lambda: regnet(group_width=None), "group_width"),
    "ratio 0": (lambda: regnet(bottleneck_ratio=0), "bottleneck_ratio"),
    "ratio odd": (lambda: regnet(bottleneck_ratio=1.2345678), "ratio of whole"),
    "squeeze 2": (lambda: regnet(squeeze_excite_ratio=2), "squeeze_excite_ratio"),
    "stem": (lambda: regnet(stem="big"), "'simple', 'small', 'resnet'"),
    "strides short": (lambda: regnet(strides=(1, 2)), "make 4 stages"),
    "stride 0": (lambda: regnet(strides=0), "strides"),
    "rounding": (lambda: regnet(rounding="timm"), "'pycls', 'torchvision'"),
    "too wide": (lambda: regnet(wa=1e6, depth=100), "width"),
    "unknown key": (lambda: RegNetParameters.from_dict({**SIX, "w1": 8}), "w1"),
    "missing key": (lambda: RegNetParameters.from_dict({"depth": 1}), "needs"),
    "no mapping": (lambda: architecture.from_dict([1]), "dictionary"),
    "stage key": (
        lambda: AnyNetParameters.from_dict({"stages": [{"depht": 1, "width": 8}]}),
        "depht",
    ),
    "no stages": (lambda: AnyNetParameters(()), "one Stage or more"),
    "stages of tuples": (lambda: AnyNetParameters(((1, 8),)), "one Stage or more"),
    "one stage": (lambda: AnyNetParameters(Stage(1, 8)), "one Stage or more"),
    "block": (lambda: AnyNetParameters((Stage(1, 8),), "z"), "'x', 'y'"),
    "y without squeeze": (lambda: AnyNetParameters((Stage(1, 8),), "y"), "above 0"),
    "x with squeeze": (lambda: AnyNetParameters((Stage(1, 8),), "x", 0.25), "above 0"),
    "plain bottleneck": (
        lambda: AnyNetParameters((Stage(1, 8, bottleneck_ratio=2),), "vanilla"),
        "no bottleneck",
    ),
    "stem width": (lambda: AnyNetParameters((Stage(1, 8),), stem_width=0), "stem_wid"),
    "stage depth": (lambda: Stage(0, 8), "depth"),
    "group no divisor": (lambda: Stage(1, 100, 2, 16), "multiples of 16: 96 or 112"),
    "group too wide": (lambda: Stage(1, 8, 2, 16), "multiples of 16: 16"),
    "bottleneck no divisor": (lambda: Stage(1, 72, 2, 16, 4), "of 64: 64 or 128"),
    "bottleneck not whole": (lambda: Stage(1, 9, 2, None, 2), "of 2: 8 or 10"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    make, part = BAD[case]
    with pytest.raises(ValueError, match="Received: ") as caught:
        make()
    assert part in str(caught.value)


GOOD = {
    "depth": st.integers(1, 40),
    "w0": st.integers(1, 40).map(lambda k: 8 * k),
    "wa": st.floats(0, 260),
    "wm": st.floats(1.01, 4),
    "group_width": st.integers(1, 400),
    "bottleneck_ratio": st.sampled_from([1, 2, 4, 3, 1.5, 0.5, 0.25, 1 / 3]),
    "squeeze_excite_ratio": st.sampled_from([0.0, 0.25, 0.1, 1.0]),
    "rounding": st.sampled_from(["pycls", "torchvision"]),
    "strides": st.sampled_from([1, 2]),
}
SUSPECT = {
    "depth": st.integers(-2, 20_000),
    "w0": st.integers(-8, 2_000_000),
    "wa": st.floats(),
    "wm": st.floats(),
    "group_width": st.integers(-1, 2_000_000),
    "bottleneck_ratio": st.floats(),
    "squeeze_excite_ratio": st.floats(),
    "strides": st.lists(st.integers(0, 3), max_size=5),
}
sets_of_numbers = st.fixed_dictionaries(GOOD) | st.sampled_from(
    sorted(SUSPECT)
).flatmap(lambda key: st.fixed_dictionaries({**GOOD, key: SUSPECT[key]}))


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(sets_of_numbers)
def test_any_numbers_derive_consistently_or_are_refused(values):
    derive_consistently_or_are_refused(values)


@pytest.mark.slow
@settings(max_examples=3000, deadline=None, derandomize=True, database=None)
@given(sets_of_numbers)
def test_many_numbers_derive_consistently_or_are_refused(values):
    derive_consistently_or_are_refused(values)


def derive_consistently_or_are_refused(values):
    try:
        parameters = RegNetParameters(**values)
    except ValueError as error:
        assert "Received: " in str(error)
        return
    depth, ratio = values["depth"], values["squeeze_excite_ratio"]
    b, g = values["bottleneck_ratio"], values["group_width"]
    derivation = parameters.explain()
    assert derivation.continuous[0] == values["w0"] == derivation.quantized[0]
    assert len(derivation.compatible) == depth
    assert all(w % 8 == 0 for w in derivation.quantized)
    assert list(derivation.quantized) == sorted(derivation.quantized)
    network = parameters.anynet()
    assert sum(network.depths) == depth == len(list(network.blocks()))
    for stage in network.stages:
        inner = stage.width / b
        assert inner == pytest.approx(stage.bottleneck_width)
        assert 1 <= stage.group_width <= g
        assert stage.group_width * stage.groups == stage.bottleneck_width
    if b in (1, 2, 4, 0.5, 0.25):
        expected = [
            compatible_width(w, b, g, values["rounding"])
            for w in dict.fromkeys(derivation.quantized)
        ]
        assert [(s.width, s.group_width) for s in network.stages] == expected
    stages = [
        (s.depth, s.width, s.stride, round(s.width / b), s.group_width)
        for s in network.stages
    ]
    assert complexity(parameters).parameters == parameters_of_x_or_y(stages, ratio)
    again = RegNetParameters.from_dict(json.loads(json.dumps(parameters.to_dict())))
    assert again == parameters


def test_architecture_imports_numpy_and_the_standard_library_alone():
    files = list(Path(architecture.__file__).parent.glob("*.py"))
    assert len(files) >= 5
    allowed = set(sys.stdlib_module_names) | {"numpy"}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, file
                modules = [node.module]
            else:
                continue
            for module in modules:
                own = module.startswith("keras_regnet.architecture")
                assert own or module.split(".")[0] in allowed, (file.name, module)
