"""What the numbers were taken on."""

import contextlib
import importlib.metadata
import os
import platform
from typing import Any

import keras

from keras_regnet import environment, provenance
from keras_regnet.benchmarks import fresh_process, peers
from keras_regnet.version import __version__

_INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd")


def machine() -> dict[str, Any]:
    """Processor, cores, load at this moment, TensorFlow's switches, and versions.

    Starts TensorFlow's runtime, after which its devices can no longer be configured;
    on a machine with a GPU in another process, since it would take the GPU's memory.

    Returns:
        Plain JSON types. `onednn` and `pooled_allocator` are None on other backends
        than TensorFlow, `onednn` also on other processors than x86.
    """
    flags = provenance.processor().get("flags", "").split()
    return {
        "processor": provenance.processor_name(),
        "instructions": [name for name in _INSTRUCTIONS if name in flags],
        "cores": provenance.cores(),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "onednn": _onednn(),
        "pooled_allocator": _pooled_allocator(),
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
    lines = [_where(found), _versions(found)]
    if found["load"] > 0.5:
        lines.append(
            f"The machine is not idle: its load is {found['load']}. Read the ratios "
            "with their spread."
        )
    return "\n".join(lines)


def caption(found: dict[str, Any]) -> str:
    """`machine()` in one line, to stand beside each result."""
    return f"{_where(found)}; {_versions(found)}"


def onednn_here() -> bool:
    """Whether TensorFlow runs with oneDNN in this process, on x86.

    There only oneDNN has the gradient of a grouped convolution.
    """
    from keras_regnet.layers import kernels

    return kernels.cpu_has_native_gradient("float32")


def _onednn() -> bool | None:
    if keras.backend.backend() != "tensorflow" or not environment.on_x86():
        return None
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        return onednn_here()
    # Lean: with the variables of this process, without setting them anew.
    with fresh_process.serve(
        f"{__name__}:onednn_here",
        {},
        lean=True,
        environment={"CUDA_VISIBLE_DEVICES": "-1"},
    ) as ask:
        return ask()


def _pooled_allocator() -> bool | None:
    """By the variable alone: TensorFlow does not tell."""
    if keras.backend.backend() != "tensorflow":
        return None
    value = os.environ.get(environment.POOLED_ALLOCATOR, "0")
    return value.lower() in ("1", "true")


def _where(found: dict[str, Any]) -> str:
    parts = [
        f"{found['cores']} cores of {found['processor']} "
        f"({' '.join(found['instructions'])})",
        found["system"],
    ]
    for name, field in (("oneDNN", "onednn"), ("pooled allocator", "pooled_allocator")):
        if found[field] is not None:
            parts.append(f"{name} {'on' if found[field] else 'off'}")
    return ", ".join(parts)


def _versions(found: dict[str, Any]) -> str:
    return ", ".join(f"{name} {v}" for name, v in found["versions"].items())


def _tensorflow() -> dict[str, str]:
    """TensorFlow's version, without importing it; Keras may run without."""
    for package in ("tensorflow", "tensorflow-cpu"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return {"tensorflow": importlib.metadata.version(package)}
    return {}
