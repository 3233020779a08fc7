"""The design spaces of the paper, and those that break or move its rules.

| space | constraint added | numbers | combinations | paper, table 1 |
|---|---|---|---|---|
| `ANYNETX_A` | none | 16 | (16 * 128 * 3 * 6)^4 = 1.8e18 | 1.8e18 |
| `ANYNETX_B` | b_i = b | 13 | (16 * 128 * 6)^4 * 3 = 6.8e16 | 6.8e16 |
| `ANYNETX_C` | g_i = g | 10 | (16 * 128)^4 * 18 = 3.2e14 | 3.2e14 |
| `ANYNETX_D` | w_{i+1} >= w_i | 10 | 16^4 * C(131, 4) * 18 = 1.4e13 | 1.3e13 |
| `ANYNETX_E` | d_{i+1} >= d_i | 10 | C(19, 4) * C(131, 4) * 18 = 8.2e11 | 5.5e11 |
| `REGNETX` | quantized linear | 6 | 63 * 32 * 2481 * 1501 * 18 = 1.4e11 | 3.0e8 |

The paper divides by 4! where a sequence rises, as if no two values could be equal, and
counts 64 values of each number of the rule (64^4 * 18); here the combinations are those
that can be drawn. wa and wm have pycls' steps, 0.1 and 0.001.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from keras_regnet.architecture import checks
from keras_regnet.design_space import ranges as presets
from keras_regnet.design_space.constraint import Constraint
from keras_regnet.design_space.constraints import (
    BottleneckRatio,
    FallingDepths,
    FallingWidths,
    RisingDepths,
    RisingWidths,
    SharedBottleneck,
    SharedGroupWidth,
    UnsharedGroupWidth,
)
from keras_regnet.design_space.convnets import PLAIN_BLOCKS, ConvNets
from keras_regnet.design_space.cost_constraints import MaxActivations, MaxParameters
from keras_regnet.design_space.mlp import MLPs
from keras_regnet.design_space.ranges import Limits, Ranges
from keras_regnet.design_space.rule_constraints import (
    QuantizedLinear,
    TotalDepth,
    WidthMultiplier,
)
from keras_regnet.design_space.space import Space


def _space(
    name: str,
    ranges: Ranges,
    constraints: tuple[Constraint, ...],
    stages: int,
    common: dict[str, Any],
    **limits: Any,
) -> Space:
    """A space of convolutional networks; plain blocks have neither b nor g."""
    family = ConvNets(**common)
    if family.block in PLAIN_BLOCKS:
        limits |= {"bottleneck_ratios": None, "group_widths": None}
        name += f" of {family.block} blocks"
    fields = vars(Limits.of(ranges)) | limits
    return Space(name, Limits(**fields | {"stages": stages}), family, constraints)


def anynetx(
    level: str = "a",
    ranges: Ranges = presets.PAPER,
    stages: int = 4,
    last_stage_free: bool = False,
    **common: Any,
) -> Space:
    """AnyNetX_A to AnyNetX_E (section 3.2 and 3.3).

    Args:
        level: `"a"`, or with the constraints up to `"b"`, `"c"`, `"d"` or `"e"`.
        ranges: What the numbers range over: `ranges.PAPER`, `MEDIUM`, `LARGE`,
            `SMALL_IMAGES`, or your own.
        stages: Number of stages.
        last_stage_free: Whether in `"e"` the last stage may have any depth. The
            paper's definition asks rising depths of all stages.
        **common: Fields of `ConvNets`: `strides=(1, 2, 2)`, `stem="small"`,
            `input_size=28`, `block="res_basic"`.

    Raises:
        ValueError: An impossible argument.
    """
    level = checks.one_of("level", level, ("a", "b", "c", "d", "e"))
    constraints = (
        SharedBottleneck(),
        SharedGroupWidth(),
        RisingWidths(),
        RisingDepths(last_stage_free),
    )[: "abcde".index(level)]
    name = f"AnyNetX_{level.upper()}"
    if level == "e" and last_stage_free:
        name += ", last stage free"
    return _space(name, ranges, constraints, stages, common)


def regnetx(ranges: Ranges = presets.PAPER, stages: int = 4, **common: Any) -> Space:
    """RegNetX: depths and widths by the quantized linear rule, one b and one g.

    Stages have no ranges of their own, the rule's stand in their place. Arguments as
    of `anynetx`.
    """
    constraints = (SharedBottleneck(), SharedGroupWidth(), QuantizedLinear())
    fixed = {"depths": None, "widths": None, "rule": True}
    name = "RegNetY" if common.get("block") == "y" else "RegNetX"
    return _space(name, ranges, constraints, stages, common, **fixed)


def regnety(ranges: Ranges = presets.PAPER, stages: int = 4, **common: Any) -> Space:
    """RegNetY: RegNetX with squeeze-and-excitation. Arguments as of `anynetx`."""
    common = {"block": "y", "squeeze_excite_ratio": 0.25} | common
    return regnetx(ranges, stages, **common)


def constrained(space: Space) -> Space:
    """A RegNet space with what sections 4 and 5 add.

    b = 1, wm >= 2, 12 <= d <= 28, and the caps on parameters and activations.
    """
    name = space.name
    for constraint in (
        BottleneckRatio(1),
        WidthMultiplier(2, max(2, space.limits.wm.high)),
        TotalDepth(12, 28),
        MaxParameters(),
        MaxActivations(),
    ):
        space &= constraint
    return space.named(f"{name}, constrained")


def vionet(
    *violations: Constraint,
    ranges: Ranges = presets.PAPER,
    stages: int = 4,
    **common: Any,
) -> Space:
    """VioNet: the rules broken on purpose (Dive into Deep Learning, exercise of 8.8).

    Args:
        *violations: What to break. By default all: `FallingWidths()`,
            `FallingDepths()` and `UnsharedGroupWidth()`, but for the last in blocks
            without groups. One alone tells which rule matters most; what is not broken
            is then as in AnyNetX_E.
        ranges: As of `anynetx`, and the following.
        stages: Number of stages.
        **common: Fields of `ConvNets`.
    """
    grouped = common.get("block", "x") not in PLAIN_BLOCKS
    chosen = violations or (
        FallingWidths(),
        FallingDepths(),
        *([UnsharedGroupWidth()] if grouped else []),
    )
    kept = {
        SharedGroupWidth: UnsharedGroupWidth,
        RisingWidths: FallingWidths,
        RisingDepths: FallingDepths,
    }
    broken = tuple(type(violation) for violation in chosen)
    rules = [rule() for rule, breach in kept.items() if breach not in broken]
    constraints = (SharedBottleneck(), *rules, *chosen)
    names = "" if not violations else f" ({', '.join(map(str, violations))})"
    return _space(f"VioNet{names}", ranges, constraints, stages, common)


def mlp(
    *constraints: Constraint,
    ranges: Ranges = presets.MLP,
    stages: int = 3,
    **common: Any,
) -> Space:
    """Multilayer perceptrons of stages of equally wide layers.

    Args:
        *constraints: Of those that are about depths, widths, the rule and costs.
        ranges: Ranges without bottlenecks and groups.
        stages: Number of stages.
        **common: Fields of `MLPs`: `input_size`, `input_channels`, `classes`.
    """
    rule = any(isinstance(constraint, QuantizedLinear) for constraint in constraints)
    fields = vars(Limits.of(ranges)) | {"stages": stages}
    if rule:
        fields |= {"depths": None, "widths": None, "rule": True}
    name = " & ".join(("MLP", *map(str, constraints)))
    return Space(name, Limits(**fields), MLPs(**common), tuple(constraints))


def _mlp_of(*constraints: Constraint) -> Callable[..., Space]:
    return lambda **arguments: mlp(*constraints, **arguments)


FACTORIES: dict[str, Callable[..., Space]] = {
    **{f"anynetx_{level}": partial(anynetx, level) for level in "abcde"},
    "regnetx": regnetx,
    "regnety": regnety,
    "regnetx_constrained": lambda **arguments: constrained(regnetx(**arguments)),
    "regnety_constrained": lambda **arguments: constrained(regnety(**arguments)),
    "plain_e": partial(anynetx, "e", block="res_basic"),
    "plain_linear": partial(regnetx, block="res_basic"),
    "vionet": vionet,
    "vionet_widths": partial(vionet, FallingWidths()),
    "vionet_depths": partial(vionet, FallingDepths()),
    "vionet_groups": partial(vionet, UnsharedGroupWidth()),
    "mlp": _mlp_of(),
    "mlp_rising": _mlp_of(RisingWidths()),
    "mlp_linear": _mlp_of(QuantizedLinear()),
}
"""What makes each space, by its name: `ranges`, `stages` and the family's fields."""


def by_name(name: str, **arguments: Any) -> Space:
    """A space by its name; case, `-` and `_` do not matter.

    Args:
        name: One of `FACTORIES`: `"AnyNetX-C"`, `"regnetx"`, `"mlp_linear"`.
        **arguments: `ranges`, `stages` and fields of `ConvNets` (`MLPs`).

    Raises:
        ValueError: There is none of this name, or an impossible argument.
    """
    key = name.lower().replace("-", "_") if isinstance(name, str) else name
    if key not in FACTORIES:
        raise ValueError(
            f"There is no space of this name; there are {', '.join(FACTORIES)}. "
            f"Received: {name!r}"
        )
    try:
        return FACTORIES[key](**arguments).named(key)
    except TypeError as error:
        raise ValueError(
            f"A space takes `ranges`, `stages` and what its networks have in common "
            f"({error}). Received: {sorted(arguments)}"
        ) from error


ANYNETX_A = anynetx("a")
ANYNETX_B = anynetx("b")
ANYNETX_C = anynetx("c")
ANYNETX_D = anynetx("d")
ANYNETX_E = anynetx("e")
REGNETX = regnetx()
REGNETY = regnety()
VIONET = vionet()
