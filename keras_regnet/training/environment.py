"""Where a run ran: versions, devices, command line and commit, for `config.json`."""

import platform
import sys
from typing import Any

import tensorflow as tf

from keras_regnet import provenance


def describe_environment(strategy: tf.distribute.Strategy) -> dict[str, Any]:
    """What is worth knowing later about the machine and the software of a run."""
    return {
        "command_line": sys.argv,
        "versions": provenance.versions(),
        "platform": platform.platform(),
        "devices": [device.name for device in tf.config.list_logical_devices()],
        "strategy": type(strategy).__name__,
        "replicas": strategy.num_replicas_in_sync,
        "git_commit": provenance.git_commit(),
    }
