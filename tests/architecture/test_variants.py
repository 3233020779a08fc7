import pytest

from keras_regnet.architecture import (
    AnyNetParameters,
    Stage,
    application_name,
    canonical_name,
    published_names,
    variant,
    variant_names,
)

from .golden import PUBLISHED, TORCHVISION


def test_the_24():
    assert list(published_names()) == list(PUBLISHED)
    for name, golden in PUBLISHED.items():
        parameters = variant(name)
        for key in ("depth", "w0", "wa", "wm", "group_width", "squeeze_excite_ratio"):
            assert getattr(parameters, key) == golden[key], (name, key)
        assert application_name(name) == golden["application"]
        assert canonical_name(golden["application"]) == name
        timm = f"regnet{name[6].lower()}_{golden['application'][-3:]}"
        assert canonical_name(timm) == name


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision_spelling_means_torchvision_widths(name):
    golden = TORCHVISION[name]
    canonical = canonical_name(name)
    if golden["same_as_pycls"]:
        assert canonical in PUBLISHED
        assert list(variant(name).anynet().widths) == PUBLISHED[canonical]["widths"]
    else:
        assert canonical not in PUBLISHED
        assert list(variant(name).anynet().widths) == golden["widths"]


SPELLINGS = {
    "RegNetX-200MF": [
        *("RegNetX-200MF", "regnetx_002", "RegNetX002", "regnet_x_200mf", "X-200MF"),
        *(
            "regnetx-0.2GF",
            "REGNETX200MF",
            " RegNetX 200MF ",
            "x200mf",
            "regnetx_200mf",
        ),
    ],
    "RegNetX-400MF": ["RegNetX-400MF", "regnetx_004", "RegNetX004", "regnetx-400mf"],
    "RegNetX-400MF-torchvision": [
        *("regnet_x_400mf", "RegNet_X_400MF", "regnetx_004_tv", "x-400mf-tv"),
        "RegNetX-400MF-torchvision",
    ],
    "RegNetX-1.6GF": ["RegNetX-1.6GF", "regnet_x_1_6gf", "regnetx_016", "X-1600MF"],
    "RegNetX-4.0GF": ["RegNetX-4GF", "RegNetX-4.0GF", "regnetx_040", "RegNetX040"],
    "RegNetX-12GF": ["RegNetX-12GF", "RegNetX-12.0GF", "RegNetX120"],
    "RegNetX-32GF": ["regnetx_320", "regnet_x_32gf"],
    "RegNetX32": ["RegNetX32", "regnetx32", "regnetx_32", "RegNet-X-32"],
    "RegNetY-1.6GF": ["regnet_y_1_6gf", "RegNetY-1.6GF", "regnety_016"],
    "RegNetY-8.0GF": ["RegNetY-8GF", "RegNetY-8.0GF", "regnety_080"],
    "RegNetY-8.0GF-torchvision": ["regnet_y_8gf", "regnety_080_tv"],
    "RegNetY-800MF-torchvision": ["regnet_y_800mf", "regnety_008_tv"],
    "RegNetY-64GF": ["regnety_640", "RegNetY-64GF", "64GF"],
    "RegNetY-128GF": ["regnety_1280", "RegNetY-128GF", "128GF", "regnet_y_128gf"],
    "RegNetY-256GF": ["regnety_2560", "256GF"],
}


@pytest.mark.parametrize("canonical", SPELLINGS)
def test_spellings(canonical):
    for spelling in SPELLINGS[canonical]:
        assert canonical_name(spelling) == canonical, spelling
        assert variant(spelling) == variant(canonical)
        assert canonical_name(spelling, family=canonical[6].lower()) == canonical


@pytest.mark.parametrize(
    ("name", "family", "canonical"),
    [
        ("200MF", "x", "RegNetX-200MF"),
        ("200mf", "y", "RegNetY-200MF"),
        ("0.2GF", "x", "RegNetX-200MF"),
        ("1.6GF", "y", "RegNetY-1.6GF"),
        ("4GF", "x", "RegNetX-4.0GF"),
        ("4.0GF", "y", "RegNetY-4.0GF"),
        ("002", "y", "RegNetY-200MF"),
        ("8GF-torchvision", None, "RegNetY-8.0GF-torchvision"),
    ],
)
def test_sizes_alone(name, family, canonical):
    assert canonical_name(name, family) == canonical


@pytest.mark.parametrize(
    ("name", "family", "parts"),
    [
        ("RegNetX-300MF", None, ["RegNetX-200MF"]),
        ("regnety_003", None, ["RegNetY-"]),
        ("RegNetZ-200MF", None, ["RegNetX-200MF", "RegNetY-200MF"]),
        ("regnetx_0020", None, ["RegNetX-"]),
        ("RegNetX-3.1GF", None, ["RegNetX-3.2GF"]),
        ("3.3GF", "y", ["RegNetY-3.2GF"]),
        ("resnet50", None, ["RegNet"]),
        ("", None, ["RegNet"]),
        ("RegNetX-800MF-torchvision", None, ["RegNetX-800MF"]),
        ("RegNetY-200MF", "x", ["RegNetY-200MF is no RegNetX", "RegNetX-200MF"]),
        ("128GF", "x", ["RegNetY-128GF is no RegNetX"]),
        ("RegNetX32", "y", ["RegNetX32 is no RegNetY"]),
        ("200MF", None, ["RegNetX-200MF or RegNetY-200MF"]),
        (200, None, ["string"]),
        ("200MF", "z", ["'x', 'y'"]),
    ],
)
def test_wrong_names(name, family, parts):
    with pytest.raises(ValueError, match="Received: ") as caught:
        variant(name, family)
    for part in parts:
        assert part in str(caught.value)


def test_all_names_are_their_own_canonical_name():
    names = variant_names()
    assert len(names) == len(set(names)) == 24 + 3 + 3 + 1
    assert variant_names("x") + variant_names("y") == tuple(
        sorted(names, key=lambda name: name[6])
    )
    for name in names:
        assert canonical_name(name) == canonical_name(name.upper()) == name


def test_larger_networks():
    for name, depths, widths in [
        ("regnety_640", (2, 5, 12, 1), (328, 984, 1968, 4920)),
        ("regnety_1280", (2, 7, 17, 1), (528, 1056, 2904, 7392)),
        ("regnety_2560", (2, 7, 17, 1), (746, 1492, 4103, 10444)),
    ]:
        network = variant(name).anynet()
        assert (network.depths, network.widths) == (depths, widths)


def test_network_of_the_book():
    expected = AnyNetParameters(
        stages=(Stage(4, 32, 2, 16), Stage(6, 80, 2, 16)), stem="simple", stem_width=32
    )
    assert variant("RegNetX32") == expected


@pytest.mark.parametrize("name", ["regnet_x_400mf", "RegNetY-128GF", "RegNetX32"])
def test_applications_are_the_24_only(name):
    with pytest.raises(ValueError, match="Received: "):
        application_name(name)
