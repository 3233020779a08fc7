"""The tensors in files that torch saved; run as a program too, `torch_files.py IN OUT`.

A CUDA build of torch loads triton, which crashes the process where TensorFlow was first
(seen with torch 2.13 and TensorFlow 2.21). So where TensorFlow is there and torch is
not, another process reads the file and hands the tensors over as arrays. It runs this
file alone, which is why nothing of the package is imported here.
"""

import importlib.util
import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

# Where training programs keep the network in what they save: pycls, timm, others.
_STATES = ("model_state", "state_dict", "model")
_AVERAGES = ("ema_state", "state_dict_ema", "model_ema")

_REFUSED = 3  # the program's exit status for a file that it does not take


def read(path: Path, averaged: bool = False) -> dict[str, np.ndarray]:
    """Reads the tensors with `weights_only=True`: code in the file does not run.

    Args:
        path: A file that exists.
        averaged: Whether to take the weights averaged over the training, which some
            programs save beside the last ones.

    Returns:
        Arrays by name.

    Raises:
        ValueError: The file is damaged, or holds other things than tensors.
        ImportError: torch cannot be imported, or is older than 2.6.
    """
    if "torch" in sys.modules or "tensorflow" not in sys.modules:
        return _read_here(path, averaged)
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            # -P: the files beside this one are called torchvision, timm and so on.
            [sys.executable, "-P", __file__, path, folder, *["averaged"][:averaged]],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
        )
        if run.returncode == _REFUSED:
            raise ValueError(Path(folder, "refusal").read_text(encoding="utf-8"))
        if run.returncode:
            last = (run.stderr.strip().splitlines() or ["no message"])[-1]
            raise ImportError(
                "The process that reads torch's file failed with status "
                f"{run.returncode}: {last}. Received: {path}"
            )
        names = json.loads(Path(folder, "names.json").read_text(encoding="utf-8"))
        return {
            name: np.load(Path(folder, f"{number}.npy"), allow_pickle=False)
            for number, name in enumerate(names)
        }


def check_installed() -> None:
    """Raises an ImportError where torch is not installed; does not import it."""
    if importlib.util.find_spec("torch") is None:
        raise ImportError(
            "torch is needed to read this file and is not installed. "
            "Install it with: pip install 'keras-regnet[torch]'"
        )


def _read_here(path: Path, averaged: bool) -> dict[str, np.ndarray]:
    import torch

    version = torch.__version__
    if tuple(map(int, version.split(".")[:2])) < (2, 6):
        raise ImportError(
            "torch must be 2.6 or newer: in older ones weights_only=True does not keep "
            f"code in a file from running (CVE-2025-32434). Received: torch {version}"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            "The file holds more than tensors, or is damaged; it is read without "
            "running code that may be in it, and torch refuses: "
            f"{' '.join(str(error).split())[:300]} Received: {path}"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise ValueError(
            "The file is damaged or not a torch file: "
            f"{' '.join(str(error).split())[:300]}. Received: {path}"
        ) from error
    state = _state(content, averaged, path)
    if state and all(str(key).startswith("module.") for key in state):
        state = {key.removeprefix("module."): state[key] for key in state}
    return {str(key): _array(torch, key, state[key], path) for key in state}


def _state(content: Any, averaged: bool, path: Path) -> Mapping[str, Any]:
    """The dictionary of tensors in what a training program saved."""
    names = _AVERAGES if averaged else _STATES
    if isinstance(content, Mapping):
        for name in names:
            if isinstance(content.get(name), Mapping):
                return content[name]
        if not averaged:
            return content
        raise ValueError(
            f"The file has no averaged weights: none of {', '.join(names)}. "
            f"Received: averaged=True, {path}"
        )
    raise ValueError(
        "A torch file of weights holds a dictionary of tensors. "
        f"Received: {path}, which holds a {type(content).__name__}"
    )


def _array(torch: Any, key: Any, value: Any, path: Path) -> np.ndarray:
    if not isinstance(value, torch.Tensor):
        raise ValueError(
            f"All entries must be tensors. Received: {path}, where {key!r} is a "
            f"{type(value).__name__}"
        )
    numpys = (torch.float16, torch.float32, torch.float64)
    if value.is_floating_point() and value.dtype not in numpys:
        value = value.float()
    return value.detach().numpy()


def _main(path: str, folder: str, averaged: str = "") -> int:
    try:
        tensors = _read_here(Path(path), bool(averaged))
    except ValueError as refusal:
        Path(folder, "refusal").write_text(str(refusal), encoding="utf-8")
        return _REFUSED
    for number, value in enumerate(tensors.values()):
        np.save(Path(folder, f"{number}.npy"), value)
    Path(folder, "names.json").write_text(json.dumps(list(tensors)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
