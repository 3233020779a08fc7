"""Design spaces of networks: what is in them, drawing from them, and what errors say.

- Spaces as values: `spaces.ANYNETX_A` to `ANYNETX_E`, `REGNETX`, `REGNETY`, `VIONET`;
  or made with other ranges, stages, stems and images: `spaces.anynetx`, `regnetx`,
  `vionet`, `mlp`, `by_name`; ranges for larger and smaller networks: `ranges`.
- Constraints, `space & constraint`: `SharedGroupWidth` and others below.
- `space.sample(n, seed, flops=(360e6, 400e6))`, `space.contains(network)`.
- Populations: `SamplingPlan`, `Regime`, `Study.open`, `train_population`; a study as
  text: `export_study`, `import_study`; what came out: `results_of`.
- Pictures and a report: `write_figures`, `write_study_report`.
- Statistics of a population's errors: `ErrorDistribution`, `compare`,
  `matched_weights`, `best_range`, `correlations`, `properties`, `fit_error`.

`scripts/design_space.py` has commands for all of it.
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
from keras_regnet.design_space.figures import write_figures
from keras_regnet.design_space.live_table import LiveTable
from keras_regnet.design_space.matching import MatchedWeights, matched_weights
from keras_regnet.design_space.mlp import MLPParameters
from keras_regnet.design_space.plan import SamplingPlan
from keras_regnet.design_space.population import train_population
from keras_regnet.design_space.properties import fit_error, properties
from keras_regnet.design_space.ranges import Ranges
from keras_regnet.design_space.regime import Regime
from keras_regnet.design_space.report import write_study_report
from keras_regnet.design_space.results import PopulationResults, results_of
from keras_regnet.design_space.rule_constraints import (
    QuantizedLinear,
    SlopeIsInitialWidth,
    TotalDepth,
    WidthMultiplier,
)
from keras_regnet.design_space.sample import Sample
from keras_regnet.design_space.space import Space
from keras_regnet.design_space.study import Study
from keras_regnet.design_space.study_export import export_study, import_study
from keras_regnet.design_space.study_file import StudyFile

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
    "LiveTable",
    "MLPParameters",
    "MatchedWeights",
    "MaxActivations",
    "MaxParameters",
    "PopulationResults",
    "QuantizedLinear",
    "Ranges",
    "Regime",
    "RisingDepths",
    "RisingWidths",
    "Sample",
    "SamplingPlan",
    "SharedBottleneck",
    "SharedGroupWidth",
    "SlopeIsInitialWidth",
    "Space",
    "Study",
    "StudyFile",
    "TotalDepth",
    "UnsharedGroupWidth",
    "WidthMultiplier",
    "best_range",
    "compare",
    "correlations",
    "detectable_distance",
    "export_study",
    "fit_error",
    "import_study",
    "log_uniform",
    "matched_weights",
    "properties",
    "ranges",
    "results_of",
    "spaces",
    "train_population",
    "uniform",
    "write_figures",
    "write_study_report",
]
