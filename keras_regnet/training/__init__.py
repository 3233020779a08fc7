"""Training: configuration, recipes, schedules, and the loop under any strategy.

What trains with TensorFlow is imported when it is first asked for.
"""

from typing import TYPE_CHECKING

from keras_regnet.optimizers import SGD
from keras_regnet.optional import lazily

if TYPE_CHECKING:  # editors and type checkers do not run `__getattr__`
    from keras_regnet.training.config import TrainingConfig
    from keras_regnet.training.epoch import NonFiniteLossError
    from keras_regnet.training.interruption import TerminatedError
    from keras_regnet.training.recipes import RECIPES, configure
    from keras_regnet.training.resident import train_resident
    from keras_regnet.training.schedules import learning_rate_at
    from keras_regnet.training.trainer import Trainer
    from keras_regnet.training.training_run import TrainingResult

_MODULES = {
    "RECIPES": "recipes",
    "NonFiniteLossError": "epoch",
    "TerminatedError": "interruption",
    "Trainer": "trainer",
    "TrainingConfig": "config",
    "TrainingResult": "training_run",
    "configure": "recipes",
    "learning_rate_at": "schedules",
    "train_resident": "resident",
}

__all__ = [
    "RECIPES",
    "SGD",
    "NonFiniteLossError",
    "TerminatedError",
    "Trainer",
    "TrainingConfig",
    "TrainingResult",
    "configure",
    "learning_rate_at",
    "train_resident",
]

__getattr__ = lazily(__name__, _MODULES)
