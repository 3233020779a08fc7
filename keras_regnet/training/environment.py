"""Where a run ran: versions, devices, command line and commit, for `config.json`."""

from __future__ import annotations

import platform
import sys
from typing import Any

import keras

from keras_regnet import provenance

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf


def describe_environment(strategy: tf.distribute.Strategy | None) -> dict[str, Any]:
    """What is worth knowing later about the machine and the software of a run.

    Args:
        strategy: None where Keras' backend is another than TensorFlow.
    """
    return {
        "command_line": sys.argv,
        "versions": provenance.versions(),
        "platform": platform.platform(),
        **(_devices(strategy) if strategy else {"devices": _names_of_devices()}),
        "git_commit": provenance.git_commit(),
    }


def _devices(strategy: tf.distribute.Strategy) -> dict[str, Any]:
    return {
        "devices": [device.name for device in tf.config.list_logical_devices()],
        "strategy": type(strategy).__name__,
        "replicas": strategy.num_replicas_in_sync,
    }


def _names_of_devices() -> list[str]:
    return [str(name) for name in keras.distribution.list_devices()]
