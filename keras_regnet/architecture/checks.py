"""Checks of single values, with errors that end in what was received."""

import dataclasses
import math
import operator
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

MAX_DEPTH = 10_000  # blocks: far beyond use, and nothing runs out of memory


def integer(name: str, value: Any, minimum: int = 1, maximum: int = 1_000_000) -> int:
    """Returns `value` as a Python int (NumPy's integers are taken too).

    Raises:
        ValueError: It is no integer (True is none), or out of bounds.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or not minimum <= number <= maximum:
        raise ValueError(
            f"`{name}` must be an integer from {minimum} to {maximum}. "
            f"Received: {name}={value!r}"
        )
    return number


def integers(name: str, value: Any) -> int | tuple[int, ...]:
    """Returns one positive integer, or several as a tuple.

    Raises:
        ValueError: As `integer`.
    """
    if isinstance(value, (tuple, list)):
        return tuple(integer(name, each) for each in value)
    return integer(name, value)


def real(name: str, value: Any, expected: str, low: float, high: float) -> float:
    """Returns `value` as a Python float when low <= value <= high.

    Args:
        name: The argument's name.
        value: What the caller gave.
        expected: The condition in words, for the message: "at least 0".
        low: The smallest value allowed.
        high: The greatest value allowed.

    Raises:
        ValueError: It is not a finite number (True is none), or out of bounds.
    """
    try:
        if isinstance(value, (bool, str, bytes)):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (math.isfinite(number) and low <= number <= high):
        raise ValueError(
            f"`{name}` must be a number {expected}. Received: {name}={value!r}"
        )
    return number


def one_of(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """Returns `value` when it is one of `choices`, or raises a ValueError."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(
            f"`{name}` must be one of {', '.join(map(repr, choices))}. "
            f"Received: {name}={value!r}"
        )
    return value


def ratio(value: Any) -> Fraction:
    """Returns a bottleneck ratio b as the exact fraction that is meant by it.

    The fraction makes widths exact: w_b = w / b is whole or it is not, also for
    b = 1/3, which no float is.

    Raises:
        ValueError: It is not a positive ratio of whole numbers up to 64.
    """
    number = real("bottleneck_ratio", value, "from 1/64 to 64", 1 / 64, 64.0)
    fraction = Fraction(number).limit_denominator(64)
    if abs(float(fraction) - number) > 1e-6 * number:
        raise ValueError(
            "`bottleneck_ratio` must be a ratio of whole numbers with a denominator "
            f"of at most 64, such as 1, 2, 4 or 0.25 (the paper's b: w_b = w / b). "
            f"Received: bottleneck_ratio={value!r}"
        )
    return fraction


def keys(owner: str, values: Any, allowed: set[str], needed: set[str]) -> None:
    """Checks the keys of a dictionary that `owner` is to be made from.

    Raises:
        ValueError: Not a mapping, an unknown key, or a missing one.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{owner} is read from a dictionary. Received: {values!r}")
    names = {str(key) for key in values}
    unknown, missing = sorted(names - allowed), sorted(needed - names)
    if unknown or missing:
        problem = f"does not know {unknown}" if unknown else f"needs {missing}"
        raise ValueError(
            f"{owner} {problem}; its keys are {sorted(allowed)}. Received: {values!r}"
        )


def squeeze_excite_ratio(value: Any) -> float:
    """Returns the squeeze's width over the block's input width, from 0 to 1."""
    return real("squeeze_excite_ratio", value, "from 0 to 1", 0.0, 1.0)


def set_fields(instance: Any, **values: Any) -> None:
    """Sets checked fields of a frozen dataclass while it is being made."""
    for name, value in values.items():
        object.__setattr__(instance, name, value)


def read_fields(cls: type, values: Mapping[str, Any]) -> Any:
    """Makes a dataclass from a dictionary of its fields.

    Raises:
        ValueError: A key is not a field, or one that is needed is missing.
    """
    fields = dataclasses.fields(cls)
    needed = {
        field.name
        for field in fields
        if field.default is field.default_factory is dataclasses.MISSING
    }
    keys(cls.__name__, values, {field.name for field in fields}, needed)
    return cls(**values)
