"""The definitions of the spaces written a second time, to judge what is sampled.

Nothing here imports keras_regnet: networks are read from their public attributes, and
arithmetic is Python's own.
"""

import math
from fractions import Fraction

RANGES = {  # the paper's: d, w, b, g; then d, w0, wa, wm of the rule
    "depth": (1, 16),
    "width": (8, 1024),
    "b": (1, 2, 4),
    "g": (1, 2, 4, 8, 16, 32),
}


def stages_of(network):
    """(depth, width, b, g) per stage."""
    result = []
    for stage in network.anynet().stages:
        b = Fraction(stage.bottleneck_ratio).limit_denominator(64)
        inner = Fraction(stage.width) / b
        assert inner.denominator == 1
        result.append((stage.depth, stage.width, b, stage.group_width or int(inner)))
    return result


def group_fits(width, b, g, allowed):
    """g is allowed, or it is a whole bottleneck narrower than an allowed one."""
    inner = width / b
    return inner % g == 0 and (g in allowed or (g == inner and g < max(allowed)))


def in_ranges(stages):
    low, high = RANGES["width"]
    return all(
        1 <= depth <= 16
        and low <= width <= high
        and width % 8 == 0
        and b in RANGES["b"]
        and group_fits(width, b, g, RANGES["g"])
        for depth, width, b, g in stages
    )


def one_b(stages):
    return len({b for _, _, b, _ in stages}) == 1


def one_g(stages):
    wanted = max(g for _, _, _, g in stages)
    return all(g == min(wanted, width / b) for _, width, b, g in stages)


def column(stages, place):
    return [stage[place] for stage in stages]


def rises(values):
    return values == sorted(values)


def falls(values):
    return values == sorted(values, reverse=True) and values[0] > values[-1]


def rule_makes(network, stages, limits=((1, 63), (8, 256), (8, 256), (1.5, 3))):
    """Whether a RegNet's own numbers are in range, and lead to its stages."""
    numbers = (network.depth, network.w0, network.wa, network.wm)
    for number, (low, high) in zip(numbers, limits, strict=True):
        if not low <= number <= high:
            return False
    if network.w0 % 8:
        return False
    runs = []
    for j in range(network.depth):
        ratio = (network.w0 + network.wa * j) / network.w0
        s = round(math.log(ratio) / math.log(network.wm))
        width = 8 * round(network.w0 * network.wm**s / 8)
        if runs and runs[-1][0] == s:
            runs[-1][2] += 1
        else:
            runs.append([s, width, 1])
    if [run[0] for run in runs] != list(range(len(stages))):
        return False
    b = Fraction(network.bottleneck_ratio).limit_denominator(64)
    expected = []
    for _, width, depth in runs:
        inner = int(width / b)
        g = min(network.group_width, inner)
        expected.append((depth, int(max(g, g * round(inner / g)) * b), b, g))
    return expected == stages


CHECKS = {
    "anynetx_a": lambda n, s: in_ranges(s),
    "anynetx_b": lambda n, s: in_ranges(s) and one_b(s),
    "anynetx_c": lambda n, s: in_ranges(s) and one_b(s) and one_g(s),
    "anynetx_d": lambda n, s: (
        in_ranges(s) and one_b(s) and one_g(s) and rises(column(s, 1))
    ),
    "anynetx_e": lambda n, s: (
        in_ranges(s)
        and one_b(s)
        and one_g(s)
        and rises(column(s, 1))
        and rises(column(s, 0))
    ),
    "regnetx": lambda n, s: n.squeeze_excite_ratio == 0 and rule_makes(n, s),
    "regnety": lambda n, s: n.squeeze_excite_ratio == 0.25 and rule_makes(n, s),
    "vionet": lambda n, s: (
        in_ranges(s)
        and one_b(s)
        and not one_g(s)
        and falls(column(s, 1))
        and falls(column(s, 0))
    ),
}
