"""The help of scripts/train.py, which reads like documentation."""

import dataclasses
import re
import shutil
import textwrap
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from keras_regnet.architecture import variant
from keras_regnet.training.flag_groups import FOLLOWS, OF_THE_PROGRAM
from keras_regnet.training.recipe import Asked, Recipe
from keras_regnet.training.recipes import RECIPES

_MOST_COLUMNS = 88
_METAVARIABLES = MappingProxyType({int: "N", float: "X", tuple: "X,Y"})


def format_help(description: str, groups: Mapping[str, Sequence[Any]]) -> str:
    """The whole help.

    Args:
        description: What the program does.
        groups: Flags by heading.

    Returns:
        Text of at most 88 columns, or of the terminal's.
    """
    width = columns()
    parts = [description.strip(), "Recipes (--recipe=NAME)", _recipes(width)]
    parts.append(
        wrap(
            "A flag that is not given has the recipe's value. In brackets: the value "
            "of the default recipe, and of the recipes that have another. none is a "
            "value where a field can be None.",
            width,
            0,
        )
    )
    for title, flags in groups.items():
        parts.append(title)
        parts.append("\n".join(_flag(flag, width) for flag in flags))
    return "\n\n".join(parts)


def columns() -> int:
    """How wide a help is: the terminal's width, at most 88."""
    return min(_MOST_COLUMNS, shutil.get_terminal_size((_MOST_COLUMNS, 24)).columns)


def _recipes(width: int) -> str:
    return "\n".join(
        wrap(f"{recipe.name:<16}{recipe.summary}", width, 2, 18)
        for recipe in RECIPES.values()
    )


def _flag(flag: Any, width: int) -> str:
    kind = flag.field.kind if flag.field else OF_THE_PROGRAM[flag.name][0]
    return flag_text(flag.name, kind, flag.help, _default(flag), width)


def flag_text(
    name: str, kind: type | Sequence[str], text: str, default: str, width: int
) -> str:
    """A flag in a help: its name and what it takes, and below what it means.

    Args:
        name: Without the dashes.
        kind: Its type, or the words to choose from.
        text: What it means; marks of code are taken away.
        default: What stands after it, in brackets.
        width: Columns.
    """
    text = re.sub(r'`"?|"?`|\*(?=\w)|(?<=\w)\*', "", text)
    name = f"--[no]{name}" if kind is bool else f"--{name}"
    if not isinstance(kind, type):
        name += f"={'|'.join(kind)}"
    elif kind is not bool:
        name += f"={_METAVARIABLES.get(kind, 'WORD')}"
    return f"  {name}\n" + wrap(f"{text} {default}".strip(), width, 6)


def grouped(
    groups: Mapping[str, Sequence[str]],
    described: Callable[[str], tuple[type | Sequence[str], str, bool]],
    default: Callable[[str], str],
    width: int,
) -> list[str]:
    """The parts of a help that tell of flags: the title of each group, and its flags.

    Args:
        groups: The names of flags, by the titles of their groups.
        described: Of a name, the flag's type, its meaning, and whether it can be None.
        default: Of a name, what stands after the meaning; see `flag_text`.
        width: Columns.
    """
    parts = []
    for title, names in groups.items():
        texts = []
        for name in names:
            kind, text, _ = described(name)
            texts.append(flag_text(name, kind, text, default(name), width))
        parts += [title, "\n".join(texts)]
    return parts


def _default(flag: Any) -> str:
    """What the flag has where it is not given, in brackets."""
    if flag.name in FOLLOWS:
        return f"[{FOLLOWS[flag.name]}]"
    if flag.field is None:
        return "" if flag.default in (None, False) else f"[default {flag.default}]"
    default = flag.field.default
    if default is dataclasses.MISSING:
        return ""
    others: dict[str, list[str]] = {}
    for recipe in RECIPES.values():
        value = _value(recipe, flag.section, flag.field.name, default)
        if value != default:
            others.setdefault(word(value), []).append(recipe.name)
    parts = [f"default {word(default)}"]
    parts += [f"{', '.join(names)} {word}" for word, names in others.items()]
    return f"[{'; '.join(parts)}]"


def _value(recipe: Recipe, section: str, field: str, default: Any) -> Any:
    """A recipe's value of a field for a network of middle size."""
    fields = recipe.fields(Asked(variant("RegNetY-3.2GF")))
    return fields.get(section, {}).get(field, default)


def word(value: Any) -> str:
    """A value as one writes it on a command line."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(f"{each:.4g}" for each in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def wrap(text: str, width: int, indent: int, hanging: int | None = None) -> str:
    """Text of at most `width` columns, indented."""
    return textwrap.fill(
        text,
        width,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent if hanging is None else hanging),
        break_on_hyphens=False,
    )
