"""Which of the published networks are in which space, and why the others are not."""

import pytest

from keras_regnet.architecture import published_names, variant
from keras_regnet.design_space import ranges, spaces

SPACES = {
    "A": spaces.ANYNETX_A,
    "B": spaces.ANYNETX_B,
    "C": spaces.ANYNETX_C,
    "D": spaces.ANYNETX_D,
    "E": spaces.ANYNETX_E,
}
G, W, D, E = "group width range", "width range", "depth range", "rising depths"
# What each network fails of AnyNetX_E (d <= 16, w <= 1024, g of 1, 2, 4, 8, 16, 32), by
# hand from depths, widths and g. No network fails another condition: b is 1, g is one,
# widths rise.
FAILS = {
    "RegNetX-200MF": (),  # 1-1-4-7, 24-56-152-368, g 8
    "RegNetX-400MF": (),  # 1-2-7-12, 32-64-160-384, g 16
    "RegNetX-600MF": (G,),  # 1-3-5-7, 48-96-240-528, g 24
    "RegNetX-800MF": (E,),  # 1-3-7-5, 64-128-288-672, g 16
    "RegNetX-1.6GF": (G, E),  # 2-4-10-2, 72-168-408-912, g 24
    "RegNetX-3.2GF": (G, E),  # 2-6-15-2, 96-192-432-1008, g 48
    "RegNetX-4.0GF": (W, G, E),  # 2-5-14-2, 80-240-560-1360, g 40
    "RegNetX-6.4GF": (W, G, E),  # 2-4-10-1, 168-392-784-1624, g 56
    "RegNetX-8.0GF": (W, G, E),  # 2-5-15-1, 80-240-720-1920, g 120 (80 in stage 1)
    "RegNetX-12GF": (W, G, E),  # 2-5-11-1, 224-448-896-2240, g 112
    "RegNetX-16GF": (W, G, E),  # 2-6-13-1, 256-512-896-2048, g 128
    "RegNetX-32GF": (W, G, E),  # 2-7-13-1, 336-672-1344-2520, g 168
    "RegNetY-200MF": (),  # 1-1-4-7, 24-56-152-368, g 8
    "RegNetY-400MF": (),  # 1-3-6-6, 48-104-208-440, g 8
    "RegNetY-600MF": (E,),  # 1-3-7-4, 48-112-256-608, g 16
    "RegNetY-800MF": (E,),  # 1-3-8-2, 64-128-320-768, g 16
    "RegNetY-1.6GF": (D, G, E),  # 2-6-17-2, 48-120-336-888, g 24
    "RegNetY-3.2GF": (W, G, E),  # 2-5-13-1, 72-216-576-1512, g 24
    "RegNetY-4.0GF": (W, G, E),  # 2-6-12-2, 128-192-512-1088, g 64
    "RegNetY-6.4GF": (W, G, E),  # 2-7-14-2, 144-288-576-1296, g 72
    "RegNetY-8.0GF": (W, G, E),  # 2-4-10-1, 168-448-896-2016, g 56
    "RegNetY-12GF": (W, G, E),  # 2-5-11-1, 224-448-896-2240, g 112
    "RegNetY-16GF": (W, G, E),  # 2-4-11-1, 224-448-1232-3024, g 112
    "RegNetY-32GF": (W, G, E),  # 2-5-12-1, 232-696-1392-3712, g 232
}
IN_A_TO_D = {f"RegNetX-{n}MF" for n in (200, 400, 800)} | {
    f"RegNetY-{n}MF" for n in (200, 400, 600, 800)
}


@pytest.mark.parametrize("name", FAILS)
def test_published_networks_by_shape(name):
    network = variant(name)
    for letter, space in SPACES.items():
        found = space.contains(network, by_shape=True)
        expected = tuple(f for f in FAILS[name] if f != E or letter == "E")
        assert found.constraints == expected
        assert bool(found) == (not expected)
        assert bool(found) == (name in IN_A_TO_D) or letter == "E"
        assert space.contains(network.anynet(), by_shape=True) == found
    free = spaces.anynetx("e", last_stage_free=True)
    assert bool(free.contains(network, by_shape=True)) == (name in IN_A_TO_D)


def test_the_table_is_of_all_published_networks():
    assert tuple(FAILS) == published_names()


@pytest.mark.parametrize("name", FAILS)
def test_published_networks_are_regnets_of_the_large_preset(name):
    network = variant(name)
    x, y = (make(ranges.LARGE) for make in (spaces.regnetx, spaces.regnety))
    assert bool(x.contains(network)) == ("X-" in name)
    assert bool(y.contains(network)) == ("Y-" in name)
    # By the stages alone the rule has to be found again.
    assert (x if "X-" in name else y).contains(network.anynet())
    # And of the paper's ranges: only g, and the w0 of RegNetX-32GF, 320, are beyond.
    found = spaces.REGNETX.contains(network, by_shape=True)
    assert set(found.constraints) - {"quantized linear"} == {G} & set(FAILS[name])
    assert ("quantized linear" in found.constraints) == (name == "RegNetX-32GF")


def test_reasons_have_names_and_values():
    found = spaces.ANYNETX_E.contains(variant("RegNetY-1.6GF"))
    assert not found and "block" in found.constraints
    text = str(found)
    assert text.startswith("not in AnyNetX_E: block: 'y', and must be 'x';")
    assert "depth range: d_3 = 17: none of 1 to 16" in text
    assert "g_1 = 24, g_2 = 24, g_3 = 24, g_4 = 24: none of 1, 2, 4, 8, 16, 32" in text
    assert "rising depths: d_4 = 2 falls below d_3 = 17 (2-6-17-2)" in text
    assert str(spaces.ANYNETX_A.contains(variant("200MF", "x"))) == "in AnyNetX_A"
    rule = str(spaces.REGNETX.contains(variant("RegNetX-32GF")))
    assert "its own numbers are d = 23, w0 = 320" in rule and "e_fit" in rule
