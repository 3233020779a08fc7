#!/usr/bin/env python3
"""Describes a RegNet: its stages, what it costs, and how its widths come about.

    scripts/describe.py --model=RegNetX-400MF --output=widths.png
    scripts/describe.py --depth=22 --w0=24 --wa=24.48 --wm=2.54 --group_width=16

Nothing is built and nothing is trained: all is computed from the numbers.
"""

import dataclasses
import json
import os
import sys
from typing import Any

from absl import app, flags

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "model",
    None,
    "A published network by any of its customary names: RegNetX-400MF, RegNetX004, "
    "regnetx_004, regnet_x_400mf (torchvision's, whose widths can differ), RegNetX32. "
    "Instead of the numbers below.",
)
flags.DEFINE_integer("depth", None, "Number of blocks d.")
flags.DEFINE_integer("w0", None, "Width of the first block, a multiple of 8.")
flags.DEFINE_float("wa", None, "Slope of the widths over the blocks: u_j = w0 + wa j.")
flags.DEFINE_float("wm", None, "Factor between the widths of two stages, above 1.")
flags.DEFINE_integer("group_width", None, "Channels per group of the 3x3 convolutions.")
flags.DEFINE_float(
    "bottleneck_ratio", 1.0, "The paper's b: 3x3 convolutions have width / b channels."
)
flags.DEFINE_float(
    "squeeze_excite_ratio", 0.0, "0 makes a RegNetX; RegNetY has 0.25, at most 1."
)
flags.DEFINE_string(
    "rounding",
    "pycls",
    "How widths are fitted to the group width: pycls (halves to even) or torchvision "
    "(halves up, never below 90 %).",
)
flags.DEFINE_string("input_size", "224", "Pixels of the image: 224, or HEIGHTxWIDTH.")
flags.DEFINE_integer("classes", 1000, "Outputs of the classifier.")
flags.DEFINE_string("output", None, "A PNG to draw the widths of all blocks to.")
flags.DEFINE_bool("json", False, "Print JSON in place of tables.")

_NEEDED = ("depth", "w0", "wa", "wm", "group_width")
_NUMBERS = (*_NEEDED, "bottleneck_ratio", "squeeze_excite_ratio", "rounding")


def main(argv: list[str]) -> None:
    """Prints the description and draws the picture."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if len(argv) > 1:
        _fail(f"Arguments are given as --flag=value. Received: {argv[1:]}")
    from keras_regnet import plots
    from keras_regnet.architecture import complexity

    try:
        name, parameters = _network()
        cost = complexity(parameters, _input_size(), classes=FLAGS.classes)
        if FLAGS.output:
            plots.plot_widths(parameters, FLAGS.output, name)
    except (ValueError, OSError, ImportError) as error:
        _fail(str(error))
    if FLAGS.json:
        print(json.dumps(_dictionary(name, parameters, cost), indent=2))
    else:
        _print_tables(name, parameters, cost)
        if FLAGS.output:
            print(f"\nWidths drawn to {FLAGS.output}")


def _network() -> tuple[str, Any]:
    """The network that the flags ask for, and a name for it."""
    from keras_regnet.architecture import RegNetParameters, canonical_name, variant

    given = [f"--{name}" for name in _NUMBERS if FLAGS[name].present]
    if FLAGS.model is not None:
        if given:
            raise ValueError(
                "Give --model or the numbers, not both. "
                f"Received: --model={FLAGS.model} and {', '.join(given)}"
            )
        return canonical_name(FLAGS.model), variant(FLAGS.model)
    missing = [f"--{name}" for name in _NEEDED if FLAGS[name].value is None]
    if missing:
        raise ValueError(
            f"Give --model, or all of {', '.join('--' + name for name in _NEEDED)}. "
            f"Received: {', '.join(given) or 'neither'}"
        )
    parameters = RegNetParameters(**{name: FLAGS[name].value for name in _NUMBERS})
    return f"RegNet{'Y' if FLAGS.squeeze_excite_ratio else 'X'}", parameters


def _input_size() -> tuple[int, ...]:
    try:
        sides = [int(side) for side in FLAGS.input_size.lower().split("x")]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2):
        raise ValueError(
            "--input_size is one number of pixels or HEIGHTxWIDTH. "
            f"Received: --input_size={FLAGS.input_size}"
        )
    return (sides[0], sides[-1])


def _print_tables(name: str, parameters: Any, cost: Any) -> None:
    network = parameters.anynet()
    print(
        f"{name}: {sum(network.depths)} blocks of kind {network.block!r}, "
        f"stem {network.stem!r} of width {network.stem_width}"
    )
    if network.squeeze_excite_ratio:
        print(f"squeeze-and-excite ratio {network.squeeze_excite_ratio:g}")
    print("\nstage  depth  width  stride  bottleneck  group width  groups")
    for number, stage in enumerate(network.stages, start=1):
        group_width = stage.group_width or stage.bottleneck_width
        print(
            f"{f's{number}':<5}{stage.depth:>7}{stage.width:>7}{stage.stride:>8}"
            f"{stage.bottleneck_width:>12}{group_width:>13}{stage.groups:>8}"
        )
    print(f"\nFor one image of {FLAGS.input_size} pixels, {FLAGS.classes} classes:")
    print(cost)
    if hasattr(parameters, "explain"):
        print(f"\nHow the widths come about:\n{parameters.explain()}")


def _dictionary(name: str, parameters: Any, cost: Any) -> dict[str, Any]:
    totals = ("multiply_adds", "parameters", "total_parameters", "activations")
    result = {
        "name": name,
        "parameters": parameters.to_dict(),
        "network": parameters.anynet().to_dict(),
        "complexity": {
            "input_size": list(_input_size()),
            "classes": FLAGS.classes,
            **{total: getattr(cost, total) for total in totals},
            "parts": [dataclasses.asdict(part) for part in cost.parts],
        },
    }
    if hasattr(parameters, "explain"):
        derivation = parameters.explain()
        result["derivation"] = {
            key: list(getattr(derivation, key))
            for key in ("continuous", "exponents", "quantized", "compatible")
        }
    return result


def _fail(message: str) -> None:
    """Ends the program with one message and exit code 2."""
    print(f"describe.py: {message}", file=sys.stderr)
    sys.exit(2)


def _parse(argv: list[str]) -> list[str]:
    """Parses flags; a wrong one is a message, not a traceback."""
    try:
        return FLAGS(argv)
    except flags.Error as error:
        _fail(f"{error} (--help tells all flags)")


if __name__ == "__main__":
    app.run(main, flags_parser=_parse)
