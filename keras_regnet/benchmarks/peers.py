"""The packages that we compare ourselves with, where they are installed."""

import functools
import importlib
import importlib.metadata
import os
import shutil
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


@functools.cache
def timm() -> ModuleType | None:
    """timm, or None where it or torch is not installed."""
    try:
        _import_torchvision()
        import timm
    except ImportError:
        return None
    return timm


@functools.cache
def _import_torchvision() -> Any:
    """Imports torchvision, which timm imports, without its compiled operators.

    They do not load beside a torch that torchvision was not compiled for, and where
    they do load after TensorFlow, the process crashes (seen with torchvision 0.28 for
    CUDA and TensorFlow 2.21). For the networks it is enough that the two operators to
    which torchvision's Python files refer are declared.

    Returns:
        The declarations. They hold as long as this is kept, and the cache keeps it.
    """
    import torch

    if "torchvision" in sys.modules:
        return None

    def refuse(path: str) -> None:
        raise OSError(f"not loaded beside TensorFlow: {path}")

    load, torch.ops.load_library = torch.ops.load_library, refuse
    library = torch.library.Library("torchvision", "FRAGMENT")
    try:
        for name in ("nms", "qnms"):
            library.define(
                f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )
        import torchvision  # noqa: F401
    finally:
        torch.ops.load_library = load
    return library


def _needs_timm() -> None:
    if timm() is None:
        raise ImportError("torch and timm are not installed")


def _needs_compiler() -> None:
    _needs_timm()
    compiler = os.environ.get("CXX", "g++")
    if not shutil.which(compiler) and not shutil.which("clang++"):
        raise ImportError("torch.compile needs a C++ compiler")


def _needs_torchvision() -> None:
    _needs_timm()
    importlib.import_module("torchvision.transforms.v2")


def _needs_onnxruntime() -> None:
    _needs_timm()
    for package in ("onnx", "onnxscript", "onnxruntime"):
        importlib.import_module(package)


PEERS: dict[str, Callable[[], None]] = {
    "timm": _needs_timm,
    "compile": _needs_compiler,
    "torchvision": _needs_torchvision,
    "onnxruntime": _needs_onnxruntime,
}
"""Per peer a function that raises where it cannot be had."""


def find(wanted: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Looks which peers can be had.

    Args:
        wanted: `"auto"` for those that are there, `"none"`, or names, comma separated,
            of peers that must be there.

    Returns:
        The peers to compare with; and those left out, each with the reason.

    Raises:
        ValueError: There is no such peer, or one that was asked for is absent.
    """
    if wanted == "none":
        return (), {}
    names = tuple(PEERS) if wanted == "auto" else tuple(wanted.split(","))
    if unknown := [name for name in names if name not in PEERS]:
        raise ValueError(
            f"Peers are auto, none or some of {', '.join(PEERS)}, comma separated. "
            f"Received: {','.join(unknown)}"
        )
    absent = {}
    for name in names:
        try:
            PEERS[name]()
        except Exception as error:  # torchvision raises RuntimeError, too
            absent[name] = " ".join(str(error).split())[:200]
    if absent and wanted != "auto":
        name, why = next(iter(absent.items()))
        raise ValueError(
            f"A peer that was asked for is absent: {why}. Received: {name}"
        )
    return tuple(name for name in names if name not in absent), absent


def versions() -> dict[str, str]:
    """The versions of the peers that are installed."""
    found = {}
    for package in ("torch", "timm", "torchvision", "onnxruntime", "onnx", "pillow"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
