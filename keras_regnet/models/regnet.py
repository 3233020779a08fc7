"""RegNets by published name or by the numbers of the quantized linear rule."""

from typing import Any, Unpack

import keras

from keras_regnet.architecture import (
    AnyNetParameters,
    RegNetParameters,
    canonical_name,
    variant,
)
from keras_regnet.models.anynet import AnyNet
from keras_regnet.models.arguments import ModelOptions
from keras_regnet.models.pretrained import prepare
from keras_regnet.weights import architecture_name


def RegNet(
    parameters: str | RegNetParameters | AnyNetParameters,
    **options: Unpack[ModelOptions],
) -> keras.Model:
    """Builds a RegNet of either family.

    Where the name is one of the three networks that torchvision rounds otherwise, and
    the weights are torchvision's, that twin is built, with a message.

    Args:
        parameters: A published name such as `"RegNetX-200MF"` or `"regnety_032"` (see
            `keras_regnet.architecture.variant` for the spellings), or the numbers.
        **options: The further arguments of `AnyNet`.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: An unknown name or an impossible argument.
    """
    name = None
    if isinstance(parameters, str):
        name = canonical_name(parameters)
        parameters = variant(name)
    elif not isinstance(parameters, RegNetParameters | AnyNetParameters):
        raise ValueError(
            "`parameters` must be a published name, RegNetParameters or "
            f"AnyNetParameters. Received: {parameters!r}"
        )
    options["weights"], network = prepare(
        options.get("weights"),
        parameters.anynet(),
        name is not None,
        options.get("accept_license", False),
        options.get("padding", "symmetric"),
    )
    name = architecture_name(network) if name else "regnet"
    # Keras wants names that can stand in a scope of TensorFlow's.
    options.setdefault("name", name.lower().replace("-", "_").replace(".", "_"))
    return AnyNet(network, **options)


def _family(
    family: str, name: str | None, rule: dict[str, Any], options: ModelOptions
) -> keras.Model:
    """A RegNet of one family from a name or from numbers, not from both."""
    given = {key: value for key, value in rule.items() if value is not None}
    if name is not None:
        if given:
            raise ValueError(
                "Give a published name or the numbers of the quantized linear rule, "
                f"not both. Received: {name!r} and {given}"
            )
        return RegNet(canonical_name(name, family), **options)
    needed = ("depth", "w0", "wa", "wm", "group_width")
    missing = [key for key in needed if key not in given]
    if missing:
        raise ValueError(
            "Give a published name such as '200MF', or all of "
            f"{', '.join(needed)}. Received: {given or None}, without "
            f"{', '.join(missing)}"
        )
    if family == "y":
        given.setdefault("squeeze_excite_ratio", 0.25)
    options.setdefault("name", f"regnet{family}")
    return RegNet(RegNetParameters(**given), **options)


def RegNetX(
    variant: str | None = None,
    *,
    depth: int | None = None,
    w0: int | None = None,
    wa: float | None = None,
    wm: float | None = None,
    group_width: int | None = None,
    bottleneck_ratio: float | None = None,
    stem: str | None = None,
    stem_width: int | None = None,
    strides: int | tuple[int, ...] | None = None,
    rounding: str | None = None,
    **options: Unpack[ModelOptions],
) -> keras.Model:
    """Builds a RegNetX: residual bottlenecks with grouped convolutions.

    By name, `RegNetX("200MF")`, or by the numbers of the quantized linear rule
    (paper, equations 2 to 4), here those of RegNetX-400MF:
    `RegNetX(depth=22, w0=24, wa=24.48, wm=2.54, group_width=16)`.

    Args:
        variant: A published name in any customary spelling.
        depth: Number of blocks.
        w0: Width of the first block; a multiple of 8.
        wa: Slope of the widths over the blocks, at least 0.
        wm: Factor between the widths of neighbouring stages, above 1.
        group_width: Channels of a group.
        bottleneck_ratio: The paper's b; 1 by default.
        stem: `"simple"` (3x3 stride 2, the default), `"small"` (3x3 stride 1, for
            images of 28 or 32 pixels) or `"resnet"` (7x7 stride 2, max-pool).
        stem_width: Channels of the stem; 32 by default.
        strides: Of every stage, or one for each; 2 by default.
        rounding: Which rule makes widths and groups fit: `"pycls"` (default) or
            `"torchvision"`.
        **options: The further arguments of `AnyNet`: `include_top`, `weights`,
            `input_shape`, `pooling`, `classes`, `classifier_activation` and others.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: An unknown name, a missing number or an impossible argument.
    """
    rule = {
        "depth": depth,
        "w0": w0,
        "wa": wa,
        "wm": wm,
        "group_width": group_width,
        "bottleneck_ratio": bottleneck_ratio,
        "stem": stem,
        "stem_width": stem_width,
        "strides": strides,
        "rounding": rounding,
    }
    return _family("x", variant, rule, options)


def RegNetY(
    variant: str | None = None,
    *,
    depth: int | None = None,
    w0: int | None = None,
    wa: float | None = None,
    wm: float | None = None,
    group_width: int | None = None,
    bottleneck_ratio: float | None = None,
    squeeze_excite_ratio: float | None = None,
    stem: str | None = None,
    stem_width: int | None = None,
    strides: int | tuple[int, ...] | None = None,
    rounding: str | None = None,
    **options: Unpack[ModelOptions],
) -> keras.Model:
    """Builds a RegNetY: a RegNetX with squeeze-and-excitation in every block.

    Args:
        variant: As in `RegNetX`, and the following.
        depth: Number of blocks.
        w0: Width of the first block.
        wa: Slope of the widths.
        wm: Factor between stages.
        group_width: Channels of a group.
        bottleneck_ratio: The paper's b.
        squeeze_excite_ratio: The squeezed width as a fraction of the block's input
            width; 0.25 by default.
        stem: Kind of the stem.
        stem_width: Channels of the stem.
        strides: Of the stages.
        rounding: Which rule makes widths and groups fit.
        **options: The further arguments of `AnyNet`.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: An unknown name, a missing number or an impossible argument.
    """
    rule = {
        "depth": depth,
        "w0": w0,
        "wa": wa,
        "wm": wm,
        "group_width": group_width,
        "bottleneck_ratio": bottleneck_ratio,
        "squeeze_excite_ratio": squeeze_excite_ratio,
        "stem": stem,
        "stem_width": stem_width,
        "strides": strides,
        "rounding": rounding,
    }
    return _family("y", variant, rule, options)
