"""Networks drawn from a space, and the windows that their costs are drawn for."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from keras_regnet.architecture import checks

MEASURES = {
    "flops": "multiply_adds",
    "parameters": "parameters",
    "activations": "activations",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Sample(Sequence):
    """Different networks drawn from a space, in the order in which they were drawn.

    Attributes:
        space: The space's name.
        networks: The networks; `sample[0]` is the first.
        flops: Multiply-adds of each, int64 of shape (n,).
        parameters: Trainable parameters of each.
        activations: Activations of each.
        seed: The seed.
        drawn: Draws until the last network was found.
        duplicates: Draws dropped because they made a network that was there already.
        rejected: Draws thrown away, by the reason's name: `"stages"` (a rule made
            another number of them), a window's, or a constraint's.
    """

    space: str
    networks: tuple[Any, ...]
    flops: np.ndarray
    parameters: np.ndarray
    activations: np.ndarray
    seed: int
    drawn: int
    duplicates: int
    rejected: Mapping[str, int]

    @property
    def acceptance(self) -> float:
        """The share of the draws that made a network of the space in the windows."""
        return (len(self) + self.duplicates) / self.drawn

    def __len__(self) -> int:
        return len(self.networks)

    def __getitem__(self, index: Any) -> Any:
        return self.networks[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.networks)

    def __str__(self) -> str:
        rejected = ", ".join(
            f"{name} {count / self.drawn:.2%}"
            for name, count in sorted(self.rejected.items(), key=lambda item: -item[1])
        )
        return (
            f"{len(self)} networks of {self.space}, seed {self.seed}: {self.drawn:,} "
            f"draws, {self.acceptance:.2%} accepted, {self.duplicates} duplicates "
            f"dropped; {self.flops.min() / 1e6:.4g} to {self.flops.max() / 1e6:.4g} "
            f"megaflops" + (f". Rejected: {rejected}" if rejected else "")
        )


@dataclasses.dataclass(frozen=True)
class Windows:
    """The costs that networks must have: (low, high) of each, ends included.

    Attributes:
        flops: Multiply-adds, or None; an end that is None is open.
        parameters: Trainable parameters.
        activations: Activations.

    Raises:
        ValueError: No pair, negative, or low above high.
    """

    flops: tuple[float | None, float | None] | None = None
    parameters: tuple[float | None, float | None] | None = None
    activations: tuple[float | None, float | None] | None = None

    def __post_init__(self) -> None:
        for name in MEASURES:
            value = getattr(self, name)
            if value is not None:
                checks.set_fields(self, **{name: _window(name, value)})

    def items(self) -> list[tuple[str, tuple[float, float]]]:
        """Name and ends of those that are set; open ends are 0 and infinity."""
        return [(name, getattr(self, name)) for name in MEASURES if getattr(self, name)]

    def __str__(self) -> str:
        texts = [
            f"{name}=({low:.12g}, {high:.12g})" for name, (low, high) in self.items()
        ]
        return ", ".join(texts) or "no window"


def _window(name: str, value: Any) -> tuple[float, float]:
    try:
        low, high = value
    except (TypeError, ValueError):
        low = high = "no pair"
    if low != "no pair":
        low = 0.0 if low is None else checks.real(name, low, "at least 0", 0, 1e18)
        high = np.inf if high is None else checks.real(name, high, "above 0", 1, 1e18)
    if low == "no pair" or low > high:
        raise ValueError(
            f"`{name}` must be a pair (low, high) with low <= high, such as "
            f"(360e6, 400e6). Received: {name}={value!r}"
        )
    return float(low), float(high)
