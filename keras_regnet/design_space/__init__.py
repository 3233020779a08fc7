"""Design spaces of networks: what is in them, drawing from them, and what errors say.

- Spaces as values: `spaces.ANYNETX_A` to `ANYNETX_E`, `REGNETX`, `REGNETY`, `VIONET`;
  or made with other ranges, stages, stems and images: `spaces.anynetx`, `regnetx`,
  `vionet`, `mlp`, `by_name`; ranges for larger and smaller networks: `ranges`.
- Constraints, `space & constraint`: `SharedGroupWidth` and others below.
- `space.sample(n, seed, flops=(360e6, 400e6))`, `space.contains(network)`.
- Statistics of a population's errors: `ErrorDistribution`, `compare`,
  `matched_weights`, `best_range`, `correlations`, `properties`, `fit_error`.

All of it is NumPy and the standard library; Keras is imported when a model is built.
"""

from keras_regnet.design_space import ranges, spaces
from keras_regnet.design_space.best_range import BestRange, best_range
from keras_regnet.design_space.choices import Choices, log_uniform, uniform
from keras_regnet.design_space.comparison import (
    Comparison,
    compare,
    detectable_distance,
)
from keras_regnet.design_space.constraint import Constraint
from keras_regnet.design_space.constraints import (
    BottleneckRatio,
    FallingDepths,
    FallingWidths,
    GroupWidth,
    RisingDepths,
    RisingWidths,
    SharedBottleneck,
    SharedGroupWidth,
    UnsharedGroupWidth,
)
from keras_regnet.design_space.containment import Containment, Failure
from keras_regnet.design_space.correlation import Correlation, correlations
from keras_regnet.design_space.cost_constraints import MaxActivations, MaxParameters
from keras_regnet.design_space.error_distribution import Band, ErrorDistribution
from keras_regnet.design_space.matching import MatchedWeights, matched_weights
from keras_regnet.design_space.mlp import MLPParameters
from keras_regnet.design_space.properties import fit_error, properties
from keras_regnet.design_space.ranges import Ranges
from keras_regnet.design_space.rule_constraints import (
    QuantizedLinear,
    SlopeIsInitialWidth,
    TotalDepth,
    WidthMultiplier,
)
from keras_regnet.design_space.sample import Sample
from keras_regnet.design_space.space import Space

__all__ = [
    "Band",
    "BestRange",
    "BottleneckRatio",
    "Choices",
    "Comparison",
    "Constraint",
    "Containment",
    "Correlation",
    "ErrorDistribution",
    "Failure",
    "FallingDepths",
    "FallingWidths",
    "GroupWidth",
    "MLPParameters",
    "MatchedWeights",
    "MaxActivations",
    "MaxParameters",
    "QuantizedLinear",
    "Ranges",
    "RisingDepths",
    "RisingWidths",
    "Sample",
    "SharedBottleneck",
    "SharedGroupWidth",
    "SlopeIsInitialWidth",
    "Space",
    "TotalDepth",
    "UnsharedGroupWidth",
    "WidthMultiplier",
    "best_range",
    "compare",
    "correlations",
    "detectable_distance",
    "fit_error",
    "log_uniform",
    "matched_weights",
    "properties",
    "ranges",
    "spaces",
    "uniform",
]
