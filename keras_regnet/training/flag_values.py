"""Flags of a type or of some choices, and their values as words."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keras_regnet.optional import require

app, flags = require("absl.app", "train"), require("absl.flags", "train")

NONE = "none"  # as a value: what None means for the field


class ValueParser(flags.ArgumentParser):
    """Reads a value of a type, or the word for None.

    Args:
        kind: bool, int, float, str or tuple; `object` for a bool or a word.
        optional: Whether the word for None is a value.
    """

    def __init__(self, kind: type, optional: bool) -> None:
        self.kind = kind
        self.optional = optional
        self.syntactic_help = ""

    def parse(self, argument: Any) -> Any:
        """The value.

        Raises:
            ValueError: It is not of the type.
        """
        word = str(argument).strip()
        if self.optional and word.lower() == NONE:
            return NONE
        if self.kind is tuple:
            return tuple(float(each) for each in word.split(","))
        if self.kind is object:
            return {"true": True, "false": False}.get(word.lower(), word)
        return self.kind(word)

    def flag_type(self) -> str:
        """The type's name."""
        return self.kind.__name__


def define_flag(
    name: str,
    kind: type | Sequence[str],
    default: Any,
    text: str,
    optional: bool,
    values: flags.FlagValues,
) -> None:
    """Defines a flag.

    Args:
        name: Of the flag.
        kind: Its type, as `ValueParser` takes it, or the words to choose from.
        default: Its value where it is not given.
        text: Its help.
        optional: Whether the word for None is a value.
        values: Where it is defined.
    """
    if kind is bool:
        flags.DEFINE_boolean(name, default, text, values)
        return
    typed = isinstance(kind, type)
    flags.DEFINE(
        ValueParser(kind, optional) if typed else flags.EnumParser(list(kind)),
        name,
        default,
        text,
        flag_values=values,
        serializer=flags.ArgumentSerializer(),
    )


def check_uses(values: flags.FlagValues, uses: Mapping[str, tuple[bool, str]]) -> None:
    """Checks that every flag that was given changes something.

    Args:
        values: The parsed flags.
        uses: By name, whether a flag does something beside the others, and what it
            needs for that. Those that the program does not have are passed over.

    Raises:
        ValueError: One was given that does nothing.
    """
    for name, (used, needed) in uses.items():
        if name in values and values[name].present and not used:
            raise ValueError(
                f"--{name} does nothing without {needed}. "
                f"Received: --{name}={values[name].value}"
            )


def parse_flags(argv: Sequence[str], help_text: Callable[[], str]) -> list[str]:
    """Parses a command line, or prints the help and ends.

    Args:
        argv: The command line.
        help_text: Gives the whole help.

    Returns:
        What is left of the command line.
    """
    if any(each.lstrip("-") in ("help", "helpshort", "h") for each in argv[1:]):
        print(help_text())
        sys.exit(0)
    return app.parse_flags_with_usage(list(argv))
