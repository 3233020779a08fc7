"""RegNet ("Designing Network Design Spaces", arXiv 2003.13678) for Keras 3.

- Networks: `RegNetX`, `RegNetY`, `RegNet`, `AnyNet`; `keras_regnet.applications` has
  the 24 published ones under the names of Keras 2.
- `inference_function`: a model with its weights fixed, for single images.
- A network as numbers: `RegNetParameters`, `AnyNetParameters`, `Stage`, `variant`,
  `complexity`; more in `keras_regnet.architecture`.
- Pretrained weights: `weights=` of the networks, `list_weights`, and what they expect
  of images, `preprocessing_for`; reading other libraries' files and writing them back:
  `keras_regnet.weights`.
- Published models: `list_published`, `load_published`; publishing and exporting them:
  `keras_regnet.publishing`.
- Layers for models of your own: `keras_regnet.layers`.
- `keras_regnet.optimizers`: SGD and RMSprop in the form that the recipes were made for,
  with a weight decay for each group of parameters.
- Data pipelines, training, fine-tuning and design spaces: `keras_regnet.data`,
  `keras_regnet.training`, `keras_regnet.transfer`, `keras_regnet.design_space`,
  imported by who uses them.

Importing this package registers its layers and its optimizers, so that
`keras.saving.load_model` works. Imported before TensorFlow and Keras it also sets what
makes TensorFlow fast on CPUs: see `keras_regnet.environment`.
"""

from keras_regnet import environment

environment.set_tensorflow_switches()

from keras_regnet import (  # noqa: E402
    applications,
    architecture,
    layers,
    optimizers,
    preprocessing,
    weights,
)
from keras_regnet.architecture import (  # noqa: E402
    AnyNetParameters,
    RegNetParameters,
    Stage,
    complexity,
    variant,
)
from keras_regnet.models import (  # noqa: E402
    AnyNet,
    RegNet,
    RegNetX,
    RegNetY,
    inference_function,
)
from keras_regnet.publishing.reading import list_published, load_published  # noqa: E402
from keras_regnet.version import __version__  # noqa: E402
from keras_regnet.weights import list_weights  # noqa: E402
from keras_regnet.weights.preprocessing import preprocessing_for  # noqa: E402

__all__ = [
    "AnyNet",
    "AnyNetParameters",
    "RegNet",
    "RegNetParameters",
    "RegNetX",
    "RegNetY",
    "Stage",
    "__version__",
    "applications",
    "architecture",
    "complexity",
    "inference_function",
    "layers",
    "list_published",
    "list_weights",
    "load_published",
    "optimizers",
    "preprocessing",
    "preprocessing_for",
    "variant",
    "weights",
]
