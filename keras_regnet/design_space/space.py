"""A design space as a value: ranges, constraints, and how networks come of them."""

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from keras_regnet.design_space.constraint import Constraint
from keras_regnet.design_space.containment import (
    Containment,
    Failure,
    constraint_failures,
    range_failures,
    stage_failures,
)
from keras_regnet.design_space.convnets import PLAIN_BLOCKS
from keras_regnet.design_space.ranges import Limits, Ranges
from keras_regnet.design_space.sample import Sample, Windows
from keras_regnet.design_space.sampling import draw_sample
from keras_regnet.design_space.shape import Rule


@dataclasses.dataclass(frozen=True)
class Space:
    """A set of networks, and a law by which they are drawn.

    The law: all numbers of a network are drawn on their own, from their ranges
    (`Choices`), given that those which must rise or fall do so; what is shared is drawn
    once. Widths are then made to fit the groups, as pycls does it. A network that is
    not in the space or the windows is thrown away, and one that was there already is
    dropped. This is the law of plain rejection: of drawing from the space without
    constraints (b and g once, where they are shared) until both the numbers drawn and
    the network made of them hold the constraints.

    `space & constraint` is a smaller space. Spaces are equal if all their values are.

    Attributes:
        name: For people.
        base: The ranges, before constraints.
        family: What all networks have in common: `ConvNets` or `MLPs`.
        constraints: What they must hold.

    Raises:
        ValueError: Constraints that contradict each other or the ranges.
    """

    name: str
    base: Limits
    family: Any
    constraints: tuple[Constraint, ...] = ()

    def __post_init__(self) -> None:
        self.family.check(self.base)
        _ = self.limits  # contradictions are errors here

    @cached_property
    def limits(self) -> Limits:
        """The ranges as the constraints narrow them: what is drawn from."""
        limits = self.base
        for constraint in self.constraints:
            limits = constraint.narrow(limits)
        return limits

    @property
    def degrees_of_freedom(self) -> int:
        """How many numbers of a network can have more than one value."""
        return self.limits.degrees_of_freedom()

    @property
    def size(self) -> int:
        """How many combinations of numbers there are to draw, exactly.

        Conditions that only throw draws away (caps on costs, the total depth of stages
        drawn freely, rising depths of a rule) are not counted off; see `Limits.size`.
        """
        return self.limits.size()

    def __and__(self, constraint: Constraint) -> "Space":
        """The networks of this space that hold one constraint more."""
        if not isinstance(constraint, Constraint):
            raise ValueError(
                "A space is narrowed by a constraint, such as SharedGroupWidth(). "
                f"Received: {constraint!r}"
            )
        return dataclasses.replace(
            self,
            name=f"{self.name} & {constraint}",
            constraints=(*self.constraints, constraint),
        )

    def named(self, name: str) -> "Space":
        """The same space by another name."""
        return dataclasses.replace(self, name=name)

    def replace(self, **changes: Any) -> "Space":
        """The same space with other ranges, stages, stem, strides or images.

        Args:
            **changes: Fields of `Ranges` (`widths=log_uniform(8, 256, 8)`,
                `group_widths=(8, 16)`), `stages`, and fields of the family, for
                convolutional networks those of `ConvNets` (`strides=(1, 2, 2)`,
                `stem="small"`, `input_size=28`, `block="res_basic"`).

        Raises:
            ValueError: An unknown name, or values that do not go together.
        """
        ranges = {field.name for field in dataclasses.fields(Ranges)} | {"stages"}
        family = {field.name for field in dataclasses.fields(self.family)}
        unknown = sorted(changes.keys() - ranges - family)
        if unknown:
            raise ValueError(
                f"A space has {', '.join(sorted(ranges | family))}. Received: {unknown}"
            )
        if changes.get("block") in PLAIN_BLOCKS:
            changes = {"bottleneck_ratios": None, "group_widths": None} | changes
        return dataclasses.replace(
            self,
            base=dataclasses.replace(
                self.base, **{n: v for n, v in changes.items() if n in ranges}
            ),
            family=dataclasses.replace(
                self.family, **{n: v for n, v in changes.items() if n in family}
            ),
        )

    def contains(self, network: Any, by_shape: bool = False) -> Containment:
        """Whether a network is in the space; if not, every condition that fails.

        Args:
            network: `AnyNetParameters` or `RegNetParameters` (`MLPParameters` in a
                space of those).
            by_shape: Whether only the stages' depths, widths, bottlenecks and groups
                are looked at, not the block, the stem and the strides.

        Returns:
            True or false, with the reasons.
        """
        return Containment(self.name, tuple(self.failures(network, by_shape=by_shape)))

    def failures(
        self, network: Any, rule: Rule | None = None, by_shape: bool = False
    ) -> list[Failure]:
        """The conditions that a network does not hold.

        Args:
            network: As in `contains`.
            rule: The numbers that are known to have made it, if any.
            by_shape: As in `contains`.
        """
        subject = self.family.subject(network, rule)
        failures = self.family.failures(network, by_shape)
        failures += stage_failures(subject, self.base)
        if len(subject.depths) != self.base.stages:
            return failures
        if not self.family.judges_stages(network):
            return failures
        failures += range_failures(subject, self.base)
        return failures + constraint_failures(subject, self.base, self.constraints)

    def sample(
        self,
        n: int,
        seed: int = 0,
        *,
        flops: tuple[float | None, float | None] | None = None,
        parameters: tuple[float | None, float | None] | None = None,
        activations: tuple[float | None, float | None] | None = None,
        max_draws: int | None = None,
        **images: Any,
    ) -> Sample:
        """Draws n different networks.

        The first m of n networks are those that `sample(m, seed)` draws.

        Args:
            n: How many.
            seed: The same seed draws the same networks.
            flops: The multiply-adds that networks must have, (low, high) with both
                ends included: (360e6, 400e6). None: any. An end that is None is open.
            parameters: The trainable parameters that they must have, likewise.
            activations: The activations that they must have, likewise.
            max_draws: After about how many draws to give up. By default 5,000 for each
                network wanted and at least 2,000,000, but 500,000 where there has not
                been a single network.
            **images: `input_size`, `input_channels` and `classes`, where they are not
                to be the space's.

        Returns:
            The networks, with their costs and the acceptance rate.

        Raises:
            ValueError: There are too few such networks; the message says what was seen
                and what to change. Or an impossible argument.
        """
        names = ("input_size", "input_channels", "classes")
        unknown = sorted(images.keys() - set(names))
        if unknown:
            raise ValueError(
                f"Of the images there are {', '.join(names)}. Received: {unknown}"
            )
        space = self.replace(**{k: v for k, v in images.items() if v is not None})
        windows = Windows(flops, parameters, activations)
        return draw_sample(space, n, seed, windows, max_draws)

    def build(self, network: Any, **options: Any) -> Any:
        """The Keras model of a network, for the space's images.

        Args:
            network: A network of the space.
            **options: Further arguments of the model's function (`AnyNet`, `MLP`).
        """
        return self.family.build(network, **options)

    def read(self, values: Mapping[str, Any]) -> Any:
        """The network whose `to_dict` wrote some values."""
        return self.family.read(values)

    def to_dict(self) -> dict[str, Any]:
        """All that makes the space, as plain JSON types: equal if the spaces are."""
        ranges = {}
        for field in dataclasses.fields(Ranges):
            values = getattr(self.base, field.name)
            ranges[field.name] = None if values is None else values.to_dict()
        return {
            "name": self.name,
            "stages": self.base.stages,
            "ranges": ranges,
            "family": self.family.to_dict(),
            "constraints": [constraint.to_dict() for constraint in self.constraints],
        }

    def __str__(self) -> str:
        limits, lines = self.limits, [f"{self.name}: {self.degrees_of_freedom} degrees"]
        lines[0] += f" of freedom, {self.size:.3g} combinations"
        names = ["bottleneck_ratios", "group_widths"]
        names = (
            ["total_depth", "w0", *["wa"] * (not limits.slope_is_w0), "wm", *names]
            if limits.rule
            else ["depths", "widths", *names]
        )
        for name in names:
            values = getattr(limits, name)
            if values is not None:
                lines.append(f"  {name}: {values} ({values.law})")
        lines.append(f"  stages: {limits.stages}")
        lines += [f"  {constraint}" for constraint in self.constraints]
        return "\n".join(lines)
