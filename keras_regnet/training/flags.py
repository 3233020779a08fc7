"""The flags of scripts/train.py: from the configurations' fields, in groups.

A field's flag has its type from the dataclass and its help from the docstring, so that
a new field only needs its place in `GROUPS`; without one it stands under "More".
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from keras_regnet.architecture import RegNetParameters
from keras_regnet.optional import require
from keras_regnet.training.fields import Field, fields_of
from keras_regnet.training.flag_groups import (
    GROUPS,
    HELP,
    NO_FLAG,
    OF_THE_PROGRAM,
    RENAMED,
)
from keras_regnet.training.flag_help import format_help
from keras_regnet.training.flag_uses import uses_of_data, uses_of_training
from keras_regnet.training.flag_values import (
    NONE,
    check_uses,
    define_flag,
    parse_flags,
)
from keras_regnet.training.recipe_files import read_recipe
from keras_regnet.training.recipes import SECTIONS, RunConfig, configure

flags = require("absl.flags", "train")

VALUES = flags.FLAGS
"""The flags of this process, once they are defined and parsed."""

_SHAPE = ("bottleneck_ratio", "stem", "stem_width", "strides")
_NUMBERS = ("depth", "w0", "wa", "wm", "group_width")


@dataclasses.dataclass(frozen=True)
class Flag:
    """A flag.

    Attributes:
        name: Without the dashes.
        help: What it means.
        section: Of the configuration it belongs to; None for the program's own.
        field: Its field in that configuration.
        default: Only of the program's own.
    """

    name: str
    help: str
    section: str | None = None
    field: Field | None = None
    default: Any = None


def all_flags() -> dict[str, Flag]:
    """Every flag by name: the program's own, and one for each field."""
    found = {
        name: Flag(name, text, default=default)
        for name, (_, default, text) in OF_THE_PROGRAM.items()
    }
    for section, configuration in SECTIONS.items():
        for field in fields_of(configuration).values():
            name = RENAMED.get(f"{section}.{field.name}", field.name)
            if name not in NO_FLAG and name not in found:
                text = HELP.get(name, field.meaning)
                found[name] = Flag(name, text, section, field)
    return found


def groups(without: Collection[str] = ()) -> dict[str, list[Flag]]:
    """The flags under the headings of `GROUPS`, but for those of some names."""
    left = {name: flag for name, flag in all_flags().items() if name not in without}
    found = {
        title: [left.pop(name) for name in names if name in left]
        for title, names in GROUPS.items()
    }
    return found | ({"More": list(left.values())} if left else {})


def define(values: flags.FlagValues = VALUES, without: Collection[str] = ()) -> None:
    """Defines all flags. One that is not given is None, or the program's default.

    Args:
        values: Where they are defined.
        without: The names of flags that the program does not have.
    """
    for flag in (flag for each in groups(without).values() for flag in each):
        kind = flag.field.kind if flag.field else OF_THE_PROGRAM[flag.name][0]
        optional = bool(flag.field and flag.field.optional)
        define_flag(flag.name, kind, flag.default, flag.help, optional, values)


def parse(
    argv: Sequence[str], description: str, without: Collection[str] = ()
) -> list[str]:
    """Parses a command line, for `absl.app.run(..., flags_parser=...)`.

    Args:
        argv: The command line.
        description: What the program does; stands above the flags in its help.
        without: As in `define`.

    Returns:
        What is left of the command line.
    """
    return parse_flags(argv, lambda: format_help(description, groups(without)))


def run_config(values: flags.FlagValues) -> RunConfig:
    """The configuration that the flags ask for.

    Raises:
        ValueError: Flags contradict each other, or a value is out of its range.
        OSError: A recipe file cannot be read.
    """
    if values.recipe and values.recipe_file:
        raise ValueError(
            "Give either --recipe or --recipe_file (a file can extend a recipe). "
            f"Received: {values.recipe} and {values.recipe_file}"
        )
    own: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
    for flag in all_flags().values():
        value = values[flag.name].value if flag.name in values else None
        if flag.section and value is not None:
            absent = flag.field.optional and value == NONE
            own[flag.section][flag.field.name] = None if absent else value
    if values.seed is not None:
        own["data"]["seed"] = values.seed
    if architecture := _architecture(values):
        own["model"]["architecture"] = architecture
    recipe = values.recipe or "default"
    if values.recipe_file:
        recipe = read_recipe(values.recipe_file)
    config = configure(recipe, **own)
    check_uses(values, uses_of_data(config.data) | uses_of_training(config.training))
    return config


def architecture_flags(parameters: RegNetParameters) -> list[str]:
    """The flags that ask scripts/train.py for a RegNet.

    Args:
        parameters: The network: an X with SE of 0, or a Y with 0.25.
    """
    strides = parameters.strides
    strides = (strides,) if isinstance(strides, int) else strides
    return [
        f"--block={'y' if parameters.squeeze_excite_ratio else 'x'}",
        *(f"--{name}={getattr(parameters, name)}" for name in _NUMBERS),
        f"--bottleneck_ratio={parameters.bottleneck_ratio}",
        f"--stem={parameters.stem}",
        f"--stem_width={parameters.stem_width}",
        f"--strides={','.join(map(str, strides))}",
    ]


def _architecture(values: Mapping[str, Any]) -> str | RegNetParameters | None:
    numbers = {name: values[name].value for name in _NUMBERS}
    given = [name for name, value in numbers.items() if value is not None]
    shape = {name: values[name].value for name in _SHAPE}
    shape = {name: value for name, value in shape.items() if value is not None}
    if values.block is None and not given:
        if shape:
            raise ValueError(
                f"{', '.join(f'--{name}' for name in shape)} shape a network that is "
                "given by its numbers (--block, --depth, --w0, --wa, --wm and "
                "--group_width); a network with a name has its own. "
                f"Received: --model={values.model} and "
                + ", ".join(f"--{name}={value}" for name, value in shape.items())
            )
        return values.model
    if values.model or values.block is None or len(given) < len(numbers):
        raise ValueError(
            "Give either --model, or all of --block, --depth, --w0, --wa, --wm and "
            f"--group_width. Received: --model={values.model}, "
            f"--block={values.block} and {given}"
        )
    if "strides" in shape:
        shape["strides"] = _whole_numbers("strides", shape["strides"])
    return RegNetParameters(
        **numbers,
        squeeze_excite_ratio=0.25 if values.block == "y" else 0.0,
        **shape,
    )


def _whole_numbers(name: str, text: str) -> int | tuple[int, ...]:
    """One number, or several with commas between them."""
    try:
        numbers = tuple(int(each) for each in text.split(","))
    except ValueError:
        raise ValueError(
            f"{name} must be whole numbers with commas between them. Received: {text!r}"
        ) from None
    return numbers[0] if len(numbers) == 1 else numbers
