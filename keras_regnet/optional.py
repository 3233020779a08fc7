"""Imports of optional packages and of parts of this one when they are asked for."""

import importlib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any


def require(module: str, extra: str) -> ModuleType:
    """Imports an optional dependency.

    Args:
        module: The dotted name to import, for example `"matplotlib.pyplot"`.
        extra: The extra of this package that declares it, for example `"plots"`.

    Returns:
        The imported module.

    Raises:
        ImportError: The package is missing; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(
            f"{package} is needed here and could not be imported ({error}). "
            f"Install it with: pip install 'keras-regnet[{extra}]'"
        ) from error


def lazily(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package whose names are imported when they are asked for.

    Args:
        package: The dotted name of the package that the modules are in.
        modules: By name the module in which it is.
    """

    def find(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{modules[name]}"), name)

    return find
