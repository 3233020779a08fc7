"""Multilayer perceptrons as numbers, and the family of them that spaces draw."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_regnet.architecture import checks
from keras_regnet.architecture.arrays import ComplexityArrays
from keras_regnet.design_space.containment import Failure
from keras_regnet.design_space.draws import Draws
from keras_regnet.design_space.ranges import Limits
from keras_regnet.design_space.shape import Rule, Subject


@dataclasses.dataclass(frozen=True)
class MLPParameters:
    """A multilayer perceptron of stages: runs of equally wide hidden layers.

    A hidden layer is a dense layer without bias, batch normalisation and ReLU, as the
    convolutions of RegNet are; the head is a dense layer with bias.

    Attributes:
        depths: Hidden layers per stage.
        widths: Units of the layers of each stage.

    Raises:
        ValueError: A value out of bounds, or lists of different lengths.
    """

    depths: tuple[int, ...]
    widths: tuple[int, ...]

    def __post_init__(self) -> None:
        for name in ("depths", "widths"):
            values = getattr(self, name)
            if not isinstance(values, (tuple, list)) or not values:
                raise ValueError(
                    f"`{name}` must be one integer per stage. Received: {name}="
                    f"{values!r}"
                )
            values = tuple(checks.integer(name, value) for value in values)
            checks.set_fields(self, **{name: values})
        if len(self.depths) != len(self.widths):
            raise ValueError(
                "`depths` and `widths` must be one per stage. Received: depths="
                f"{self.depths}, widths={self.widths}"
            )

    @property
    def layers(self) -> tuple[int, ...]:
        """The width of every hidden layer, in order."""
        pairs = zip(self.widths, self.depths, strict=True)
        return tuple(width for width, depth in pairs for _ in range(depth))

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON types."""
        return {"depths": list(self.depths), "widths": list(self.widths)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "MLPParameters":
        """Reads what `to_dict` wrote; unknown keys are a ValueError."""
        return checks.read_fields(cls, values)

    def build(self, input_shape: tuple[int, int, int], classes: int) -> Any:
        """The Keras model from images to logits."""
        from keras_regnet.design_space.mlp_model import build_mlp  # Keras only here

        return build_mlp(self, input_shape, classes, classifier_activation=None)

    def cost(
        self, input_shape: tuple[int, int, int], classes: int
    ) -> tuple[int, int, int]:
        """Multiply-adds, trainable parameters and activations for one image."""
        height, width, channels = input_shape
        costs = MLPs((height, width), channels, classes).cost(self)
        return costs.multiply_adds, costs.parameters, costs.activations


@dataclasses.dataclass(frozen=True)
class MLPArrays:
    """Depths and widths of n perceptrons, int64 of shape (n, stages)."""

    depths: np.ndarray
    widths: np.ndarray

    def rows(self) -> np.ndarray:
        """All numbers of each network, int64 of shape (n, k)."""
        return np.concatenate([self.depths, self.widths], axis=1)


@dataclasses.dataclass(frozen=True)
class MLPs:
    """Images and classes of all perceptrons of a space.

    Attributes:
        input_size: Pixels of the images: one side, or (height, width).
        input_channels: Channels of the images.
        classes: Outputs.
    """

    input_size: int | tuple[int, int] = 28
    input_channels: int = 1
    classes: int = 10

    def __post_init__(self) -> None:
        checks.set_fields(
            self,
            input_size=checks.integers("input_size", self.input_size),
            input_channels=checks.integer("input_channels", self.input_channels),
            classes=checks.integer("classes", self.classes),
        )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        size = self.input_size
        size = size if isinstance(size, tuple) else (size, size)
        return (*size, self.input_channels)

    def check(self, limits: Limits) -> None:
        """Refuses limits that networks of this kind cannot have."""
        if limits.bottleneck_ratios is not None or limits.group_widths is not None:
            raise ValueError(
                "Perceptrons have no bottlenecks and groups: their ranges must be None."
                f" Received: bottleneck_ratios={limits.bottleneck_ratios}, "
                f"group_widths={limits.group_widths}"
            )

    def arrays(self, draws: Draws, limits: Limits) -> MLPArrays:
        """The networks that drawn numbers make."""
        return MLPArrays(draws.depths, draws.widths)

    def costs(self, arrays: MLPArrays) -> ComplexityArrays:
        """What each costs: multiply-adds as of convolutions on one pixel."""
        multiply_adds = np.zeros(len(arrays.depths), dtype=np.int64)
        norms, activations = multiply_adds.copy(), multiply_adds.copy()
        width_in = np.full_like(multiply_adds, math.prod(self.image_shape))
        for depth, width in zip(arrays.depths.T, arrays.widths.T, strict=True):
            multiply_adds += width_in * width + (depth - 1) * width * width
            norms += 2 * depth * width
            activations += depth * width
            width_in = width
        multiply_adds += (width_in + 1) * self.classes
        activations += self.classes
        return ComplexityArrays(multiply_adds, multiply_adds + norms, activations)

    def cost(self, network: MLPParameters) -> ComplexityArrays:
        """What one network costs, with plain numbers."""
        depths, widths = np.array([network.depths]), np.array([network.widths])
        costs = self.costs(MLPArrays(depths, widths))
        return ComplexityArrays(
            int(costs.multiply_adds[0]),
            int(costs.parameters[0]),
            int(costs.activations[0]),
        )

    def network(
        self, arrays: MLPArrays, row: int, draws: Draws, limits: Limits
    ) -> MLPParameters:
        """One of the networks."""
        return MLPParameters(
            tuple(arrays.depths[row].tolist()), tuple(arrays.widths[row].tolist())
        )

    def key(self, network: MLPParameters) -> tuple[int, ...]:
        """What two networks share if they are the same."""
        return network.layers

    def subject(self, network: MLPParameters, rule: Rule | None = None) -> Subject:
        """What constraints look at.

        Raises:
            ValueError: It is no perceptron.
        """
        if not isinstance(network, MLPParameters):
            raise ValueError(
                f"A network of these spaces is MLPParameters. Received: {network!r}"
            )
        depths, widths = network.depths, network.widths
        return Subject(
            network, depths, widths, None, widths, None, "pycls", rule, self.cost
        )

    def failures(self, network: MLPParameters, by_shape: bool) -> list[Failure]:
        """Perceptrons differ in their stages alone."""
        return []

    def judges_stages(self, network: MLPParameters) -> bool:
        """See `ConvNets`."""
        return True

    def build(self, network: MLPParameters, **options: Any) -> Any:
        """The Keras model for these images; `options` as of `build_mlp`."""
        from keras_regnet.design_space.mlp_model import build_mlp  # Keras only here

        return build_mlp(network, self.image_shape, self.classes, **options)

    def read(self, values: Mapping[str, Any]) -> MLPParameters:
        """The network whose `to_dict` wrote some values."""
        return MLPParameters.from_dict(values)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON types."""
        size = self.input_size
        return {
            "kind": "perceptrons",
            "input_size": list(size) if isinstance(size, tuple) else size,
            "input_channels": self.input_channels,
            "classes": self.classes,
        }
