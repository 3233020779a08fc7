"""What the networks of the paper's spaces have in common beside their stages."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from keras_regnet.architecture import (
    AnyNetParameters,
    Complexity,
    RegNetParameters,
    checks,
    complexity,
    from_dict,
)
from keras_regnet.architecture.arrays import (
    ComplexityArrays,
    NetworkArrays,
    compatible_arrays,
)
from keras_regnet.architecture.parameters import BLOCKS, STEM_STRIDES
from keras_regnet.architecture.quantization import ROUNDINGS
from keras_regnet.design_space.containment import Failure
from keras_regnet.design_space.draws import Draws
from keras_regnet.design_space.ranges import Limits
from keras_regnet.design_space.shape import Rule, Subject

PLAIN_BLOCKS = ("res_basic", "vanilla")


@dataclasses.dataclass(frozen=True)
class ConvNets:
    """Stem, blocks, strides and images of all networks of a space.

    Attributes:
        block: `"x"`, `"y"`, `"res_basic"` or `"vanilla"`, as in `AnyNetParameters`.
        squeeze_excite_ratio: Above 0 for `"y"` alone.
        stem: `"simple"`, `"small"` or `"resnet"`.
        stem_width: Channels of the stem.
        strides: Of every stage, or a tuple with one per stage.
        rounding: How widths are made to fit the groups, `"pycls"` or `"torchvision"`.
        input_size: Pixels of the images that costs are counted for: one side, or
            (height, width).
        input_channels: Channels of the images.
        classes: Outputs of the head.
    """

    block: str = "x"
    squeeze_excite_ratio: float = 0.0
    stem: str = "simple"
    stem_width: int = 32
    strides: int | tuple[int, ...] = 2
    rounding: str = "pycls"
    input_size: int | tuple[int, int] = 224
    input_channels: int = 3
    classes: int = 1000

    def __post_init__(self) -> None:
        ratio = checks.squeeze_excite_ratio(self.squeeze_excite_ratio)
        if (checks.one_of("block", self.block, BLOCKS) == "y") != (ratio > 0):
            raise ValueError(
                "`squeeze_excite_ratio` must be above 0 for block 'y' and 0 for the "
                f"others. Received: block={self.block!r}, squeeze_excite_ratio={ratio}"
            )
        checks.one_of("stem", self.stem, tuple(STEM_STRIDES))
        checks.one_of("rounding", self.rounding, ROUNDINGS)
        checks.set_fields(
            self,
            squeeze_excite_ratio=ratio,
            stem_width=checks.integer("stem_width", self.stem_width),
            strides=checks.integers("strides", self.strides),
            input_size=checks.integers("input_size", self.input_size),
            input_channels=checks.integer("input_channels", self.input_channels),
            classes=checks.integer("classes", self.classes),
        )
        if isinstance(self.input_size, tuple) and len(self.input_size) != 2:
            raise ValueError(
                "`input_size` must be one integer or (height, width). "
                f"Received: input_size={self.input_size!r}"
            )

    def check(self, limits: Limits) -> None:
        """Refuses limits that networks of this kind cannot have."""
        if isinstance(self.strides, tuple) and len(self.strides) != limits.stages:
            raise ValueError(
                f"`strides` must be one per stage, of {limits.stages} stages. "
                f"Received: strides={self.strides}"
            )
        plain = self.block in PLAIN_BLOCKS
        for name in ("bottleneck_ratios", "group_widths"):
            if plain != (getattr(limits, name) is None):
                wanted = "must be None" if plain else "needs values"
                raise ValueError(
                    f"`{name}` {wanted} for blocks of this kind. Received: "
                    f"block={self.block!r}, {name}={getattr(limits, name)}"
                )

    def arrays(self, draws: Draws, limits: Limits) -> NetworkArrays:
        """The networks that drawn numbers make: widths made to fit the groups."""
        widths, groups = draws.widths, draws.group_widths
        if groups is not None:
            widths, groups = compatible_arrays(
                widths, draws.bottleneck_ratios, groups, self.rounding
            )
        strides = self.strides
        return NetworkArrays(
            draws.depths,
            widths,
            draws.bottleneck_ratios,
            groups,
            (strides,) * limits.stages if isinstance(strides, int) else strides,
            self.block,
            self.squeeze_excite_ratio,
            self.stem,
            self.stem_width,
        )

    def costs(self, arrays: NetworkArrays) -> ComplexityArrays:
        """What each of many networks costs."""
        return arrays.complexity(self.input_size, self.input_channels, self.classes)

    def cost(self, network: AnyNetParameters | RegNetParameters) -> Complexity:
        """What one network costs."""
        return complexity(network, self.input_size, self.input_channels, self.classes)

    def network(
        self, arrays: NetworkArrays, row: int, draws: Draws, limits: Limits
    ) -> AnyNetParameters | RegNetParameters:
        """One of the networks; a RegNet where it has a rule, one b and one g."""
        rule = draws.rule
        shared = limits.shared_ratio and limits.shared_groups
        if rule is None or not shared or draws.group_widths is None:
            return arrays.network(row)
        return RegNetParameters(
            int(rule.depth[row]),
            int(rule.w0[row]),
            float(rule.wa[row]),
            float(rule.wm[row]),
            int(draws.group_widths[row, 0]),
            float(draws.bottleneck_ratios[row, 0]),
            self.squeeze_excite_ratio,
            self.stem,
            self.stem_width,
            self.strides,
            self.rounding,
        )

    def key(self, network: AnyNetParameters | RegNetParameters) -> AnyNetParameters:
        """What two networks share if they are the same: other numbers can make it."""
        return network.anynet()

    def subject(
        self, network: AnyNetParameters | RegNetParameters, rule: Rule | None = None
    ) -> Subject:
        """What constraints look at.

        Args:
            network: The network.
            rule: The rule that made it, where `network` does not tell.

        Raises:
            ValueError: It is no network of stages.
        """
        if not isinstance(network, (AnyNetParameters, RegNetParameters)):
            raise ValueError(
                "A network of these spaces is AnyNetParameters or RegNetParameters. "
                f"Received: {network!r}"
            )
        rounding = self.rounding
        if isinstance(network, RegNetParameters):
            rule = Rule(network.depth, network.w0, network.wa, network.wm)
            rounding = network.rounding
        anynet = network.anynet()
        plain = anynet.block in PLAIN_BLOCKS
        stages = anynet.stages
        return Subject(
            network,
            anynet.depths,
            anynet.widths,
            None if plain else tuple(s.bottleneck_ratio for s in stages),
            tuple(s.bottleneck_width for s in stages),
            None if plain else tuple(s.bottleneck_width // s.groups for s in stages),
            rounding,
            rule,
            self.cost,
        )

    def failures(self, network: Any, by_shape: bool) -> list[Failure]:
        """Which of what all networks here have in common a network has otherwise."""
        anynet, failures = network.anynet(), []
        plain = (anynet.block in PLAIN_BLOCKS, self.block in PLAIN_BLOCKS)
        if by_shape and plain[0] == plain[1]:
            return failures
        for name in ("block", "squeeze_excite_ratio", "stem", "stem_width"):
            found, wanted = getattr(anynet, name), getattr(self, name)
            if found != wanted:
                reason = f"{found!r}, and must be {wanted!r}"
                failures.append(Failure(name.replace("_", " "), reason))
        strides = tuple(stage.stride for stage in anynet.stages)
        wanted = self.strides
        wanted = (wanted,) * len(strides) if isinstance(wanted, int) else wanted
        if strides != wanted:
            reason = f"{strides}, and must be {wanted}"
            failures.append(Failure("strides", reason))
        return failures

    def judges_stages(self, network: Any) -> bool:
        """Whether the network has what the stages' conditions are about."""
        return (network.anynet().block in PLAIN_BLOCKS) == (self.block in PLAIN_BLOCKS)

    def build(
        self, network: AnyNetParameters | RegNetParameters, **options: Any
    ) -> Any:
        """The Keras model for these images; `options` as of `keras_regnet.AnyNet`."""
        from keras_regnet.models import AnyNet  # Keras only where a model is wanted

        size = self.input_size
        height_width = size if isinstance(size, tuple) else (size, size)
        shape = (*height_width, self.input_channels)
        options = {"input_shape": shape, "classes": self.classes} | options
        return AnyNet(network.anynet(), **options)

    def read(self, values: Mapping[str, Any]) -> AnyNetParameters | RegNetParameters:
        """The network whose `to_dict` wrote some values."""
        return from_dict(values)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON types."""
        values = dataclasses.asdict(self)
        for name in ("strides", "input_size"):
            if isinstance(values[name], tuple):
                values[name] = list(values[name])
        return {"kind": "convolutional", **values}
