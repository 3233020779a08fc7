"""The flags of scripts/design_space.py: definition, help, and what they ask for."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from keras_regnet.design_space.plan import SamplingPlan, Window
from keras_regnet.design_space.program.flag_groups import (
    GROUPS,
    OWN,
    RENAMED,
    SUMMARIES,
)
from keras_regnet.design_space.regime import PRECISIONS, Regime
from keras_regnet.design_space.sample import MEASURES
from keras_regnet.design_space.spaces import FACTORIES
from keras_regnet.optional import require
from keras_regnet.training.fields import fields_of, nearest
from keras_regnet.training.flag_help import columns, grouped, word, wrap
from keras_regnet.training.flag_values import NONE, define_flag, parse_flags

flags = require("absl.flags", "train")

VALUES = flags.FLAGS
"""The flags of this process, once they are defined and parsed."""

_OF_THE_NETWORKS = (
    "stages",
    "strides",
    "stem",
    "stem_width",
    "input_size",
    "input_channels",
    "classes",
)


def parse(argv: Sequence[str], description: str) -> list[str]:
    """Defines the flags of the command that a line begins with, and parses the line.

    Args:
        argv: The program's name, a command, and flags.
        description: What the program does; stands above its help.

    Returns:
        The program's name and the command.
    """
    command = argv[1] if len(argv) > 1 else "--help"
    if command not in GROUPS:
        rest = [argv[0], command, *argv[2:]]
        return parse_flags(rest, lambda: format_overview(description))
    if not all(name in VALUES for name in names_of(command)):
        define(command)
    rest = [argv[0], *argv[2:]]
    program, *left = parse_flags(rest, lambda: format_help(command))
    return [program, command, *left]


def define(command: str, values: flags.FlagValues = VALUES) -> None:
    """Defines the flags of a command. A field's that is not given is None."""
    for name in names_of(command):
        kind, text, optional = _described(name)
        default = OWN[name][1] if name in OWN else None
        define_flag(name, kind, default, text, optional, values)


def names_of(command: str) -> list[str]:
    """The names of a command's flags, in the order of its help."""
    return [name for names in GROUPS[command].values() for name in names]


def format_overview(description: str) -> str:
    """The program's help."""
    width = columns()
    lines = [wrap(f"{n:<10}{text}", width, 2, 12) for n, text in SUMMARIES.items()]
    return "\n\n".join(
        [
            description.strip(),
            "\n".join(["Commands (COMMAND --help tells more)", *lines]),
        ]
    )


def format_help(command: str) -> str:
    """The help of a command, of at most 88 columns."""
    width = columns()
    parts = [wrap(f"design_space.py {command}: {SUMMARIES[command]}.", width, 0)]
    parts += grouped(GROUPS[command], _described, _default, width)
    return "\n\n".join(parts)


def needed(values: Any, *names: str) -> None:
    """Refuses a command line without these flags.

    Raises:
        ValueError: One is missing.
    """
    for name in names:
        if not getattr(values, name):
            raise ValueError(
                f"--{name} is needed; see --help. "
                f"Received: --{name}={getattr(values, name)}"
            )


def regime_fields(values: Any) -> dict[str, Any]:
    """The fields of the regime that were given."""
    names = GROUPS["train"]["Regime"]
    given = {_field(name): getattr(values, name) for name in names}
    return {
        name: None if value == NONE else value
        for name, value in given.items()
        if value is not None
    }


def plan(values: Any, space: str, **images: Any) -> SamplingPlan:
    """The sampling that the flags ask for.

    Args:
        values: The flags.
        space: The space's name, as `spaces.by_name` takes it.
        **images: `input_size`, `input_channels` and `classes`, where no flags tell.

    Raises:
        ValueError: A flag's value is impossible.
    """
    key = space.strip().lower().replace("-", "_")
    if key not in FACTORIES:
        raise ValueError(
            f"There is no space of this name.{nearest(key, FACTORIES)} All of them: "
            f"{', '.join(FACTORIES)}. Received: {space!r}"
        )
    common = dict(images)
    for name in _OF_THE_NETWORKS:
        value = getattr(values, name, None)
        if value is not None:
            common[name] = numbers(name, value) if name == "strides" else value
    if isinstance(common.get("strides"), tuple) and len(common["strides"]) == 1:
        (common["strides"],) = common["strides"]
    return SamplingPlan(
        space=key,
        ranges=values.ranges,
        stages=common.pop("stages", None),
        common=common,
        seed=values.sampling_seed,
        **{name: window(name, getattr(values, name)) for name in MEASURES},
    )


def numbers(name: str, text: str) -> tuple[int, ...]:
    """Whole numbers with commas between them.

    Raises:
        ValueError: They are none.
    """
    try:
        return tuple(int(each) for each in text.split(","))
    except ValueError:
        raise ValueError(
            f"--{name} must be whole numbers with commas between them. "
            f"Received: {text!r}"
        ) from None


def words(text: str | None) -> list[str]:
    """Words with commas between them; none where nothing was given."""
    return [each.strip() for each in (text or "").split(",") if each.strip()]


def window(name: str, text: str | None) -> Window | None:
    """A window `low,high`, of which one end may be left out.

    Raises:
        ValueError: It is none.
    """
    if text is None:
        return None
    try:
        low, high = (float(end) if end.strip() else None for end in text.split(","))
    except ValueError:
        raise ValueError(
            f"--{name} must be two numbers, such as 360e6,400e6 (or 360e6, for no "
            f"upper end). Received: {text!r}"
        ) from None
    return low, high


def _described(name: str) -> tuple[type | Sequence[str], str, bool]:
    """A flag's type, its help, and whether it can be None."""
    if name in OWN:
        kind, _, text = OWN[name]
        return kind, text.format(spaces=", ".join(FACTORIES)), False
    field = fields_of(Regime)[_field(name)]
    kind = PRECISIONS if name == "precision" else field.kind
    return kind, field.meaning, field.optional


def _field(name: str) -> str:
    """The field of the regime that a flag is about."""
    return RENAMED.get(name, name)


def _default(name: str) -> str:
    if name in OWN:
        default = OWN[name][1]
        hidden = default is None or default is False
        return "" if hidden else f"[default {word(default)}]"
    default = fields_of(Regime)[_field(name)].default
    return "" if default is dataclasses.MISSING else f"[default {word(default)}]"
