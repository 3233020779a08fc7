import math
import random

import numpy as np
import pytest

from keras_regnet.architecture import adjust_compatibility, fit_quantized_linear
from keras_regnet.architecture.quantization import (
    continuous_widths,
    exponents,
    quantized_widths,
    stages_from_widths,
)

from .golden import PUBLISHED, per_block

# width, group width, pycls' and torchvision's answer. Exact halves of w / g, and the
# one published width (192, RegNetY-8.0GF) that the 90 % rule moves.
TIES = [
    (24, 16, 32, 32),
    (152, 16, 160, 160),
    (392, 16, 384, 400),
    (56, 16, 64, 64),
    (664, 16, 672, 672),
    (168, 112, 224, 224),
    (600, 16, 608, 608),
    (136, 16, 128, 144),
    (776, 16, 768, 784),
    (96, 64, 128, 128),
    (480, 64, 512, 512),
    (192, 56, 168, 224),
]


@pytest.mark.parametrize(("width", "group", "pycls", "torchvision"), TIES)
def test_rounding_of_ties(width, group, pycls, torchvision):
    assert adjust_compatibility([width], [1], [group]) == ((pycls,), (group,))
    assert adjust_compatibility([width], [1.0], [group], "torchvision") == (
        (torchvision,),
        (group,),
    )


def test_group_width_is_at_most_the_bottleneck_width():
    widths, groups = adjust_compatibility((80, 232), (1, 1), (120, 120))
    assert (widths, groups) == ((80, 240), (80, 120))


@pytest.mark.parametrize(
    ("width", "b", "group", "expected"),
    [
        (256, 4, 24, (288, 24)),  # 64 -> 72 = 3 * 24
        (64, 4, 24, (64, 16)),  # bottleneck 16 < 24: one group
        (10, 0.25, 16, (8, 16)),  # 40 -> 32 (2.5 to even), / 4
        (10, 0.25, 6, (9, 6)),  # lcm(6, 4) = 12: 40 -> 36
        (2, 4, 8, (4, 1)),  # a bottleneck has one channel at least
    ],
)
def test_compatibility_of_the_bottleneck(width, b, group, expected):
    widths, groups = adjust_compatibility([width], [b], [group])
    assert (widths[0], groups[0]) == expected


@pytest.mark.parametrize(
    "bad",
    [
        ([8], [1, 1], [8], "pycls"),
        ([0], [1], [8], "pycls"),
        ([8], [0], [8], "pycls"),
        ([8], [1], [0], "pycls"),
        ([8], [1], [8], "half up"),
    ],
)
def test_compatibility_of_bad_input(bad):
    with pytest.raises(ValueError, match="Received: "):
        adjust_compatibility(*bad)


def test_equations_by_hand():
    u = continuous_widths(3, 24, 24.5)
    assert u.tolist() == [24.0, 48.5, 73.0]
    assert exponents(u, 24, 2.0).tolist() == [0, 1, 2]  # log2 of 1, 2.02, 3.04
    # 8 * 2.5 = 20 and 8 * 1.5 = 12 are halfway between multiples of 8: to the even.
    assert quantized_widths(np.array([0, 1]), 8, 2.5).tolist() == [8, 16]
    assert quantized_widths(np.array([1]), 8, 1.5).tolist() == [16]
    assert quantized_widths(np.array([1]), 8, 1.5, q=4).tolist() == [12]


def test_stages_are_runs():
    assert stages_from_widths([8, 8, 16]) == ((8, 2), (16, 1))
    assert stages_from_widths([16, 8, 8, 16]) == ((16, 1), (8, 2), (16, 1))


def naive_prediction(depth, w0, wa, wm):
    result = []
    for j in range(depth):
        s = round(math.log((w0 + wa * j) / w0) / math.log(wm))
        result.append(8 * round(w0 * wm**s / 8))
    return result


def naive_error(predicted, observed):
    pairs = zip(predicted, observed, strict=True)
    return sum(abs(math.log(p / o)) for p, o in pairs) / len(observed)


def test_fit_explains_x_200mf():
    golden = PUBLISHED["RegNetX-200MF"]
    fit = fit_quantized_linear(per_block(golden["depths"], golden["widths"]))
    assert fit.error == 0
    assert (fit.w0, fit.wm) == (24, 2.49)


@pytest.mark.parametrize("name", PUBLISHED)
def test_fit_explains_equation_4_exactly_and_final_widths_nearly(name):
    golden = PUBLISHED[name]
    quantized = per_block(golden["depths"], golden["quantized_widths"])
    fit = fit_quantized_linear(quantized)
    assert fit.error == 0 and list(fit.widths) == quantized
    assert naive_prediction(len(quantized), fit.w0, fit.wa, fit.wm) == quantized
    final = per_block(golden["depths"], golden["widths"])
    # The published numbers are in the grid, so the fit is at least as good as they.
    assert fit_quantized_linear(final).error <= naive_error(quantized, final) + 1e-12


def test_fit_is_the_best_of_the_grid():
    generator = random.Random(0)
    for _ in range(4):
        widths = sorted(8 * generator.randint(2, 40) for _ in range(4))
        observed = [w for w in widths for _ in range(generator.randint(1, 4))]
        fit = fit_quantized_linear(observed)
        predicted = naive_prediction(len(observed), fit.w0, fit.wa, fit.wm)
        assert predicted == list(fit.widths)
        assert fit.error == pytest.approx(naive_error(predicted, observed))
        for _ in range(3000):
            w0 = 8 * round(generator.uniform(0.7, 1.45) * observed[0] / 8)
            wm = generator.randint(110, 400) / 100
            wa = generator.uniform(0, 1.2) * (observed[-1] / len(observed))
            other = naive_error(naive_prediction(len(observed), w0, wa, wm), observed)
            assert fit.error <= other + 1e-9


@pytest.mark.parametrize(
    "widths", [[64], [8] * 5, [4], [1, 1, 2], [1024, 512, 64], [16, 8192] * 3]
)
def test_fit_of_unusual_widths(widths):
    fit = fit_quantized_linear(widths)
    assert fit.w0 > 0 and fit.w0 % 8 == 0 and fit.wa >= 0 and fit.wm > 1
    predicted = naive_prediction(len(widths), fit.w0, fit.wa, fit.wm)
    assert fit.error == pytest.approx(naive_error(predicted, widths))
    assert (fit.error == 0) == (len(set(widths)) == 1 and widths[0] % 8 == 0)


def test_fit_of_a_deep_network():
    widths = naive_prediction(64, 48, 20, 2.2)
    assert fit_quantized_linear(widths).error == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("bad", [[], [0], [8, -8], [8.5], ["8"]])
def test_fit_of_bad_input(bad):
    with pytest.raises(ValueError, match="Received: "):
        fit_quantized_linear(bad)
