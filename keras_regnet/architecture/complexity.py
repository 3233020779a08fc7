"""Multiply-adds, parameters and activations of a network, from its numbers alone.

The counting is that of pycls (pycls/models/blocks.py, *_cx functions), so that the
numbers can be compared with the paper's:

- multiply_adds ("flops" in the paper): k * k * c_in * c_out * h * w / groups of every
  convolution and dense layer, one more per output where there is a bias;
  normalisation, activation and pooling count nothing.
- activations: the outputs of convolutions, dense layers and max-pooling.
- Output size of a stride s: (h - 1) // s + 1.
"""

import dataclasses
from typing import Any

from keras_regnet.architecture import checks
from keras_regnet.architecture.parameters import (
    AnyNetParameters,
    BlockParameters,
    RegNetParameters,
)


@dataclasses.dataclass(frozen=True)
class Part:
    """What the stem, one stage or the head costs.

    Attributes:
        name: `"stem"`, `"s1"`, ..., `"head"`.
        output_shape: (height, width, channels) of the part's output; (classes,) for
            the head.
        multiply_adds: Multiply-adds for one image.
        parameters: Trainable parameters.
        total_parameters: With the moving statistics of batch normalisation, which
            Keras' `count_params` counts and other libraries do not.
        activations: Outputs of convolutions, dense layers and max-pooling.
    """

    name: str
    output_shape: tuple[int, ...]
    multiply_adds: int
    parameters: int
    total_parameters: int
    activations: int


@dataclasses.dataclass(frozen=True)
class Complexity:
    """What a network costs for one image, per part and in total.

    Attributes:
        parts: The stem, each stage, and the head unless it was left out.
    """

    parts: tuple[Part, ...]

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one image (the paper's flops)."""
        return sum(part.multiply_adds for part in self.parts)

    @property
    def parameters(self) -> int:
        """Trainable parameters."""
        return sum(part.parameters for part in self.parts)

    @property
    def total_parameters(self) -> int:
        """What `model.count_params()` of the Keras model returns."""
        return sum(part.total_parameters for part in self.parts)

    @property
    def activations(self) -> int:
        """Outputs of convolutions, dense layers and max-pooling for one image."""
        return sum(part.activations for part in self.parts)

    def __str__(self) -> str:
        lines = [f"{'part':<6}{'output':>16}{'multiply-adds':>18}{'parameters':>14}"]
        lines[0] += f"{'Keras total':>14}{'activations':>14}"
        total = Part(
            "total",
            (),
            self.multiply_adds,
            self.parameters,
            self.total_parameters,
            self.activations,
        )
        for part in (*self.parts, total):
            shape = " x ".join(map(str, part.output_shape))
            lines.append(
                f"{part.name:<6}{shape:>16}{part.multiply_adds:>18,}"
                f"{part.parameters:>14,}{part.total_parameters:>14,}"
                f"{part.activations:>14,}"
            )
        return "\n".join(lines)


class _Counter:
    """Walks through layers: a running feature-map size and running sums."""

    def __init__(self, height: int, width: int) -> None:
        self.size = (height, width)
        self.start()

    def start(self) -> None:
        """Sets the sums of a part back to zero; the size stays."""
        self.multiply_adds = self.parameters = self.statistics = self.activations = 0

    def dense(self, width_in: int, width: int) -> None:
        """A dense layer, or a 1x1 convolution on one pixel, with bias."""
        self.multiply_adds += (width_in + 1) * width
        self.parameters += (width_in + 1) * width
        self.activations += width

    def conv_norm(
        self, width_in: int, width: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        """A convolution without bias and its batch normalisation."""
        self.pool_size(stride)
        pixels = self.size[0] * self.size[1]
        weights = kernel * kernel * width_in * width // groups
        self.multiply_adds += weights * pixels
        self.parameters += weights + 2 * width
        self.statistics += 2 * width
        self.activations += width * pixels

    def max_pool(self, width: int, stride: int) -> None:
        """Max-pooling: its outputs count as activations."""
        self.pool_size(stride)
        self.activations += width * self.size[0] * self.size[1]

    def pool_size(self, stride: int) -> None:
        """Makes the feature map smaller by a stride."""
        self.size = tuple((length - 1) // stride + 1 for length in self.size)

    def part(self, name: str, output_shape: tuple[int, ...]) -> Part:
        """Closes a part and starts the next."""
        part = Part(
            name,
            output_shape,
            self.multiply_adds,
            self.parameters,
            self.parameters + self.statistics,
            self.activations,
        )
        self.start()
        return part


def complexity(
    parameters: RegNetParameters | AnyNetParameters,
    input_size: int | tuple[int, int] = 224,
    input_channels: int = 3,
    classes: int = 1000,
    include_top: bool = True,
) -> Complexity:
    """Counts what a network costs for one image.

    Args:
        parameters: The network.
        input_size: Pixels along both sides, or (height, width).
        input_channels: Channels of the image.
        classes: Outputs of the head.
        include_top: Whether the head (average pooling and a dense layer) counts.

    Returns:
        The counts, per part and in total.

    Raises:
        ValueError: A value that is not a positive integer, or no network.
    """
    if not isinstance(parameters, (RegNetParameters, AnyNetParameters)):
        raise ValueError(
            "`parameters` must be RegNetParameters or AnyNetParameters. "
            f"Received: {parameters!r}"
        )
    network = parameters.anynet()
    channels = checks.integer("input_channels", input_channels)
    counter = _Counter(*_height_width(input_size))
    if network.stem == "resnet":
        counter.conv_norm(channels, network.stem_width, kernel=7, stride=2)
        counter.max_pool(network.stem_width, stride=2)
    else:
        counter.conv_norm(
            channels, network.stem_width, kernel=3, stride=network.stem_stride
        )
    parts = [counter.part("stem", (*counter.size, network.stem_width))]
    for block in network.blocks():
        _count_block(counter, network.block, block)
        stage = network.stages[block.stage - 1]
        if block.index == stage.depth:
            shape = (*counter.size, stage.width)
            parts.append(counter.part(f"s{block.stage}", shape))
    if include_top:
        classes = checks.integer("classes", classes)
        counter.dense(network.widths[-1], classes)
        parts.append(counter.part("head", (classes,)))
    return Complexity(tuple(parts))


def _count_block(counter: _Counter, kind: str, block: BlockParameters) -> None:
    size = counter.size
    if block.has_projection:
        counter.conv_norm(block.width_in, block.width, 1, block.stride)
        counter.size = size  # the shortcut starts where the block does
    if kind in ("res_basic", "vanilla"):
        counter.conv_norm(block.width_in, block.width, 3, block.stride)
        counter.conv_norm(block.width, block.width, 3)
        return
    inner = block.bottleneck_width
    counter.conv_norm(block.width_in, inner, 1)
    counter.conv_norm(inner, inner, 3, block.stride, block.groups)
    if block.squeeze_excite_width:
        counter.dense(inner, block.squeeze_excite_width)
        counter.dense(block.squeeze_excite_width, inner)
    counter.conv_norm(inner, block.width, 1)


def _height_width(input_size: Any) -> tuple[int, int]:
    if isinstance(input_size, (tuple, list)):
        if len(input_size) != 2:
            raise ValueError(
                "`input_size` must be one integer or (height, width). "
                f"Received: input_size={input_size!r}"
            )
        return tuple(checks.integer("input_size", side) for side in input_size)
    return (checks.integer("input_size", input_size),) * 2
