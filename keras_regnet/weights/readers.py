"""The tensors in a file, by name: safetensors, torch's files, Keras 2's .h5."""

import contextlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from keras_regnet.optional import require
from keras_regnet.preprocessing import PreprocessingSpec
from keras_regnet.weights import torch_files

TORCH_SUFFIXES = (".pth", ".pyth", ".pt", ".bin")
OWN_SUFFIXES = (".weights.h5", ".keras")
SUFFIXES = (".safetensors", *TORCH_SUFFIXES, ".h5", ".keras")


def is_path(weights: str | os.PathLike[str]) -> bool:
    """Whether `weights` means a file and not the name of a published set."""
    return isinstance(weights, os.PathLike) or weights.endswith(SUFFIXES)


def check_file(path: Path) -> None:
    """Raises a ValueError where there is no such file."""
    if not path.is_file():
        raise ValueError(f"There must be a file of weights. Received: {path} (no file)")


def check_reader(suffix_of: str | os.PathLike[str]) -> None:
    """Raises an ImportError where the package that reads such a file is missing."""
    name = os.fspath(suffix_of)
    if name.endswith(".safetensors"):
        require("safetensors.numpy", "weights")
    elif name.endswith(TORCH_SUFFIXES):
        torch_files.check_installed()


def read_tensors(
    path: str | os.PathLike[str], averaged: bool = False
) -> dict[str, np.ndarray]:
    """Reads all tensors of a file.

    Args:
        path: A file ending in `.safetensors`, `.pth`, `.pyth`, `.pt`, `.bin` or `.h5`.
            torch's files are read with `weights_only=True`: code in them does not run.
        averaged: Whether to take the weights averaged over the training from a torch
            file that has them beside the last ones.

    Returns:
        Arrays by name, in the layout of the file.

    Raises:
        ValueError: The file is absent, damaged, or not what its name says.
        ImportError: The package that reads it is not installed.
    """
    path = Path(path)
    check_file(path)
    check_reader(path)
    if averaged and not path.name.endswith(TORCH_SUFFIXES):
        raise ValueError(
            "Averaged weights are chosen from torch's files only. Received: "
            f"averaged=True, {path}"
        )
    if path.name.endswith(".safetensors"):
        return _read_safetensors(path)
    if path.name.endswith(TORCH_SUFFIXES):
        return torch_files.read(path, averaged)
    if path.name.endswith(".h5"):
        return _read_h5(path)
    raise ValueError(
        f"A file of weights ends in one of {', '.join(SUFFIXES)}. Received: {path}"
    )


def _damaged(path: Path, kind: str, error: Exception) -> ValueError:
    return ValueError(
        f"The file is damaged or not {kind}: {' '.join(str(error).split())[:300]}. "
        f"Received: {path}"
    )


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    safetensors = require("safetensors", "weights")
    try:
        return require("safetensors.numpy", "weights").load_file(path)
    except (safetensors.SafetensorError, OSError, KeyError, ValueError) as error:
        raise _damaged(path, "in the safetensors format", error) from error


def _read_h5(path: Path) -> dict[str, np.ndarray]:
    import h5py  # Keras depends on it.

    try:
        with h5py.File(path, "r") as file:
            layers = file.get("model_weights", file)
            if "layer_names" not in layers.attrs:
                raise ValueError("it has no list of layers, as Keras 2 writes it")
            return {
                _text(name).removesuffix(":0"): np.asarray(layers[_text(layer)][name])
                for layer in layers.attrs["layer_names"]
                for name in layers[_text(layer)].attrs["weight_names"]
            }
    except (OSError, KeyError, ValueError) as error:
        raise _damaged(path, "an .h5 of Keras 2", error) from error


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def recorded_specification(path: Path) -> PreprocessingSpec | None:
    """What a model of this package in a `.keras` file expects of its images.

    None for another file, and where the model keeps no specification.
    """
    if not path.name.endswith(".keras"):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            pending = [json.loads(archive.read("config.json"))]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if node.get("registered_name") == "keras_regnet>PixelNormalization":
                return PreprocessingSpec.from_dict(node["config"]["specification"])
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
    return None


def own_head_classes(path: Path) -> int:
    """Outputs of the classifier in a file of this package; 0 without one.

    Also 0 for a damaged file, of which the message comes when it is loaded.
    """
    import h5py  # Keras depends on it.

    kernels: list[int] = []

    def note(name: str, item: Any) -> None:
        # Of all weights of these networks only the classifier's kernel is a matrix.
        shape = getattr(item, "shape", ())
        if len(shape) == 2 and not name.startswith("optimizer"):
            kernels.append(shape[1])

    with contextlib.suppress(OSError, KeyError, ValueError, zipfile.BadZipFile):
        content: Any = path
        if path.name.endswith(".keras"):
            with zipfile.ZipFile(path) as archive:
                content = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(content, "r") as file:
            file.visititems(note)
    return kernels[0] if len(kernels) == 1 else 0
