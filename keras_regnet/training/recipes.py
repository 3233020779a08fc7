"""Recipes by name, and the configuration of a run that follows from one."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from keras_regnet.architecture import from_dict, variant
from keras_regnet.data import DataConfig
from keras_regnet.training.config import TrainingConfig
from keras_regnet.training.fields import nearest, read_section
from keras_regnet.training.imagenet_recipes import IMAGENET_RECIPES
from keras_regnet.training.model_config import ModelConfig
from keras_regnet.training.recipe import Asked, Recipe
from keras_regnet.training.small_recipes import SMALL_RECIPES

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {recipe.name: recipe for recipe in (*SMALL_RECIPES, *IMAGENET_RECIPES)}
)
"""The named recipes."""

SECTIONS = MappingProxyType(
    {"model": ModelConfig, "data": DataConfig, "training": TrainingConfig}
)
"""The configurations, by the names they have in recipe files and in config.json."""

_NETWORK = "RegNetX32"  # where none is named


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig:
    """The configuration of a whole run.

    Attributes:
        recipe: The name of the recipe that it began with.
        model: The network.
        data: The data set and the augmentation.
        training: The training.
    """

    recipe: str
    model: ModelConfig
    data: DataConfig
    training: TrainingConfig

    def sections(self) -> dict[str, dict[str, Any]]:
        """All fields as JSON types, by section; `configure` takes them back."""
        return {name: getattr(self, name).to_dict() for name in SECTIONS}


def get_recipe(name: str) -> Recipe:
    """A recipe by its name.

    Raises:
        ValueError: There is none.
    """
    if name not in RECIPES:
        raise ValueError(
            f"recipe must be one of {list(RECIPES)}.{nearest(name, RECIPES)} "
            f"Received: {name!r}"
        )
    return RECIPES[name]


def configure(
    recipe: str | Recipe = "default",
    *,
    model: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
) -> RunConfig:
    """The configuration that a recipe gives, with some fields of one's own.

    A recipe's numbers that follow from others (the learning rate from the batch size,
    the batch size from the network, the average's decay from the epochs) follow from
    one's own where those are given.

    Args:
        recipe: A name among `RECIPES`, or a recipe.
        model: Fields of `ModelConfig` that are to be otherwise. `architecture` is a
            published name (RegNetX32 where there is none), the numbers, or those as a
            dict.
        data: Fields of `DataConfig` that are to be otherwise.
        training: Fields of `TrainingConfig` that are to be otherwise.

    Returns:
        The configuration.

    Raises:
        ValueError: An unknown recipe or field, or a value out of its range.
    """
    recipe = get_recipe(recipe) if isinstance(recipe, str) else recipe
    given = {"model": model, "data": data, "training": training}
    own = {
        name: {
            **recipe.own.get(name, {}),
            **read_section(name, kind, given[name] or {}),
        }
        for name, kind in SECTIONS.items()
    }
    architecture = own["model"].setdefault("architecture", _NETWORK)
    if isinstance(architecture, Mapping):
        own["model"]["architecture"] = architecture = from_dict(architecture)
    if isinstance(architecture, str):
        architecture = variant(architecture)
    set_by_recipe = recipe.fields(
        Asked(
            architecture,
            batch_size=own["data"].get("batch_size"),
            epochs=own["training"].get("epochs"),
        )
    )
    return RunConfig(
        recipe=recipe.name,
        **{
            name: kind(**{**set_by_recipe.get(name, {}), **own[name]})
            for name, kind in SECTIONS.items()
        },
    )


def recipe_fields(config: RunConfig) -> dict[str, dict[str, Any]] | None:
    """The fields that the recipe itself gives the network; None without that recipe."""
    if config.recipe not in RECIPES:
        return None
    model = {"architecture": config.model.architecture}
    return configure(config.recipe, model=model).sections()
