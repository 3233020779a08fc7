"""Checks of the fields of a configuration; each names the field that is wrong.

A field that may be None, by its annotation or default, passes where it is None.
"""

import math
from collections.abc import Sequence
from typing import Any


def refuse(config: Any, name: str, expected: str) -> None:
    """Raises the ValueError of a field."""
    raise ValueError(f"{name} must be {expected}. Received: {getattr(config, name)!r}")


def whole(config: Any, least: int, *names: str) -> None:
    """Whole numbers of at least `least` (bools are not)."""
    for name in names:
        value = getattr(config, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            refuse(config, name, f"a whole number of at least {least}")


def above_zero(config: Any, *names: str) -> None:
    """Finite numbers above 0."""
    for name, value in _given(config, names):
        if not (_is_number(value) and value > 0):
            refuse(config, name, "a finite number above 0")


def not_negative(config: Any, *names: str) -> None:
    """Finite numbers of at least 0."""
    for name, value in _given(config, names):
        if not (_is_number(value) and value >= 0):
            refuse(config, name, "a finite number of at least 0")


def below_one(config: Any, *names: str) -> None:
    """Numbers in [0, 1)."""
    for name, value in _given(config, names):
        if not (_is_number(value) and 0 <= value < 1):
            refuse(config, name, "a number in [0, 1)")


def share(config: Any, *names: str) -> None:
    """Numbers in [0, 1]."""
    for name, value in _given(config, names):
        if not (_is_number(value) and 0 <= value <= 1):
            refuse(config, name, "a number in [0, 1]")


def boolean(config: Any, *names: str) -> None:
    """True or False."""
    for name in names:
        if not isinstance(getattr(config, name), bool):
            refuse(config, name, "True or False")


def choice(config: Any, name: str, known: Sequence[str]) -> None:
    """One of the known words."""
    if getattr(config, name) not in known:
        refuse(config, name, f"one of {tuple(known)}")


def _given(config: Any, names: Sequence[str]) -> list[tuple[str, Any]]:
    """The fields with a value; None is one only where the default is not None."""
    defaults = {name: getattr(type(config), name, ...) for name in names}
    values = [(name, getattr(config, name)) for name in names]
    return [(n, v) for n, v in values if not (v is None and defaults[n] is None)]


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
    )
