"""What a network is like, in numbers."""

from typing import Any

import numpy as np

from keras_regnet.architecture import fit_quantized_linear
from keras_regnet.design_space.space import Space


def fit_error(network: Any, space: Space) -> float:
    """e_fit: how far a network's widths are from the nearest quantized linear rule.

    The mean over its blocks of |log(predicted / observed width)|; 0 where a rule makes
    them exactly (section 3.3; `architecture.fit_quantized_linear`).
    """
    subject = space.family.subject(network)
    widths = np.repeat(subject.widths, subject.depths)
    return fit_quantized_linear(widths.tolist()).error


def properties(network: Any, space: Space) -> dict[str, float]:
    """Every property of a network that a figure or a correlation may be about.

    Args:
        network: A network of the space.
        space: For the images that costs are counted for.

    Returns:
        Names and values: `flops`, `parameters`, `activations`, `depth` (blocks),
        `d_1`, ..., `w_1`, ..., `last_width`, `mean_width` (over blocks), `width_ratio`
        (geometric mean of w_{i+1} / w_i), `e_fit`; with bottlenecks and groups `b` and
        `g` (means over stages); of a RegNet's rule `w0`, `wa` and `wm`.
    """
    subject = space.family.subject(network)
    depths, widths = subject.depths, subject.widths
    cost = subject.cost
    values = {
        "flops": cost.multiply_adds,
        "parameters": cost.parameters,
        "activations": cost.activations,
        "depth": sum(depths),
    }
    values |= {f"d_{i}": depth for i, depth in enumerate(depths, start=1)}
    values |= {f"w_{i}": width for i, width in enumerate(widths, start=1)}
    values["last_width"] = widths[-1]
    values["mean_width"] = np.average(widths, weights=depths)
    if len(widths) > 1:
        values["width_ratio"] = (widths[-1] / widths[0]) ** (1 / (len(widths) - 1))
    if subject.bottleneck_ratios is not None:
        values["b"] = np.mean(subject.bottleneck_ratios)
        values["g"] = np.mean(subject.group_widths)
    if subject.rule is not None:
        rule = subject.rule
        values |= {"w0": rule.w0, "wa": rule.wa, "wm": rule.wm}
    values["e_fit"] = fit_error(network, space)
    return {name: float(value) for name, value in values.items()}
