"""The quantized linear rule of widths, and the group compatibility of widths.

The equations are those of Radosavovic et al., "Designing Network Design Spaces",
2020 (arXiv 2003.13678), section 3.3, with j counted from 0.
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np

from keras_regnet.architecture import checks

ROUNDINGS = ("pycls", "torchvision")


def continuous_widths(depth: int, w0: float, wa: float) -> np.ndarray:
    """Equation 2: u_j = w0 + wa * j for 0 <= j < depth, float64."""
    return w0 + wa * np.arange(depth, dtype=np.float64)


def exponents(continuous: np.ndarray, w0: float, wm: float) -> np.ndarray:
    """Equation 3 solved and rounded: s_j = round(log(u_j / w0) / log(wm)).

    Halves go to the even neighbour, as NumPy rounds.

    Args:
        continuous: u_j of equation 2.
        w0: The first width.
        wm: The factor between the widths of neighbouring stages, greater than 1.

    Returns:
        int64 array of the shape of `continuous`.
    """
    return np.round(np.log(continuous / w0) / np.log(wm)).astype(np.int64)


def quantized_widths(s: np.ndarray, w0: float, wm: float, q: int = 8) -> np.ndarray:
    """Equation 4, made a multiple of q: w_j = q * round(w0 * wm**s_j / q).

    Halves go to the even neighbour, as NumPy rounds.
    """
    widths = w0 * np.power(wm, np.asarray(s, dtype=np.float64))
    return q * np.round(widths / q).astype(np.int64)


def stages_from_widths(widths: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Runs of equal widths: one (width, depth) pair per stage."""
    return tuple(
        (int(width), len(list(run))) for width, run in itertools.groupby(widths)
    )


def _round_to_multiple(value: int, divisor: int, rounding: str) -> int:
    """Rounds to a positive multiple of `divisor`, in the manner of one library."""
    if rounding == "pycls":  # pycls/models/blocks.py, adjust_block_compatibility
        return max(divisor, round(value / divisor) * divisor)
    # torchvision/models/_utils.py, _make_divisible
    result = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return result + divisor if result < 0.9 * value else result


def adjust_compatibility(
    widths: Sequence[int],
    bottleneck_ratios: Sequence[float],
    group_widths: Sequence[int],
    rounding: str = "pycls",
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Changes stage widths so that groups of channels fit into them.

    The bottleneck width v = int(w / b) is rounded to a multiple of g = min(g, v); for
    b < 1 (b = 1/m, an inverted bottleneck) to one of lcm(g, m), so that w = v * b is
    whole. The two libraries that published weights round differently, and three
    networks differ by it:

    - `"pycls"` (also timm's): Python's `round`, halves to the even neighbour.
    - `"torchvision"`: halves up, and never below 90 % of v.

    Args:
        widths: One width per stage.
        bottleneck_ratios: One b per stage, as in the paper (w_b = w / b).
        group_widths: One desired group width per stage.
        rounding: `"pycls"` or `"torchvision"`.

    Returns:
        The compatible widths and the group widths, one of each per stage.

    Raises:
        ValueError: Lists of different lengths, or a value out of bounds.
    """
    checks.one_of("rounding", rounding, ROUNDINGS)
    if not len(widths) == len(bottleneck_ratios) == len(group_widths):
        raise ValueError(
            "Widths, bottleneck ratios and group widths must be one per stage. "
            f"Received: {widths!r}, {bottleneck_ratios!r}, {group_widths!r}"
        )
    new_widths, new_groups = [], []
    for width, ratio, group in zip(
        widths, bottleneck_ratios, group_widths, strict=True
    ):
        b = checks.ratio(ratio)
        bottleneck = max(1, int(checks.integer("width", width) / b))
        g = min(checks.integer("group_width", group), bottleneck)
        divisor = math.lcm(g, b.denominator)
        bottleneck = _round_to_multiple(bottleneck, divisor, rounding)
        new_widths.append(int(bottleneck * b))
        new_groups.append(g)
    return tuple(new_widths), tuple(new_groups)


@dataclasses.dataclass(frozen=True)
class QuantizedLinearFit:
    """The quantized linear rule that comes nearest to some widths.

    Attributes:
        w0: First width, a multiple of q.
        wa: Slope, at least 0.
        wm: Factor between stages, greater than 1.
        error: e_fit, the mean of |log(predicted width / observed width)| over blocks;
            0 where the rule gives the widths exactly.
        widths: The widths that the rule predicts, one per block.
    """

    w0: int
    wa: float
    wm: float
    error: float
    widths: tuple[int, ...]


def fit_quantized_linear(widths: Sequence[int], q: int = 8) -> QuantizedLinearFit:
    """Finds the (w0, wa, wm) that explains widths best: section 3.3, e_fit.

    A grid search at the depth of the network, as in the paper. The grid:

    - wm: 1.10, 1.11, ... 4.00.
    - w0: the multiples of q from 2/3 of the smallest to 3/2 of the first width, thinned
      evenly to at most 64, and always those nearest to the smallest and first width.
    - wa: every slope that makes a difference. As wa grows from 0, the s_j of one block
      after another steps up, each at a known slope; between two steps nothing changes.
      So all slopes (up to the last block passing the widest observed width by a level)
      are searched without a step size, and the error is a running sum over the steps.

    Args:
        widths: The observed width of every block, in order: (24, 56, 152, 152, ...).
        q: The divisor of equation 4.

    Returns:
        The best fit; among equals the one with the smallest wm, then w0, then wa.

    Raises:
        ValueError: No widths, or one that is not a positive integer.
    """
    q = checks.integer("q", q, maximum=1024)
    observed = np.array([checks.integer("width", w) for w in widths], dtype=np.int64)
    if observed.size == 0:
        raise ValueError(f"There must be at least one width. Received: {widths!r}")
    starts = _first_widths(observed, q)
    blocks = np.arange(1, observed.size)
    best = (math.inf, int(starts[0]), 0.0, 2.0)
    for wm in np.arange(110, 401) / 100:
        span = math.log(observed.max() / starts[0]) / math.log(wm)
        levels = max(1, math.ceil(span) + 1)
        # errors[i, j, k]: error of block j at level k, starting from starts[i].
        ladder = quantized_widths(np.arange(levels + 1), starts[:, None], wm, q)
        errors = np.abs(np.log(np.maximum(ladder, 1)[:, None] / observed[:, None]))
        # Block j reaches level k + 1 at wa = w0 * (wm**(k + 1/2) - 1) / j.
        steps = (np.power(wm, np.arange(levels) + 0.5) - 1) / blocks[:, None]
        order = np.argsort(steps, axis=None, kind="stable")
        edges = np.concatenate([[0.0], steps.ravel()[order]])
        changes = np.diff(errors[:, 1:], axis=2).reshape(len(starts), -1)[:, order]
        sums = np.cumsum(
            np.concatenate([errors[:, :, 0].sum(1)[:, None], changes], axis=1), axis=1
        )
        upper = np.append(edges[1:], edges[-1] * 1.02 + 1e-9)
        sums[:, upper - edges <= 1e-6 * upper] = math.inf  # steps that coincide
        start, edge = np.unravel_index(np.argmin(sums), sums.shape)
        if sums[start, edge] < best[0] - 1e-9:
            slope = (edges[edge] + upper[edge]) / 2 if edge else 0.0
            best = (sums[start, edge], int(starts[start]), starts[start] * slope, wm)
    _, w0, wa, wm = best
    s = exponents(continuous_widths(observed.size, w0, wa), w0, wm)
    predicted = quantized_widths(s, w0, wm, q)
    error = float(np.mean(np.abs(np.log(predicted / observed))))
    return QuantizedLinearFit(
        w0, float(wa), float(wm), error, tuple(predicted.tolist())
    )


def _first_widths(observed: np.ndarray, q: int) -> np.ndarray:
    """The grid of w0: sorted multiples of q, at least one of them."""
    low = max(1, math.ceil(observed.min() / 1.5 / q))
    high = max(low, math.floor(observed[0] * 1.5 / q))
    grid = np.linspace(low, high, min(64, high - low + 1)).round()
    nearest = np.maximum(1, np.round([observed.min() / q, observed[0] / q]))
    return q * np.unique(np.concatenate([grid, nearest])).astype(np.int64)
