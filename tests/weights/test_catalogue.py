"""The catalogue, against the metadata that the libraries themselves carry."""

import re

import pytest

import keras_regnet
from keras_regnet.architecture import canonical_name, published_names, variant_names
from keras_regnet.weights import find, list_weights
from keras_regnet.weights.catalogue import catalogue
from tests.torch_peer import timm


def test_every_line_is_complete():
    names = [each.name for each in catalogue()]
    assert len(set(names)) == len(names)
    assert len({each.file_name for each in catalogue()}) == len(names)
    for each in catalogue():
        assert each.architecture in variant_names()
        assert each.name.startswith(f"{each.source}/")
        assert re.match(r"https://[\w.]+/\S+\.(safetensors|pth|pyth|h5)$", each.url)
        assert each.sha256 is None or re.fullmatch(r"[0-9a-f]{8}|.{64}", each.sha256)
        assert each.recipe and each.licence
        assert (each.top1 is None) == (each.top5 is None)
        assert each.top1 is None or 60 < each.top1 < each.top5 < 100
        assert each.rounding == (
            "torchvision" if each.architecture.endswith("-torchvision") else "pycls"
        )


def test_how_many_there_are():
    counts = {
        (source, permissive): len(list_weights(source=source, permissive=permissive))
        for source in ("timm", "torchvision", "pycls", "keras_applications")
        for permissive in (True, False)
    }
    assert counts == {
        ("timm", True): 48,
        ("timm", False): 13,
        ("torchvision", True): 28,
        ("torchvision", False): 6,
        ("pycls", True): 24,
        ("pycls", False): 0,
        ("keras_applications", True): 48,
        ("keras_applications", False): 0,
    }


def test_imagenet_is_the_permissive_default_of_all_24():
    for name in published_names():
        found = find("imagenet", name)
        assert (found.architecture, found.tag, found.licence) == (
            name,
            "pycls_in1k",
            "mit",
        )
    assert find("imagenet", "RegNetY-8.0GF-torchvision").tag == "tv2_in1k"


@pytest.mark.parametrize(
    ("name", "architecture", "expected"),
    [
        ("tv2_in1k", "RegNetX-400MF", "timm/regnetx_004_tv.tv2_in1k"),
        ("TV2_IN1K", "RegNetX-800MF", "timm/regnetx_008.tv2_in1k"),
        ("regnety_032.ra_in1k", None, "timm/regnety_032.ra_in1k"),
        ("timm/regnety_032.ra_in1k", "RegNetX-200MF", "timm/regnety_032.ra_in1k"),
        (
            "torchvision/regnet_y_8gf.imagenet1k_v1",
            None,
            "torchvision/regnet_y_8gf.IMAGENET1K_V1",
        ),
        ("IMAGENET1K_V1", "RegNetX-16GF", "torchvision/regnet_x_16gf.IMAGENET1K_V1"),
        ("pycls/regnetx-1.6gf", None, "pycls/RegNetX-1.6GF"),
        ("dds_8gpu", "RegNetY-16GF", "pycls/RegNetY-16GF"),
        ("keras_applications", "RegNetX-6.4GF", "keras_applications/regnetx064"),
    ],
)
def test_names(name, architecture, expected):
    assert find(name, architecture).name == expected


@pytest.mark.parametrize(
    ("name", "architecture", "message"),
    [
        ("imagnet", "RegNetX-200MF", "imagenet.*Received: 'imagnet'"),
        ("timm/regnety_32.ra_in1k", None, r"timm/regnety_032\.ra_in1k"),
        ("ra_in1k", "RegNetX-200MF", "for RegNetX-200MF.*timm/regnetx_002.pycls_in1k"),
        ("tv2_in1k", None, "none of them.*Received: 'tv2_in1k'"),
        ("imagenet", None, "none of them"),
    ],
)
def test_unknown_names_list_what_is_near(name, architecture, message):
    with pytest.raises(ValueError, match=message):
        find(name, architecture)


def test_the_table_reads_like_one():
    table = keras_regnet.list_weights("regnetx_004")
    lines = str(table).splitlines()
    assert len(lines) == len(table) + 1 == 8
    assert lines[0].split() == [
        *("weights", "network", "pixels", "top-1", "top-5", "classes", "licence")
    ]
    row = next(line for line in lines if "pycls/" in line).split()
    # 100 minus the errors of pycls' MODEL_ZOO.md: 27.382 and 9.076 percent.
    assert row == [
        *("pycls/RegNetX-400MF", "RegNetX-400MF", "224", "72.618", "90.924"),
        *("1000", "mit"),
    ]
    with pytest.raises(ValueError, match="source='tim'"):
        list_weights(source="tim")


@pytest.mark.peers
def test_timm_says_the_same_of_its_own():
    timm()
    from timm.models import regnet

    theirs = {}
    for name, configurations in regnet.default_cfgs.items():
        if name == "regnety_040_sgn" or not name.startswith(("regnetx", "regnety")):
            continue
        for tag, configuration in configurations.cfgs.items():
            theirs[f"timm/{name}.{tag}"] = (name, configuration)
    ours = {each.name: each for each in list_weights(source="timm")}
    assert set(ours) == set(theirs)
    for key, (name, their) in theirs.items():
        our = ours[key]
        assert our.architecture == canonical_name(name)
        assert our.hub_id == f"{their.hf_hub_id}{key.removeprefix('timm/')}"
        assert our.licence == their.license
        assert our.classes == their.num_classes
        spec = our.preprocessing
        assert (3, spec.image_size, spec.image_size) == their.input_size
        assert spec.resize_size == int(their.input_size[-1] / their.crop_pct)
        assert spec.interpolation == their.interpolation
        assert (spec.mean, spec.std) == (their.mean, their.std)


@pytest.mark.peers
def test_torchvision_says_the_same_of_its_own():
    timm()
    from torchvision.models import regnet

    theirs = {}
    for name in dir(regnet):
        if match := re.fullmatch("(RegNet_.*)_Weights", name):
            for member in getattr(regnet, name):
                theirs[f"torchvision/{match[1].lower()}.{member.name}"] = member
    ours = {each.name: each for each in list_weights(source="torchvision")}
    assert set(ours) == set(theirs)
    for key, member in theirs.items():
        our, their = ours[key], member.value
        assert our.url == their.url
        assert our.sha256 == re.search("-([0-9a-f]{8}).pth", their.url)[1]
        metrics = their.meta["_metrics"]["ImageNet-1K"]
        assert (our.top1, our.top5) == (metrics["acc@1"], metrics["acc@5"])
        counted = keras_regnet.complexity(keras_regnet.variant(our.architecture))
        assert counted.parameters == their.meta["num_params"]
        assert our.classes == len(their.meta["categories"])
        assert our.permissive == ("SWAG" not in key)
        transform = their.transforms()
        spec = our.preprocessing
        assert [spec.image_size] == transform.crop_size
        assert [spec.resize_size] == transform.resize_size
        assert spec.interpolation == transform.interpolation.value
        assert (list(spec.mean), list(spec.std)) == (transform.mean, transform.std)
