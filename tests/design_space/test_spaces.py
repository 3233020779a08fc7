import math

import pytest

from keras_regnet.architecture import AnyNetParameters, RegNetParameters, Stage
from keras_regnet.design_space import (
    BottleneckRatio,
    FallingDepths,
    FallingWidths,
    GroupWidth,
    MaxActivations,
    MaxParameters,
    QuantizedLinear,
    RisingDepths,
    RisingWidths,
    SharedBottleneck,
    SharedGroupWidth,
    SlopeIsInitialWidth,
    TotalDepth,
    UnsharedGroupWidth,
    WidthMultiplier,
    choices,
    log_uniform,
    ranges,
    spaces,
)


def anynet(depths, widths, ratios=(1, 1), groups=(8, 8), **common):
    stages = zip(depths, widths, ratios, groups, strict=True)
    return AnyNetParameters(
        tuple(Stage(d, w, 2, g, b) for d, w, b, g in stages), **common
    )


TWO = spaces.anynetx("a", stages=2)


@pytest.mark.parametrize(
    ("constraint", "right", "wrong"),
    [
        (
            SharedBottleneck(),
            anynet((1, 1), (32, 64), (2, 2)),
            anynet((1, 1), (32, 64), (2, 4)),
        ),
        (
            SharedGroupWidth(),
            anynet((1, 1), (24, 64), groups=(24, 32)),  # the narrow one has one group
            anynet((1, 1), (32, 64), groups=(16, 32)),
        ),
        (
            UnsharedGroupWidth(),
            anynet((1, 1), (32, 64), groups=(16, 32)),
            anynet((1, 1), (24, 64), groups=(24, 32)),
        ),
        (RisingWidths(), anynet((1, 1), (32, 32)), anynet((1, 1), (40, 32))),
        (FallingWidths(), anynet((1, 1), (40, 32)), anynet((1, 1), (32, 32))),
        (RisingDepths(), anynet((2, 2), (8, 8)), anynet((2, 1), (8, 8))),
        (FallingDepths(), anynet((2, 1), (8, 8)), anynet((2, 2), (8, 8))),
        (
            BottleneckRatio(1, 2),
            anynet((1, 1), (32, 32), (1, 2)),
            anynet((1, 1), (32, 32), (1, 4)),
        ),
        (
            GroupWidth(8, 16),
            anynet((1, 1), (16, 16), (4, 1), groups=(4, 16)),  # 4 is all there is
            anynet((1, 1), (16, 32), groups=(4, 16)),
        ),
        (TotalDepth(3, 5), anynet((1, 3), (8, 8)), anynet((1, 1), (8, 8))),
        (QuantizedLinear(), anynet((1, 2), (8, 16)), anynet((1, 2), (16, 8))),
        (MaxParameters(60_000), anynet((1, 1), (8, 8)), anynet((1, 9), (8, 99 * 8))),
        (MaxActivations(10**6), anynet((1, 1), (8, 8)), anynet((9, 1), (99 * 8, 8))),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_constraint(constraint, right, wrong):
    space = TWO & constraint
    assert TWO.contains(right) and TWO.contains(wrong)
    assert space.contains(right), space.contains(right)
    assert space.contains(wrong).constraints == (constraint.title,)
    assert repr(constraint.title)[1:-1] in str(space.contains(wrong))


def test_the_numbers_of_a_rule():
    # u = 48, 80, 112; s = 0, 1, 1 (log2 of 1.67 and 2.33); widths 48-96.
    network = RegNetParameters(3, 48, 32, 2, 8)
    space = spaces.regnetx(stages=2)
    assert space.contains(network)
    assert (space & WidthMultiplier(2)).contains(network)
    assert (space & WidthMultiplier(1.9, 2.1)).contains(network)
    assert (space & SlopeIsInitialWidth()).contains(network)  # 48-96-144 has its shape
    # Widths 8-16-32: of 8, wm = 2.6 makes 8 * round(2.6) = 24 already.
    narrow = RegNetParameters(4, 8, 8, 2, 8)
    found = (spaces.regnetx(stages=3) & WidthMultiplier(2.6, 3)).contains(narrow)
    assert found.constraints == ("width multiplier",)
    flat = RegNetParameters(16, 48, 8, 2, 8)  # wa = w0 would step up much sooner
    assert flat.anynet().depths == (3, 8, 5)
    found = (spaces.regnetx(stages=3) & SlopeIsInitialWidth()).contains(flat)
    assert found.constraints == ("slope is initial width",)


def test_a_level_without_a_stage_is_no_regnet():
    """u = 16, 96: s = round(log2(6)) = 3, so that levels 1 and 2 have no blocks."""
    network = RegNetParameters(2, 16, 80, 2, 8)
    assert network.anynet().widths == (16, 128)
    assert not (spaces.regnetx(stages=2) & WidthMultiplier(2)).contains(network)


def test_other_stems_and_stages_are_named():
    network = anynet((1, 1), (8, 8), stem="small", stem_width=16)
    found = TWO.contains(network)
    assert found.constraints == ("stem", "stem width") and TWO.contains(network, True)
    assert spaces.ANYNETX_A.contains(network, True).constraints == ("stages",)
    plain = anynet((1, 1), (8, 8), block="res_basic")
    assert TWO.contains(plain, True).constraints == ("block",)
    assert spaces.anynetx("a", stages=2, block="res_basic").contains(plain)


@pytest.mark.parametrize(
    ("name", "freedom", "size"),
    [
        ("anynetx_a", 16, (16 * 128 * 3 * 6) ** 4),
        ("anynetx_b", 13, (16 * 128 * 6) ** 4 * 3),
        ("anynetx_c", 10, (16 * 128) ** 4 * 18),
        ("anynetx_d", 10, 16**4 * math.comb(131, 4) * 18),
        ("anynetx_e", 10, math.comb(19, 4) * math.comb(131, 4) * 18),
        ("regnetx", 6, 63 * 32 * 2481 * 1501 * 18),
        ("regnety", 6, 63 * 32 * 2481 * 1501 * 18),
        ("plain_e", 8, math.comb(19, 4) * math.comb(131, 4)),
        (
            "vionet",
            13,
            (math.comb(19, 4) - 16) * (math.comb(131, 4) - 128) * 3 * (6**4 - 6),
        ),
        ("mlp", 6, (4 * 128) ** 3),
    ],
)
def test_degrees_of_freedom_and_size(name, freedom, size):
    space = spaces.by_name(name.upper().replace("_", "-"))
    assert (space.name, space.degrees_of_freedom, space.size) == (name, freedom, size)
    assert f"{freedom} degrees" in str(space)


def test_size_with_the_last_stage_free():
    space = spaces.anynetx("e", last_stage_free=True)
    assert space.size == 16 * math.comb(18, 3) * math.comb(131, 4) * 18


def test_size_by_listing_all():
    space = spaces.anynetx("e", stages=3).replace(
        depths=(1, 2), widths=(8, 16, 24), bottleneck_ratios=(1, 2), group_widths=1
    )
    listed = [(d, w) for d in _rising((1, 2)) for w in _rising((8, 16, 24))]
    assert space.size == 2 * len(listed) == len(space.sample(space.size))


def _rising(values):
    from itertools import combinations_with_replacement

    return list(combinations_with_replacement(values, 3))


@pytest.mark.parametrize(
    "make",
    [
        lambda: TWO & RisingWidths() & FallingWidths(),
        lambda: TWO & FallingDepths() & RisingDepths(),
        lambda: TWO & SharedGroupWidth() & UnsharedGroupWidth(),
        lambda: TWO & UnsharedGroupWidth() & SharedGroupWidth(),
        lambda: spaces.REGNETX & FallingWidths(),
        lambda: TWO & FallingWidths() & QuantizedLinear(),
        lambda: TWO & BottleneckRatio(3),
        lambda: TWO & BottleneckRatio(1) & BottleneckRatio(2, 4),
        lambda: TWO & GroupWidth(64),
        lambda: TWO & TotalDepth(33, 40),
        lambda: spaces.REGNETX & TotalDepth(64, 70),
        lambda: spaces.REGNETX & WidthMultiplier(4),
        lambda: TWO & WidthMultiplier(2),
        lambda: TWO & SlopeIsInitialWidth(),
        lambda: TWO & TotalDepth(5, 3),
        lambda: TWO & MaxParameters(-1),
        lambda: TWO & "shared",
        lambda: spaces.anynetx("a", stages=1) & FallingWidths(),
        lambda: spaces.anynetx("a", block="res_basic") & GroupWidth(8),
        lambda: spaces.anynetx("a", block="res_basic") & UnsharedGroupWidth(),
        lambda: spaces.anynetx("a", block="res_basic") & BottleneckRatio(2),
        lambda: spaces.anynetx("f"),
        lambda: spaces.anynetx("a", strides=(1, 2)),
        lambda: spaces.anynetx("a", block="y"),
        lambda: spaces.anynetx("a", stem="large"),
        lambda: spaces.by_name("anynetx"),
        lambda: spaces.by_name("anynetx_a", depth=3),
        lambda: spaces.by_name(3),
        lambda: TWO.replace(width=8),
        lambda: TWO.replace(widths=()),
        lambda: TWO.replace(widths="8"),
        lambda: TWO.replace(widths=(8.5,)),
        lambda: TWO.replace(group_widths=None),
        lambda: TWO.replace(depths=None),
        lambda: TWO.replace(wm=(1, 2)),
        lambda: TWO.contains("RegNetX-200MF"),
        lambda: spaces.mlp(GroupWidth(8)),
        lambda: spaces.mlp(ranges=ranges.PAPER),
        lambda: log_uniform(8, 4),
        lambda: log_uniform(0, 4),
        lambda: log_uniform(1, 1e9),
        lambda: choices.Choices((2, 1)),
        lambda: choices.Choices((1, 2), law="normal"),
    ],
)
def test_contradictions_and_bad_input_are_errors_at_once(make):
    with pytest.raises(ValueError, match="Received: "):
        make()


def test_each_violation_alone():
    for name, breach in [
        ("vionet_widths", FallingWidths),
        ("vionet_depths", FallingDepths),
        ("vionet_groups", UnsharedGroupWidth),
    ]:
        space = spaces.by_name(name)
        kinds = {type(constraint) for constraint in space.constraints}
        assert breach in kinds and len(kinds) == 4
        found = spaces.ANYNETX_E.contains(space.sample(1, seed=3)[0])
        assert len(found.failures) == 1, found


def test_replacing_blocks_takes_groups_away():
    space = spaces.ANYNETX_E.replace(block="vanilla")
    assert space.limits.group_widths is None
    network = space.sample(1)[0]
    assert network.block == "vanilla" and space.contains(network)
