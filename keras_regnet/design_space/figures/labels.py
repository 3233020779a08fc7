"""What properties are called on axes and in tables, and in which unit they are."""

from typing import Any

import numpy as np

_NAMES = {
    "activations": "activations",
    "b": "bottleneck ratio b",
    "depth": "depth (blocks)",
    "e_fit": "e_fit",
    "flops": "flops",
    "g": "group width g",
    "last_width": "last width",
    "mean_width": "mean width of blocks",
    "parameters": "parameters",
    "width_ratio": "width ratio of stages",
    "w0": "w0 of the rule",
    "wa": "wa of the rule",
    "wm": "wm of the rule",
}
_COUNTS = ("flops", "parameters", "activations")
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def label(name: str) -> str:
    """A property's name for people: `w_2` is the width of stage 2."""
    kind, _, stage = name.partition("_")
    if kind in ("d", "w") and stage.isdigit():
        return f"{'depth' if kind == 'd' else 'width'} of stage {stage}"
    return _NAMES.get(name, name.replace("_", " "))


def is_doubling(name: str) -> bool:
    """Whether a property is drawn over a logarithmic scale: widths and groups are."""
    return name.startswith("w_") or name in ("b", "g", "mean_width", "last_width")


def in_unit(name: str, values: Any) -> tuple[np.ndarray, str]:
    """Values in a unit that makes them small numbers, and the label that says so."""
    values = np.asarray(values, dtype=np.float64)
    if name in _COUNTS:
        for size, unit in _UNITS:
            if values.max() >= size:
                return values / size, f"{label(name)} ({unit})"
    return values, label(name)


def telling(table: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The properties that differ between networks, each once.

    What is the same in all networks says nothing; the last width is often the width of
    the last stage.
    """
    kept: dict[str, np.ndarray] = {}
    for name, values in table.items():
        if np.ptp(values) > 0 and not any(
            np.array_equal(values, other) for other in kept.values()
        ):
            kept[name] = values
    return kept
