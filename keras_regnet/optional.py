"""Imports of optional packages, with an error that names the extra to install."""

import importlib
from types import ModuleType


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
