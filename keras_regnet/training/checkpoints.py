"""Checkpoints: every variable of a training run in one file, checked when it is read.

A checkpoint is a numpy `.npz` (no pickles) with the model's variables, the
optimizer's, and a JSON description: the epoch, the history, each variable's path,
shape and dtype, and a SHA-256 of all the arrays. It is written aside and renamed, so
a run that is killed in the middle of writing leaves the one before.
"""

import hashlib
import json
import re
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_regnet.files import replacing

_PATTERN = re.compile(r"epoch-(\d+)\.npz")
_FORMAT = 1


class DamagedCheckpointError(ValueError):
    """A checkpoint file is cut off, altered, or not a checkpoint."""


def write_checkpoint(
    folder: Path,
    epoch: int,
    groups: dict[str, Sequence[Any]],
    extra: dict[str, Any],
    keep: int = 2,
) -> Path:
    """Writes `epoch-<epoch>.npz` into `folder` and removes the oldest ones.

    Args:
        folder: An existing folder.
        epoch: Number of whole epochs done.
        groups: Keras variables by the name of their owner, as
            `{"model": model.variables, "optimizer": optimizer.variables}`.
        extra: Anything else that JSON can hold.
        keep: How many checkpoints, with this one, stay in the folder.

    Returns:
        The path of the file.

    Raises:
        OSError: The file could not be written.
    """
    arrays, described = {}, {}
    for group, variables in groups.items():
        described[group] = []
        for index, variable in enumerate(variables):
            array = np.asarray(variable.numpy(), order="C")
            described[group].append(
                {
                    "path": variable.path,
                    "shape": list(array.shape),
                    "dtype": array.dtype.name,
                }
            )
            if array.dtype.kind not in "biufc":  # bfloat16 and the like: numpy's .npy
                array = array.view(f"u{array.dtype.itemsize}")  # does not know them
            arrays[f"{group}/{index:05d}"] = array
    description = {
        "format": _FORMAT,
        "epoch": epoch,
        "extra": extra,
        "variables": described,
        "sha256": _digest(arrays),
    }
    path = folder / f"epoch-{epoch:06d}.npz"
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(
            file, description=np.array(json.dumps(description)), **arrays
        )  # opened here, because savez would append a suffix to a name
    for old in list_checkpoints(folder)[:-keep]:
        old.unlink(missing_ok=True)
    return path


def list_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a folder, oldest first."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if _PATTERN.fullmatch(path.name)]
    return sorted(found, key=lambda path: int(_PATTERN.fullmatch(path.name)[1]))


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Reads a checkpoint and verifies its checksum.

    Returns:
        The description and the arrays by name.

    Raises:
        DamagedCheckpointError: The file is not whole, or not a checkpoint.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            description = json.loads(str(file["description"]))
            arrays = {name: file[name] for name in file.files if "/" in name}
        expected = description["sha256"]
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError, OSError) as error:
        raise DamagedCheckpointError(
            f"The checkpoint {path} cannot be read ({error})."
        ) from error
    if description.get("format") != _FORMAT:
        raise DamagedCheckpointError(
            f"The checkpoint {path} must have format {_FORMAT}. "
            f"Received: {description.get('format')!r}"
        )
    if _digest(arrays) != expected:
        raise DamagedCheckpointError(
            f"The checkpoint {path} does not have the checksum that it states."
        )
    return description, arrays


def restore_newest(
    folder: Path, groups: dict[str, Sequence[Any]]
) -> tuple[int, dict[str, Any]] | None:
    """Assigns the newest readable checkpoint of a folder to the variables.

    A damaged one is passed over with a warning, for the one before.

    Args:
        folder: Where the checkpoints are.
        groups: As in `write_checkpoint`, in the same order.

    Returns:
        The number of epochs done and the extra content; None where no checkpoint can
        be read.

    Raises:
        ValueError: The checkpoint belongs to another network or optimizer.
    """
    for path in reversed(list_checkpoints(folder)):
        try:
            description, arrays = read_checkpoint(path)
        except DamagedCheckpointError as error:
            warnings.warn(f"{error} Trying the one before it.", stacklevel=2)
            continue
        for group, variables in groups.items():
            _check_same(path, group, description["variables"].get(group), variables)
        for group, variables in groups.items():
            for index, variable in enumerate(variables):
                array = arrays[f"{group}/{index:05d}"]
                dtype = description["variables"][group][index]["dtype"]
                variable.assign(
                    array if array.dtype.name == dtype else array.view(dtype)
                )
        return description["epoch"], description["extra"]
    return None


def _check_same(
    path: Path, group: str, stored: list[dict[str, Any]] | None, variables: Sequence
) -> None:
    """Raises where the stored variables are not those of `group`."""
    stored = stored or []
    if len(stored) != len(variables):
        raise ValueError(
            f"The checkpoint {path} is of another network: its {group} has "
            f"{len(stored)} variables. Received: {len(variables)}"
        )
    for before, variable in zip(stored, variables, strict=True):
        same = (
            _without_numbers(before["path"]) == _without_numbers(variable.path)
            and before["shape"] == list(variable.shape)
            and before["dtype"] == str(variable.dtype)
        )
        if not same:
            raise ValueError(
                f"The checkpoint {path} is of another network: it has the {group} "
                f"variable {before['path']} of shape {tuple(before['shape'])} and "
                f"dtype {before['dtype']}. Received: {variable.path}, "
                f"{tuple(variable.shape)}, {variable.dtype}"
            )


def _without_numbers(path: str) -> str:
    """The path without the counters that Keras gives to layers without a name."""
    return re.sub(r"_\d+(?=[/_]|$)", "", path)


def _digest(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()
