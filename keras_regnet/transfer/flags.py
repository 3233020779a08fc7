"""The flags of scripts/finetune.py: from the configurations' fields, in groups."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from keras_regnet.data import DataConfig
from keras_regnet.optional import require
from keras_regnet.training.fields import Field, fields_of
from keras_regnet.training.flag_help import columns, grouped, word, wrap
from keras_regnet.training.flag_values import NONE, define_flag, parse_flags
from keras_regnet.transfer.config import FineTuneConfig
from keras_regnet.transfer.flag_groups import (
    CHOICES,
    DEFAULTS,
    FOLLOWS,
    GROUPS,
    HELP,
    OF_THE_DATA,
    OF_THE_PROGRAM,
    RENAMED,
)

flags = require("absl.flags", "train")

VALUES = flags.FLAGS
"""The flags of this process, once they are defined and parsed."""


def define(values: flags.FlagValues = VALUES) -> None:
    """Defines all flags. A field's that is not given is None."""
    for names in GROUPS.values():
        for name in names:
            kind, text, optional = _described(name)
            default = OF_THE_PROGRAM[name][1] if name in OF_THE_PROGRAM else None
            define_flag(name, kind, default, text, optional, values)


def parse(argv: Sequence[str], description: str) -> list[str]:
    """Parses a command line, for `absl.app.run(..., flags_parser=...)`.

    Args:
        argv: The command line.
        description: What the program does; stands above the flags in its help.

    Returns:
        What is left of the command line.
    """
    return parse_flags(argv, lambda: format_help(description))


def format_help(description: str) -> str:
    """The whole help, of at most 88 columns."""
    width = columns()
    intro = (
        "In brackets: what a flag has where it is not given. none is a value where a "
        "field can be None."
    )
    parts = [description.strip(), wrap(intro, width, 0)]
    parts += grouped(GROUPS, _described, _default, width)
    return "\n\n".join(parts)


def configurations(values: Any) -> tuple[DataConfig, FineTuneConfig]:
    """The configurations that the flags ask for.

    Args:
        values: The parsed flags.

    Raises:
        ValueError: A value is out of its range.
    """
    data = {"seed": values.seed} | DEFAULTS
    names = {RENAMED.get(name, name): name for name in fields_of(DataConfig)}
    for name in OF_THE_DATA:
        if name in names and (value := values[name].value) is not None:
            data[names[name]] = None if value == NONE else value
    tuning = {}
    for name in fields_of(FineTuneConfig):
        if (value := values[name].value) is not None:
            tuning[name] = value
    for name in ("unfreeze", "class_weights"):
        if name in tuning:
            tuning[name] = _READERS[name](tuning[name])
    optional = {n for n, field in fields_of(FineTuneConfig).items() if field.optional}
    for name in optional & set(tuning):
        tuning[name] = None if tuning[name] == NONE else tuning[name]
    return DataConfig(**data), FineTuneConfig(**tuning)


def seeds(text: str) -> tuple[int, ...]:
    """The seeds of a comparison.

    Raises:
        ValueError: One is no whole number.
    """
    try:
        return tuple(int(each) for each in text.split(","))
    except ValueError:
        raise ValueError(
            f"seeds must be whole numbers with commas between them. Received: {text!r}"
        ) from None


def _described(name: str) -> tuple[Any, str, bool]:
    """The type or choices of a flag, its help, and whether none is a value."""
    if name in OF_THE_PROGRAM:
        kind, _, text = OF_THE_PROGRAM[name]
        return kind, text, False
    field = _field(name)
    text = HELP.get(name, field.meaning)
    if name in FOLLOWS:  # what None means, the brackets say
        text = text.partition(" None: ")[0]
    return CHOICES.get(name, field.kind), text, field.optional


def _field(name: str) -> Field:
    if name in OF_THE_DATA:
        fields = fields_of(DataConfig)
        names = {RENAMED.get(each, each): each for each in fields}
        return fields[names[name]]
    return fields_of(FineTuneConfig)[name]


def _default(name: str) -> str:
    if name in FOLLOWS:
        return f"[{FOLLOWS[name]}]"
    if name in OF_THE_PROGRAM:
        default = OF_THE_PROGRAM[name][1]
        return "" if default in (None, False) else f"[{word(default)}]"
    default = DEFAULTS.get(name, _field(name).default)
    return "" if default is dataclasses.MISSING else f"[{word(default)}]"


def _unfreeze(text: str) -> str | int:
    return int(text) if text.isdigit() else text


def _class_weights(text: str) -> str | dict[str, float]:
    """A word, or weights as `ants:1,bees:2.5`."""
    if ":" not in text:
        return text
    found = {}
    for pair in text.split(","):
        name, _, number = pair.rpartition(":")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            raise ValueError(
                "class_weights must be none, balanced or pairs as ants:1,bees:2.5. "
                f"Received: {text!r}"
            ) from None
    return found


_READERS = {"unfreeze": _unfreeze, "class_weights": _class_weights}
