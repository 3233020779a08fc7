"""Which network is trained: one frozen dataclass that builds it."""

import dataclasses
from typing import Any

import keras

from keras_regnet.architecture import AnyNetParameters, RegNetParameters, variant
from keras_regnet.models import RegNet

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16", "float64")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """A network to train.

    Attributes:
        architecture: A published name such as `"RegNetX-200MF"`, or the numbers.
        dropout: Rate of the dropout before the classifier.
        stochastic_depth: Probability of leaving out the last block's branch.
        precision: A Keras dtype policy, one of `PRECISIONS`.
        sync_batch_norm: Whether batch statistics are those of all replicas.

    Raises:
        ValueError: The name is unknown, or a value is out of its range.
    """

    architecture: str | RegNetParameters | AnyNetParameters
    dropout: float = 0.0
    stochastic_depth: float = 0.0
    precision: str = "float32"
    sync_batch_norm: bool = False

    def __post_init__(self) -> None:
        self.parameters  # noqa: B018 (an unknown name raises here)
        for name in ("dropout", "stochastic_depth"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be in [0, 1). Received: {getattr(self, name)!r}"
                )
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"precision must be one of {PRECISIONS}. Received: {self.precision!r}"
            )

    @property
    def parameters(self) -> RegNetParameters | AnyNetParameters:
        """The numbers of the network."""
        if isinstance(self.architecture, str):
            return variant(self.architecture)
        return self.architecture

    def to_dict(self) -> dict[str, Any]:
        """The configuration as JSON types, with the numbers of the network."""
        values = {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self)
        }
        return values | {"architecture": self.parameters.to_dict()}

    def build(
        self, image_shape: tuple[int | None, int | None, int], classes: int
    ) -> keras.Model:
        """Builds the network, from pixels of 0 to 255 to probabilities.

        Args:
            image_shape: (height, width, channels); None for any size.
            classes: Number of classes.

        Returns:
            A `keras.Model`.

        Raises:
            ValueError: The network and the images do not fit.
        """
        return RegNet(
            self.architecture,
            input_shape=image_shape,
            classes=classes,
            dropout=self.dropout,
            stochastic_depth=self.stochastic_depth,
            synchronized_batch_norm=self.sync_batch_norm,
            include_preprocessing=True,
            dtype=self.precision,
        )
