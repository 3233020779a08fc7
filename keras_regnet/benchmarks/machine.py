"""What the numbers were taken on."""

import contextlib
import importlib.metadata
import os
import platform
from typing import Any

import keras

from keras_regnet import provenance
from keras_regnet.benchmarks import peers
from keras_regnet.version import __version__

_INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd")


def machine() -> dict[str, Any]:
    """Processor, cores, load at this moment, and versions. Plain JSON types."""
    flags = provenance.processor().get("flags", "").split()
    return {
        "processor": provenance.processor_name(),
        "instructions": [name for name in _INSTRUCTIONS if name in flags],
        "cores": provenance.cores(),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {
            "keras_regnet": __version__,
            "python": platform.python_version(),
            **_tensorflow(),
            "keras": keras.__version__,
            **peers.versions(),
        },
    }


def describe(found: dict[str, Any]) -> str:
    """`machine()` in a few lines."""
    versions = ", ".join(f"{name} {v}" for name, v in found["versions"].items())
    lines = [
        f"{found['cores']} cores of {found['processor']} "
        f"({' '.join(found['instructions'])}), {found['system']}",
        versions,
    ]
    if found["load"] > 0.5:
        lines.append(
            f"The machine is not idle: its load is {found['load']}. Read the ratios "
            "with their spread."
        )
    return "\n".join(lines)


def _tensorflow() -> dict[str, str]:
    """TensorFlow's version, without importing it; Keras may run without."""
    for package in ("tensorflow", "tensorflow-cpu"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return {"tensorflow": importlib.metadata.version(package)}
    return {}
