"""Whether a network is in a space, and why not."""

import dataclasses

from keras_regnet.design_space.choices import Choices
from keras_regnet.design_space.constraint import Constraint, listed
from keras_regnet.design_space.ranges import Limits
from keras_regnet.design_space.shape import Subject


@dataclasses.dataclass(frozen=True)
class Failure:
    """One condition that a network does not hold.

    Attributes:
        constraint: The condition's name: `"rising depths"`, `"group width range"`.
        reason: What the values are, and what they must be.
    """

    constraint: str
    reason: str

    def __str__(self) -> str:
        return f"{self.constraint}: {self.reason}"


@dataclasses.dataclass(frozen=True)
class Containment:
    """The answer of `space.contains`: true or false, and printed, the reasons.

    Attributes:
        space: The space's name.
        failures: The conditions that are not held; none where the network is in it.
    """

    space: str
    failures: tuple[Failure, ...]

    def __bool__(self) -> bool:
        return not self.failures

    @property
    def constraints(self) -> tuple[str, ...]:
        """The names of the conditions that are not held."""
        return tuple(failure.constraint for failure in self.failures)

    def __str__(self) -> str:
        if self:
            return f"in {self.space}"
        return f"not in {self.space}: " + "; ".join(map(str, self.failures))


def range_failures(subject: Subject, limits: Limits) -> list[Failure]:
    """Which of the stages' numbers are out of their ranges.

    A width is in range where one of the range becomes it when it is made to fit the
    groups; a group width, where it is one of the range, or all of a bottleneck that is
    narrower than one of the range.
    """
    failures = []

    def judge(
        name: str, symbol: str, values: tuple, choices: Choices, right: list
    ) -> None:
        wrong = [
            f"{symbol}_{i} = {value:g}"
            for i, (value, ok) in enumerate(zip(values, right, strict=True), start=1)
            if not ok
        ]
        if wrong:
            failures.append(Failure(name, f"{', '.join(wrong)}: none of {choices}"))

    if limits.depths is not None:
        right = [depth in limits.depths for depth in subject.depths]
        judge("depth range", "d", subject.depths, limits.depths, right)
    if limits.widths is not None:
        drawn = limits.widths.array
        right = [
            width in limits.widths or bool(subject.unbroken(drawn, i, limits).any())
            for i, width in enumerate(subject.widths)
        ]
        judge("width range", "w", subject.widths, limits.widths, right)
    if limits.bottleneck_ratios is not None:
        ratios = subject.bottleneck_ratios
        right = [ratio in limits.bottleneck_ratios for ratio in ratios]
        judge("bottleneck range", "b", ratios, limits.bottleneck_ratios, right)
    if limits.group_widths is not None:
        groups, inner = subject.group_widths, subject.bottleneck_widths
        right = [
            group in limits.group_widths
            or (group == width and group < limits.group_widths.high)
            for group, width in zip(groups, inner, strict=True)
        ]
        judge("group width range", "g", groups, limits.group_widths, right)
    return failures


def stage_failures(subject: Subject, limits: Limits) -> list[Failure]:
    """Whether the number of stages is right: all else is judged only if it is."""
    if len(subject.depths) == limits.stages:
        return []
    reason = (
        f"{len(subject.depths)} (depths {listed(subject.depths)}), and must be "
        f"{limits.stages}"
    )
    return [Failure("stages", reason)]


def constraint_failures(
    subject: Subject, limits: Limits, constraints: tuple[Constraint, ...]
) -> list[Failure]:
    """Which constraints are not held, in their order.

    Of those about the quantized linear rule only the first is named: without a rule
    there is nothing that the others could be about.
    """
    failures, ruled = [], True
    for constraint in constraints:
        limits = constraint.narrow(limits)
        if constraint.of_rule and not ruled:
            continue
        if reason := constraint.failure(subject, limits):
            failures.append(Failure(constraint.title, reason))
            ruled = ruled and not constraint.of_rule
    return failures
