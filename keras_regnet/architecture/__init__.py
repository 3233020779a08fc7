"""A network as numbers: NumPy and the standard library alone."""

from keras_regnet.architecture.complexity import Complexity, Part, complexity
from keras_regnet.architecture.parameters import (
    AnyNetParameters,
    BlockParameters,
    Derivation,
    RegNetParameters,
    Stage,
    from_dict,
)
from keras_regnet.architecture.quantization import (
    QuantizedLinearFit,
    adjust_compatibility,
    fit_quantized_linear,
)
from keras_regnet.architecture.variants import (
    application_name,
    canonical_name,
    published_names,
    variant,
    variant_names,
)

__all__ = [
    "AnyNetParameters",
    "BlockParameters",
    "Complexity",
    "Derivation",
    "Part",
    "QuantizedLinearFit",
    "RegNetParameters",
    "Stage",
    "adjust_compatibility",
    "application_name",
    "canonical_name",
    "complexity",
    "fit_quantized_linear",
    "from_dict",
    "published_names",
    "variant",
    "variant_names",
]
