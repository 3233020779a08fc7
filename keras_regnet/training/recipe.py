"""What a recipe is: a name, its sources, and the fields that follow from a network."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

from keras_regnet.architecture import AnyNetParameters, RegNetParameters, complexity
from keras_regnet.training import checks

Sections = Mapping[str, Mapping[str, Any]]
"""Fields of the `"model"`, the `"data"` and the `"training"` configuration."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a recipe may look at, to give the fields that follow from it.

    Attributes:
        architecture: The network.
        batch_size: Images of a step, over all devices. None: as the recipe has it.
        epochs: None: as the recipe has it.

    Raises:
        ValueError: The batch size or the epochs are not whole numbers above 0.
    """

    architecture: RegNetParameters | AnyNetParameters
    batch_size: int | None = None
    epochs: int | None = None

    def __post_init__(self) -> None:
        for name in ("batch_size", "epochs"):
            if getattr(self, name) is not None:
                checks.whole(self, 1, name)

    @functools.cached_property
    def multiply_adds(self) -> int:
        """Multiply-adds for an image of 224 x 224, the paper's measure of size."""
        return complexity(self.architecture).multiply_adds

    @functools.cached_property
    def parameters(self) -> int:
        """Trainable parameters with 1000 classes."""
        return complexity(self.architecture).parameters

    @property
    def squeeze_excite(self) -> bool:
        """Whether any block has squeeze-and-excitation, as a RegNetY's."""
        blocks = self.architecture.anynet().blocks()
        return any(block.squeeze_excite_width for block in blocks)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A named way to train.

    Attributes:
        name: As it is given to `--recipe`.
        summary: What it is, in a line.
        sources: Where its numbers were published.
        notes: What it does otherwise than its source, and what stands in for numbers
            that were not published.
        fields: Gives the fields that the recipe sets; all others have their defaults.
        own: Fields that are otherwise, as a recipe file sets them. What follows from
            the network, the batch size and the epochs follows from theirs.
    """

    name: str
    summary: str
    sources: tuple[str, ...]
    notes: tuple[str, ...]
    fields: Callable[[Asked], Sections]
    own: Sections = dataclasses.field(default_factory=dict)


def shorter_warmup(epochs: float, of: int) -> float:
    """A recipe's warm-up, or a fifth of the epochs where fewer are asked for."""
    return min(float(epochs), of / 5)
