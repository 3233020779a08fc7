"""Trained networks used again: fine-tuned on other data, exported."""

from keras_regnet.transfer.comparison import Comparison, compare
from keras_regnet.transfer.config import FineTuneConfig
from keras_regnet.transfer.fine_tuning import fine_tune
from keras_regnet.transfer.network import new_network
from keras_regnet.transfer.result import FineTuneResult
from keras_regnet.transfer.source import Source, open_source

__all__ = [
    "Comparison",
    "FineTuneConfig",
    "FineTuneResult",
    "Source",
    "compare",
    "fine_tune",
    "new_network",
    "open_source",
]
