"""Training: configuration, recipes, schedules, and the loop under any strategy."""

from keras_regnet.optimizers import SGD
from keras_regnet.training.config import TrainingConfig
from keras_regnet.training.epoch import NonFiniteLossError
from keras_regnet.training.interruption import TerminatedError
from keras_regnet.training.recipes import RECIPES, configure
from keras_regnet.training.schedules import learning_rate_at
from keras_regnet.training.trainer import Trainer, TrainingResult

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
]
