"""The golden files, and arithmetic written a second time to check the first."""

import json
import math
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden"
PUBLISHED = json.loads((FOLDER / "published.json").read_text())
TORCHVISION = json.loads((FOLDER / "torchvision.json").read_text())


def per_block(depths, widths):
    return [w for d, w in zip(depths, widths, strict=True) for _ in range(d)]


def parameters_of_x_or_y(stages, ratio=0.0, stem=32, channels=3, classes=1000):
    """Trainable parameters of a 3x3-stem X or Y network.

    `stages` is a list of (depth, width, stride, bottleneck width, group width).
    """

    def norm(width):
        return 2 * width

    total = 9 * channels * stem + norm(stem)
    previous = stem
    for depth, width, stride, inner, group in stages:
        if previous != width or stride != 1:
            total += previous * width + norm(width)
        for width_in in [previous] + [width] * (depth - 1):
            total += width_in * inner + 9 * group * inner + inner * width
            total += 2 * norm(inner) + norm(width)
            if ratio:
                squeeze = max(1, round(ratio * width_in))
                total += 2 * inner * squeeze + inner + squeeze
        previous = width
    return total + previous * classes + classes


def compatible_width(width, b, group, rounding):
    """One stage's (width, group width) for b = 1, 2, 4, ... or 1/2, 1/4, ...

    Written with the inverse ratio, as pycls and torchvision have it.
    """
    multiplier = 1 / b
    inner = int(max(1, width * multiplier))
    group = min(group, inner)
    step = math.lcm(group, int(multiplier)) if multiplier > 1 else group
    if rounding == "pycls":
        inner = max(step, int(round(inner / step) * step))
    else:
        rounded = max(step, int(inner + step / 2) // step * step)
        inner = rounded + step if rounded < 0.9 * inner else rounded
    return int(inner / multiplier), group
