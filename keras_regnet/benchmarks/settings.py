"""What is measured: a network at an image size and a batch size, in a precision.

NumPy and the numbers of the networks alone: torch's side runs in processes that must
not import TensorFlow.
"""

import dataclasses
from typing import Any

import numpy as np

from keras_regnet.architecture import canonical_name, complexity, variant

PRECISIONS = ("float32", "bfloat16")
_WORK = 32e9  # multiply-adds of a round: 2 s of training on two cores


@dataclasses.dataclass(frozen=True)
class Setting:
    """One thing to measure.

    Attributes:
        network: A name; becomes the canonical one.
        image_size: Pixels along both sides.
        batch_size: Images in a batch.
        precision: `"float32"`, or `"bfloat16"` for Keras' mixed_bfloat16 against
            torch's autocast.
        steps: Steps of a case in a round; None for a number by the network's size.

    Raises:
        ValueError: There is no such network, or it cannot take the size.
    """

    network: str
    image_size: int = 224
    batch_size: int = 32
    precision: str = "float32"
    steps: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "network", canonical_name(self.network))
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"The precision must be one of {list(PRECISIONS)}. "
                f"Received: {self.precision!r}"
            )
        smallest = variant(self.network).anynet().total_stride
        if self.image_size < smallest:
            raise ValueError(
                f"{self.network} needs images of at least {smallest} pixels. "
                f"Received: image_size={self.image_size}"
            )
        if self.batch_size < 1:
            raise ValueError(
                "The batch size must be at least 1. "
                f"Received: batch_size={self.batch_size}"
            )

    @property
    def classes(self) -> int:
        """10 for the small network of the book, otherwise ImageNet's 1000."""
        return 10 if self.network == "RegNetX32" else 1000

    @property
    def multiply_adds(self) -> int:
        """Of the forward pass of one image."""
        return complexity(
            variant(self.network), self.image_size, classes=self.classes
        ).multiply_adds

    @property
    def activations(self) -> int:
        """Outputs of convolutions for one image: what training keeps in memory."""
        return complexity(
            variant(self.network), self.image_size, classes=self.classes
        ).activations

    @property
    def training_steps(self) -> int:
        """Training steps of a case in a round."""
        work = self.multiply_adds * self.batch_size
        return self.steps or int(min(50, max(2, round(_WORK / work))))

    @property
    def inference_steps(self) -> int:
        """Calls of a case in a round."""
        return self.steps or min(100, 3 * self.training_steps)

    def batch(self) -> tuple[np.ndarray, np.ndarray]:
        """Random images, float32 (n, height, width, 3), and labels, int64 (n,)."""
        rng = np.random.default_rng(0)
        shape = (self.batch_size, self.image_size, self.image_size, 3)
        images = rng.standard_normal(shape, dtype=np.float32)
        return images, rng.integers(0, self.classes, self.batch_size)

    def to_dict(self) -> dict[str, Any]:
        """The fields; `Setting(**fields)` takes them back."""
        return dataclasses.asdict(self)

    def fields(self, kind: str) -> dict[str, Any]:
        """Plain JSON types for `Comparison.setting`, without `images`."""
        return {
            "kind": kind,
            **self.to_dict(),
            "classes": self.classes,
            "multiply_adds": self.multiply_adds,
        }

    def __str__(self) -> str:
        text = (
            f"{self.network}, {self.image_size}x{self.image_size}, "
            f"batch {self.batch_size}"
        )
        return text if self.precision == "float32" else f"{text}, {self.precision}"
