"""Pixels against timm's and torchvision's on photographs."""

import itertools

import numpy as np
import pytest
from PIL import Image

from keras_regnet.data import decode
from keras_regnet.preprocessing import PreprocessingSpec, Preprocessor
from tests.real_data import real_data
from tests.torch_peer import timm

pytestmark = [pytest.mark.peers, pytest.mark.real_data]


@pytest.fixture(scope="module")
def photographs():
    """94 files, the 23 grey ones first: each of up to 23 shares has some of them."""
    paths = sorted(real_data("imagenet_samples").glob("*.JPEG"))
    assert len(paths) == 94
    paths.sort(key=lambda path: Image.open(path).mode != "L")
    assert [Image.open(path).mode for path in paths[22:24]] == ["L", "RGB"]
    return paths


def share(photographs, cases, case):
    """The photographs of one of several cases, which together have them all."""
    return photographs[cases.index(case) :: len(cases)]


def compare(photographs, spec, theirs):
    prepare = Preprocessor(spec)
    layer, pixels = prepare.layer(), Preprocessor(spec, False).layer()
    for path in photographs:
        with Image.open(path) as image:
            colours = image.convert("RGB")
        expected = theirs(colours).numpy().transpose(1, 2, 0)
        ours = prepare(path)
        np.testing.assert_array_equal(ours, expected, err_msg=path.name)
        array = np.asarray(colours)
        np.testing.assert_array_equal(
            pixels(array), Preprocessor(spec, False)(path), err_msg=path.name
        )
        np.testing.assert_allclose(layer(array), expected, rtol=0, atol=1e-6)


CASES = list(
    itertools.product(("bilinear", "bicubic"), (0.875, 0.95, 1.0), (224, 288, 384))
)
WEIGHTS = ["IMAGENET1K_V1", "IMAGENET1K_V2", "IMAGENET1K_SWAG_E2E_V1"]
INTERPOLATIONS = ["bilinear", "bicubic"]


@pytest.mark.parametrize(("interpolation", "fraction", "size"), CASES)
def test_every_bit_is_timm_s(photographs, interpolation, fraction, size):
    timm()
    import timm.data as data

    config = data.resolve_data_config(
        {
            "input_size": (3, size, size),
            "crop_pct": fraction,
            "interpolation": interpolation,
        }
    )
    transform = data.create_transform(**config, is_training=False)
    spec = PreprocessingSpec.of_crop_fraction(
        size,
        fraction,
        interpolation=interpolation,
        mean=config["mean"],
        std=config["std"],
    )
    case = (interpolation, fraction, size)
    compare(share(photographs, CASES, case), spec, transform)


@pytest.mark.parametrize("name", WEIGHTS)
def test_every_bit_is_torchvision_s(photographs, name):
    timm()
    from torchvision.models import RegNet_Y_16GF_Weights

    transform = RegNet_Y_16GF_Weights[name].transforms()
    spec = PreprocessingSpec(
        transform.crop_size[0],
        transform.resize_size[0],
        transform.interpolation.value,
        tuple(transform.mean),
        tuple(transform.std),
    )
    compare(share(photographs, WEIGHTS, name), spec, transform)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_from_the_file_tensorflow_gives_pillow_s_pixels(photographs, interpolation):
    prepare = Preprocessor(PreprocessingSpec(224, 256, interpolation), False)
    layer = prepare.layer()
    for path in share(photographs, INTERPOLATIONS, interpolation):
        pixels = layer(decode(path.read_bytes()))
        np.testing.assert_array_equal(pixels, prepare(path), err_msg=path.name)
