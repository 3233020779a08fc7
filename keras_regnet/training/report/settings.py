"""What the run was asked, and where it ran."""

import json
import shlex
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from keras_regnet.training.report.html import details, element, section, table
from keras_regnet.training.report.record import Record
from keras_regnet.training.report.wording import setting

_TITLES = {"training": "Training", "model": "Network", "data": "Data"}
_NOT_SHOWN = ("class_names",)


def configuration_section(
    record: Record, recipe: Mapping[str, Any] | None
) -> ET.Element:
    """The configuration as tables.

    Args:
        record: The run.
        recipe: The configuration that a recipe stands for, nested as the run's; what
            it does not say is not compared.
    """
    configuration = {
        key: value
        for key, value in record.configuration.items()
        if key not in _NOT_SHOWN
    }
    parts = {key: configuration.pop(key) for key in _TITLES if key in configuration}
    wanted = dict(flat(json.loads(json.dumps(recipe or {}))))
    tables = []
    for key, value in [*parts.items(), ("", configuration)]:
        rows = list(flat(value, key))
        if rows:
            title = _TITLES.get(key, "Other")
            tables.append(_settings(title, rows, key))
    return section(
        "configuration",
        "Configuration",
        _differences(record, wanted) if recipe else None,
        element("div", tables, class_="tables"),
    )


def environment_section(record: Record) -> ET.Element | None:
    """Versions, devices, the commit and the command line."""
    environment = dict(record.environment)
    if not environment:
        return None
    command = environment.pop("command_line", None)
    versions = environment.pop("versions", None)
    rows = [(_words(key), setting(value)) for key, value in environment.items()]
    tables = [table("Machine", ("what", "value"), rows)] if rows else []
    if isinstance(versions, Mapping):
        tables.append(table("Versions", ("package", "version"), versions.items()))
    if isinstance(command, Sequence) and not isinstance(command, str):
        command = shlex.join(map(str, command))
    return section(
        "environment",
        "Environment",
        command and element("h3", "Command line"),
        command and element("pre", element("code", command), tabindex=0),
        element("div", tables, class_="tables"),
    )


def flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings, as `("a.b", value)`."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else str(key))
    elif name:
        yield name, value


def _differences(record: Record, wanted: Mapping[str, Any]) -> ET.Element:
    mine = dict(flat(record.configuration))
    absent = object()
    rows = [
        (key, setting(value), setting(mine[key]) if key in mine else "–")
        for key, value in wanted.items()
        if mine.get(key, absent) != value
    ]
    name = record.configuration.get("recipe")
    name = f"the recipe {name}" if isinstance(name, str) else "the recipe"
    if not rows:
        return element("p", f"Exactly {name}.")
    return table(f"Differences from {name}", ("setting", "recipe", "this run"), rows)


def _settings(title: str, rows: list[tuple[str, Any]], prefix: str) -> ET.Element:
    """A table of settings; those of a network's stages, which are many, on demand."""
    cells = [
        (key.removeprefix(f"{prefix}."), setting(value))
        for key, value in rows
        if not _is_long(value)
    ]
    made = table(title, ("setting", "value"), cells)
    long = [(key.removeprefix(f"{prefix}."), v) for key, v in rows if _is_long(v)]
    if not long:
        return made
    return element(
        "div",
        made,
        (
            details(key, element("pre", element("code", _lines(value)), tabindex=0))
            for key, value in long
        ),
    )


def _is_long(value: Any) -> bool:
    return isinstance(value, list) and len(json.dumps(value)) > 60


def _lines(value: list) -> str:
    return "\n".join(json.dumps(each) for each in value)


def _words(key: str) -> str:
    return str(key).replace("_", " ")
