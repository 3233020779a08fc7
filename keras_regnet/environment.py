"""TensorFlow's switches for CPUs, set before it starts; needs neither it nor Keras.

TensorFlow switches oneDNN on by itself only on x86 processors with AVX-512 VNNI,
AVX-512 BF16 or AMX. All others that have AVX2, most desktops among them, gain as much
from it: see the table of speeds in README.
"""

import functools
import json
import logging
import os
import platform
import sys
from pathlib import Path

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
POOLED_ALLOCATOR = "TF_CPU_ALLOCATOR_USE_BFC"
SWITCHES = (ONEDNN, POOLED_ALLOCATOR)

_LOGGER = logging.getLogger("keras_regnet")


def set_tensorflow_switches() -> None:
    """Switches TensorFlow's oneDNN and its pooled allocator on, on x86.

    Only what the user's environment leaves open, only under Keras' TensorFlow backend,
    and only as long as TensorFlow has not been imported: it would not look any more.
    Processes that this one starts inherit the variables.
    """
    if on_x86() and "tensorflow" not in sys.modules and _backend() == "tensorflow":
        for switch in SWITCHES:
            os.environ.setdefault(switch, "1")


@functools.cache
def hint_at_onednn() -> None:
    """Says once in the log what oneDNN would gain; not where the user decided."""
    if ONEDNN not in os.environ and on_x86():
        _LOGGER.warning(
            "TensorFlow runs without oneDNN on this CPU: training takes 1.2 to 1.3 "
            "times as long. Set the environment variable %s=1, or import "
            "keras_regnet before tensorflow and keras, which sets it. %s=0 silences "
            "this hint.",
            ONEDNN,
            ONEDNN,
        )


def on_x86() -> bool:
    """Whether this processor is one for which TensorFlow has oneDNN."""
    return platform.machine().lower() in ("x86_64", "amd64")


def _backend() -> str:
    """Keras' backend, as Keras itself will find it."""
    if "keras" in sys.modules:
        return sys.modules["keras"].backend.backend()
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"]
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        return json.loads((home / "keras.json").read_text())["backend"]
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"
