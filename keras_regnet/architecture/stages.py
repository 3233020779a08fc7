"""Networks of stages: frozen dataclasses that check themselves.

Both `Stage` and `AnyNetParameters` go to and from dictionaries of plain JSON types.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

from keras_regnet.architecture import checks

BLOCKS = ("x", "y", "res_basic", "vanilla")
STEM_STRIDES = {"simple": 2, "small": 1, "resnet": 4}


@dataclasses.dataclass(frozen=True)
class Stage:
    """Equal blocks in a row, of which the first has the stride.

    Attributes:
        depth: Number of blocks.
        width: Channels that every block gives out.
        stride: Stride of the first block.
        group_width: Channels per group of the 3x3 convolution; None means one group.
        bottleneck_ratio: The paper's b: the bottleneck has w_b = width / b channels.
            (pycls, timm and torchvision write its inverse.)

    Raises:
        ValueError: A value out of bounds, w_b not whole, or not a multiple of
            group_width; the message names the nearest widths that fit.
    """

    depth: int
    width: int
    stride: int = 2
    group_width: int | None = None
    bottleneck_ratio: float = 1.0

    def __post_init__(self) -> None:
        depth = checks.integer("depth", self.depth, maximum=checks.MAX_DEPTH)
        width = checks.integer("width", self.width)
        stride = checks.integer("stride", self.stride, maximum=64)
        group = self.group_width
        if group is not None:
            group = checks.integer("group_width", group)
        b = checks.ratio(self.bottleneck_ratio)
        # width / b is a multiple of the group width when width is one of this:
        unit = (b * (group or 1)).numerator
        if width % unit:
            below = width // unit * unit
            fitting = f"{below} or {below + unit}" if below else f"{unit}"
            raise ValueError(
                "The bottleneck width (width / bottleneck_ratio) must be a whole "
                "multiple of the group width. Widths that fit here are the multiples "
                f"of {unit}: {fitting}. Received: "
                f"width={width}, bottleneck_ratio={self.bottleneck_ratio!r}, "
                f"group_width={group}"
            )
        checks.set_fields(
            self,
            depth=depth,
            width=width,
            stride=stride,
            group_width=group,
            bottleneck_ratio=float(b),
        )

    @property
    def bottleneck_width(self) -> int:
        """w_b = width / b, the channels of the 3x3 convolution."""
        return int(self.width / checks.ratio(self.bottleneck_ratio))

    @property
    def groups(self) -> int:
        """Number of groups of the 3x3 convolution."""
        return self.bottleneck_width // (self.group_width or self.bottleneck_width)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON types."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Stage":
        """Reads what `to_dict` wrote; unknown keys are a ValueError."""
        return checks.read_fields(cls, values)


@dataclasses.dataclass(frozen=True)
class BlockParameters:
    """One block of a network, as `AnyNetParameters.blocks` yields it.

    Attributes:
        name: `"s1_b1"` for the first block of the first stage.
        stage: Number of the stage, from 1.
        index: Number of the block in its stage, from 1.
        width_in: Channels that come in.
        width: Channels that go out.
        stride: Stride of the 3x3 convolution (of the first, where there are two).
        groups: Groups of the 3x3 convolution.
        group_width: Channels per group.
        bottleneck_width: Channels of the 3x3 convolution.
        squeeze_excite_width: Channels of the squeeze; 0 without squeeze-and-excite.
        has_projection: Whether the shortcut is a 1x1 convolution.
    """

    name: str
    stage: int
    index: int
    width_in: int
    width: int
    stride: int
    groups: int
    group_width: int
    bottleneck_width: int
    squeeze_excite_width: int
    has_projection: bool


@dataclasses.dataclass(frozen=True)
class AnyNetParameters:
    """Any network of a stem, stages and a head (section 3.2 of the paper).

    Attributes:
        stages: The stages, first to last.
        block: `"x"` (1x1, grouped 3x3, 1x1, shortcut), `"y"` (the same with
            squeeze-and-excite), `"res_basic"` (two 3x3, shortcut) or `"vanilla"` (two
            3x3, no shortcut). The last two have neither bottleneck nor groups: they
            want b = 1, and a stage's group width is not looked at, as in pycls.
        squeeze_excite_ratio: Channels of the squeeze over the *input* width of the
            block. Above 0 and at most 1 for `"y"`, 0 for the others.
        stem: `"simple"` (3x3, stride 2), `"small"` (3x3, stride 1, for 28 and 32
            pixels) or `"resnet"` (7x7, stride 2, and max-pooling).
        stem_width: Channels of the stem.

    Raises:
        ValueError: A value out of bounds, or two that do not go together.
    """

    stages: tuple[Stage, ...]
    block: str = "x"
    squeeze_excite_ratio: float = 0.0
    stem: str = "simple"
    stem_width: int = 32

    def __post_init__(self) -> None:
        stages = self.stages
        if (
            not isinstance(stages, (tuple, list))
            or not stages
            or not all(isinstance(stage, Stage) for stage in stages)
        ):
            raise ValueError(
                f"`stages` must be a tuple of one Stage or more. Received: {stages!r}"
            )
        block = checks.one_of("block", self.block, BLOCKS)
        ratio = checks.squeeze_excite_ratio(self.squeeze_excite_ratio)
        if (block == "y") != (ratio > 0):
            raise ValueError(
                "`squeeze_excite_ratio` must be above 0 for block 'y' and 0 for the "
                f"others. Received: block={block!r}, squeeze_excite_ratio={ratio}"
            )
        if block in ("res_basic", "vanilla"):
            for stage in stages:
                if stage.bottleneck_ratio != 1:
                    raise ValueError(
                        f"Block {block!r} has no bottleneck: `bottleneck_ratio` must "
                        f"be 1. Received: {stage!r}"
                    )
        checks.set_fields(
            self,
            stages=tuple(stages),
            squeeze_excite_ratio=ratio,
            stem=checks.one_of("stem", self.stem, tuple(STEM_STRIDES)),
            stem_width=checks.integer("stem_width", self.stem_width),
        )

    @property
    def depths(self) -> tuple[int, ...]:
        """Blocks per stage."""
        return tuple(stage.depth for stage in self.stages)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels per stage."""
        return tuple(stage.width for stage in self.stages)

    @property
    def stem_stride(self) -> int:
        """Stride of the whole stem: 2, 1 or 4."""
        return STEM_STRIDES[self.stem]

    @property
    def total_stride(self) -> int:
        """Pixels of the input per pixel of the last feature map, along one side."""
        return self.stem_stride * math.prod(stage.stride for stage in self.stages)

    def squeeze_excite_width(self, width_in: int) -> int:
        """Channels of the squeeze of a block that `width_in` channels come into.

        pycls/models/anynet.py: w_se = int(round(w_in * se_ratio)). It is the block's
        input width that counts, so the first block of every stage differs.
        """
        if not self.squeeze_excite_ratio:
            return 0
        return max(1, round(width_in * self.squeeze_excite_ratio))

    def blocks(self) -> Iterator[BlockParameters]:
        """Walks over all blocks in order, with what each needs to know."""
        width_in = self.stem_width
        plain = self.block in ("res_basic", "vanilla")
        for number, stage in enumerate(self.stages, start=1):
            groups = 1 if plain else stage.groups
            for index in range(1, stage.depth + 1):
                stride = stage.stride if index == 1 else 1
                yield BlockParameters(
                    name=f"s{number}_b{index}",
                    stage=number,
                    index=index,
                    width_in=width_in,
                    width=stage.width,
                    stride=stride,
                    groups=groups,
                    group_width=stage.bottleneck_width // groups,
                    bottleneck_width=stage.bottleneck_width,
                    squeeze_excite_width=self.squeeze_excite_width(width_in),
                    has_projection=self.block != "vanilla"
                    and (width_in != stage.width or stride != 1),
                )
                width_in = stage.width

    def anynet(self) -> "AnyNetParameters":
        """Itself, so that this and `RegNetParameters` can be used alike."""
        return self

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON types."""
        return dataclasses.asdict(self) | {"stages": [s.to_dict() for s in self.stages]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "AnyNetParameters":
        """Reads what `to_dict` wrote; unknown keys are a ValueError."""
        stages = values.get("stages") if isinstance(values, Mapping) else None
        if isinstance(stages, (list, tuple)):
            stages = tuple(
                s if isinstance(s, Stage) else Stage.from_dict(s) for s in stages
            )
            values = {**values, "stages": stages}
        return checks.read_fields(cls, values)
