"""Fields of configurations as words: their types, their meaning, and what is a number.

What a field is, its dataclass says: in its annotations, its defaults, and the section
"Attributes" of its docstring.
"""

import dataclasses
import difflib
import inspect
import re
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Field:
    """A field of a configuration.

    Attributes:
        name: Its name.
        kind: Its type: bool, int, float, str or tuple; `object` for anything else.
        optional: Whether it can be None.
        default: Its default, or `dataclasses.MISSING`.
        meaning: What the docstring of its class says, as one line.
    """

    name: str
    kind: type
    optional: bool
    default: Any
    meaning: str


def fields_of(configuration: type) -> dict[str, Field]:
    """The fields of a dataclass, by name."""
    hints = typing.get_type_hints(configuration)
    meanings = _meanings(configuration)
    found = {}
    for field in dataclasses.fields(configuration):
        kind, optional = _kind(hints[field.name])
        found[field.name] = Field(
            field.name, kind, optional, field.default, meanings.get(field.name, "")
        )
    return found


def read_section(
    section: str, configuration: type, values: Mapping[str, Any]
) -> dict[str, Any]:
    """Checks that all keys are fields, and makes numbers of words that are numbers.

    YAML reads 5e-5 as a word, since it has no point.

    Args:
        section: What to call the fields in an error.
        configuration: The dataclass.
        values: Values by name.

    Returns:
        The values.

    Raises:
        ValueError: A key is no field; the message has the nearest names.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{section} must have fields by name. Received: {values!r}")
    known = fields_of(configuration)
    read = {}
    for key, value in values.items():
        if key not in known:
            raise ValueError(
                f"Unknown {section} field.{nearest(key, known)} "
                f"All of them: {', '.join(known)}. Received: {key!r}"
            )
        read[key] = _number(known[key].kind, value)
    return read


def nearest(name: Any, known: Iterable[str]) -> str:
    """A sentence with the known names that are most alike, or nothing."""
    found = difflib.get_close_matches(str(name), list(known), n=3)
    return f" Did you mean {' or '.join(found)}?" if found else ""


def _number(kind: type, value: Any) -> Any:
    if isinstance(value, str) and kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            return value  # the configuration refuses it by its name
    if isinstance(value, int) and not isinstance(value, bool) and kind is float:
        return float(value)
    return value


def _kind(hint: Any) -> tuple[type, bool]:
    """The type of an annotation, and whether it includes None."""
    parts = (hint,)
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        parts = typing.get_args(hint)
    kinds = [typing.get_origin(part) or part for part in parts]
    optional = type(None) in kinds
    kinds = [kind for kind in kinds if kind is not type(None)]
    return (kinds[0] if len(kinds) == 1 else object), optional


def _meanings(configuration: type) -> dict[str, str]:
    """The section "Attributes" of a Google docstring, each entry as one line."""
    text = inspect.getdoc(configuration) or ""
    match = re.search(r"^Attributes:\n(.*?)(?:\n\n|\Z)", text, re.DOTALL | re.MULTILINE)
    entries = re.split(r"^ {4}(\w+): ", match[1], flags=re.MULTILINE) if match else [""]
    return {
        name: " ".join(entry.split())
        for name, entry in zip(entries[1::2], entries[2::2], strict=True)
    }
