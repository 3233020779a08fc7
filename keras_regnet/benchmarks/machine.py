"""What the numbers were taken on."""

import contextlib
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import keras

from keras_regnet.benchmarks import peers
from keras_regnet.version import __version__

_INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd")


def machine() -> dict[str, Any]:
    """Processor, cores, load at this moment, and versions. Plain JSON types."""
    cpu = _cpu()
    return {
        "processor": cpu.get("model name") or platform.processor() or "unknown",
        "instructions": [
            name for name in _INSTRUCTIONS if name in cpu.get("flags", "").split()
        ],
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
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


def _cpu() -> dict[str, str]:
    """The first processor of /proc/cpuinfo; nothing where there is no such file."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, _, value in pairs}
