"""Where a run ran: versions, devices, command line and commit, for `config.json`."""

import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_regnet.version import __version__


def describe_environment(strategy: tf.distribute.Strategy) -> dict[str, Any]:
    """What is worth knowing later about the machine and the software of a run."""
    return {
        "command_line": sys.argv,
        "versions": {
            "keras_regnet": __version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "platform": platform.platform(),
        "devices": [device.name for device in tf.config.list_logical_devices()],
        "strategy": type(strategy).__name__,
        "replicas": strategy.num_replicas_in_sync,
        "git_commit": _git_commit(),
    }


def _git_commit() -> str | None:
    """The commit of the source checkout, or None where the package is installed."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        found = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None
