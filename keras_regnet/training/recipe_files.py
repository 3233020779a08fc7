"""Recipes as YAML files."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from keras_regnet.architecture import canonical_name
from keras_regnet.files import local_path
from keras_regnet.optional import require
from keras_regnet.training.fields import nearest, read_section
from keras_regnet.training.recipe import Recipe
from keras_regnet.training.recipes import (
    RECIPES,
    SECTIONS,
    RunConfig,
    get_recipe,
)

_KEYS = ("name", "extends", *SECTIONS)
_OF_THE_MACHINE = ("data_dir", "download", "data_service")


def read_recipe(path: str | os.PathLike[str]) -> Recipe:
    """Reads a recipe from a YAML file.

    The file has the sections `model`, `data` and `training`, each with fields of the
    configuration of that name, and may begin with `extends:` and the name of a recipe
    ("default" where there is none), from which everything else is taken:

        extends: pycls_100e
        data:
          batch_size: 256
        training:
          epochs: 50
          label_smoothing: 0.1

    Args:
        path: The file.

    Returns:
        The recipe.

    Raises:
        ValueError: The file is no YAML, has an unknown key, or extends no recipe.
        OSError: The file cannot be read.
        ImportError: PyYAML is missing.
    """
    yaml = require("yaml", "train")
    path = local_path(path, "recipe_file")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} must be a YAML file. Received: {error}") from None
    content = {} if content is None else content
    if not isinstance(content, Mapping):
        raise ValueError(
            f"{path} must have the keys {', '.join(_KEYS)}. Received: {content!r}"
        )
    for key in content:
        if key not in _KEYS:
            raise ValueError(
                f"{path} must have the keys {', '.join(_KEYS)}."
                f"{_where(key)} Received: {key!r}"
            )
    try:
        sections = {
            name: read_section(name, kind, content.get(name) or {})
            for name, kind in SECTIONS.items()
        }
        recipe = get_recipe(content.get("extends", "default"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return dataclasses.replace(
        recipe,
        name=str(content.get("name", path.stem)),
        summary=f"{path.name}, which extends {recipe.name}",
        own=sections,
    )


def write_recipe(config: RunConfig) -> str:
    """A configuration as the text of a recipe file, with all of its fields.

    What depends on the machine (where the data are) is left out. Read back, it gives
    the same configuration.

    Raises:
        ImportError: PyYAML is missing.
    """
    yaml = require("yaml", "train")
    sections = config.sections()
    architecture = config.model.architecture
    if isinstance(architecture, str):
        sections["model"]["architecture"] = canonical_name(architecture)
    for name in _OF_THE_MACHINE:
        sections["data"].pop(name, None)
    comments = [config.recipe]
    if recipe := RECIPES.get(config.recipe):
        comments = [
            f"{recipe.name}: {recipe.summary}.",
            "Sources:",
            *(f"- {each}" for each in recipe.sources),
            "Notes:",
            *(f"- {each}" for each in recipe.notes),
        ]
    text = "".join(f"# {line}\n" for line in comments)
    head = {"name": config.recipe, "extends": "default"}

    class Dumper(yaml.SafeDumper):
        """Lists stand in one line."""

    Dumper.add_representer(
        list,
        lambda dumper, value: dumper.represent_sequence(
            "tag:yaml.org,2002:seq", value, flow_style=True
        ),
    )
    return text + yaml.dump(
        {**head, **sections}, Dumper=Dumper, sort_keys=False, allow_unicode=True
    )


def _where(key: Any) -> str:
    """Which section an unknown key belongs to, or the nearest key."""
    for name, kind in SECTIONS.items():
        if key in kind.__dataclass_fields__:
            return f" {key} stands under `{name}:`."
    return nearest(key, _KEYS)
