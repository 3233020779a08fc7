"""How the networks of a population are sampled, as values that a study keeps."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from keras_regnet.architecture import checks
from keras_regnet.design_space import spaces
from keras_regnet.design_space.ranges import PRESETS
from keras_regnet.design_space.sample import MEASURES, Sample, Windows
from keras_regnet.design_space.space import Space

Window = tuple[float | None, float | None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SamplingPlan:
    """A space by its name, and the draw of networks from it.

    Attributes:
        space: One of `spaces.FACTORIES`.
        ranges: One of `ranges.PRESETS`; None for the space's own default.
        stages: Number of stages; None for the space's own default.
        common: Fields of `ConvNets` (of `MLPs`): `strides`, `stem`, `input_size`.
        seed: Of the draw.
        flops: Multiply-adds that networks must have, (low, high); an end that is None
            is open. None: any.
        parameters: Trainable parameters, likewise.
        activations: Likewise.

    Raises:
        ValueError: There is no such space, or its arguments are impossible.
    """

    space: str
    ranges: str | None = None
    stages: int | None = None
    common: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    seed: int = 0
    flops: Window | None = None
    parameters: Window | None = None
    activations: Window | None = None

    def __post_init__(self) -> None:
        if self.ranges is not None:
            checks.one_of("ranges", self.ranges, tuple(PRESETS))
        common = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in dict(self.common).items()
        }
        windows = {
            name: None if getattr(self, name) is None else tuple(getattr(self, name))
            for name in MEASURES
        }
        checks.set_fields(self, common=common, **windows)
        Windows(**windows)
        self.make_space()

    def make_space(self) -> Space:
        """The space."""
        arguments = dict(self.common)
        if self.ranges is not None:
            arguments["ranges"] = PRESETS[self.ranges]
        if self.stages is not None:
            arguments["stages"] = self.stages
        return spaces.by_name(self.space, **arguments)

    def sample(self, n: int) -> Sample:
        """The first n networks of the draw; see `Space.sample`."""
        windows = {name: getattr(self, name) for name in MEASURES}
        return self.make_space().sample(n, self.seed, **windows)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON types."""
        values = dataclasses.asdict(self)
        for name in MEASURES:
            values[name] = None if values[name] is None else list(values[name])
        values["common"] = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in self.common.items()
        }
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` wrote; unknown keys are a ValueError."""
        return checks.read_fields(cls, values)
