"""Where weights come from: published sets, other libraries' files, and back.

    keras_regnet.list_weights("RegNetY-3.2GF")               # a table
    keras_regnet.RegNetY("3.2GF", weights="ra_in1k")         # one of its lines
    keras_regnet.RegNetY("3.2GF", weights="mine.safetensors")
    keras_regnet.weights.to_timm_state_dict(model)           # back to torch

Nothing here builds a model: `read` reads, `fill` fills one that is given.
"""

from keras_regnet.weights.catalogue import find, list_weights
from keras_regnet.weights.convert import ConversionError
from keras_regnet.weights.export import to_timm_state_dict, to_torchvision_state_dict
from keras_regnet.weights.identify import architecture_name, architecture_of
from keras_regnet.weights.loading import Weights, fill, load_weights, read
from keras_regnet.weights.readers import is_path
from keras_regnet.weights.weight_set import WeightSet, WeightTable

__all__ = [
    "ConversionError",
    "WeightSet",
    "WeightTable",
    "Weights",
    "architecture_name",
    "architecture_of",
    "fill",
    "find",
    "is_path",
    "list_weights",
    "load_weights",
    "read",
    "to_timm_state_dict",
    "to_torchvision_state_dict",
]
