"""Training: configuration, recipes, schedules, and the loop under any strategy.

What trains with TensorFlow is imported when it is first asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # editors and type checkers do not run `__getattr__`
    from keras_regnet.optimizers import SGD
    from keras_regnet.training.config import TrainingConfig
    from keras_regnet.training.epoch import NonFiniteLossError
    from keras_regnet.training.interruption import TerminatedError
    from keras_regnet.training.recipes import RECIPES, configure
    from keras_regnet.training.resident import train_resident
    from keras_regnet.training.schedules import learning_rate_at
    from keras_regnet.training.trainer import Trainer
    from keras_regnet.training.training_run import TrainingResult

_MODULES = {
    "RECIPES": "training.recipes",
    "SGD": "optimizers",
    "NonFiniteLossError": "training.epoch",
    "TerminatedError": "training.interruption",
    "Trainer": "training.trainer",
    "TrainingConfig": "training.config",
    "TrainingResult": "training.training_run",
    "configure": "training.recipes",
    "learning_rate_at": "training.schedules",
    "train_resident": "training.resident",
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


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"keras_regnet.{_MODULES[name]}"), name)
