"""Checkpoints: every variable of a training run in one file, checked when it is read.

A checkpoint is a numpy `.npz` (no pickles) with the model's variables, the
optimizer's, and a JSON description: the step, what else a run must know, each
variable's path, shape and dtype, and a SHA-256 of all the arrays. It is written aside
and renamed, so a run that is killed in the middle of writing leaves the one before.
"""

import dataclasses
import errno
import hashlib
import json
import re
import shutil
import struct
import warnings
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_regnet.files import replacing

BEST = "best.npz"

_PATTERN = re.compile(r"step-(\d+)\.npz")
_FORMAT = 2

# What reading a file raises that is not what was written.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    RuntimeError,  # a compression or encryption that there is not, by a flipped bit
    TypeError,
    ValueError,
    KeyError,
    EOFError,
)


class DamagedCheckpointError(ValueError):
    """A checkpoint file is cut off, altered, or not a checkpoint."""


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The values of a run's variables at one step, apart from the variables.

    Attributes:
        step: Number of training steps done.
        arrays: The values by their place in the file.
        described: What the file says of each variable.
        extra: Anything else that JSON can hold.
    """

    step: int
    arrays: dict[str, np.ndarray]
    described: dict[str, list[dict[str, Any]]]
    extra: dict[str, Any]

    def assign(self, groups: Mapping[str, Sequence[Any]]) -> None:
        """Gives the variables the values again."""
        _assign(self.arrays, self.described, groups)

    def not_finite(self) -> str | None:
        """The path of a variable with a value that is not finite, or None."""
        for name, array in self.arrays.items():
            group, _, index = name.partition("/")
            variable = self.described[group][int(index)]
            readable = variable["dtype"] == array.dtype.name  # bfloat16 is not
            if readable and array.dtype.kind == "f" and not np.isfinite(array).all():
                return variable["path"]
        return None


def take_snapshot(
    step: int, groups: Mapping[str, Sequence[Any]], extra: dict[str, Any]
) -> Snapshot:
    """Copies the values of variables, which may then go on changing.

    Args:
        step: Number of training steps done.
        groups: Keras variables by the name of their owner, as
            `{"model": model.variables, "optimizer": optimizer.variables}`.
        extra: Anything else that JSON can hold.
    """
    arrays: dict[str, np.ndarray] = {}
    described: dict[str, list[dict[str, Any]]] = {}
    for group, variables in groups.items():
        described[group] = []
        for index, variable in enumerate(variables):
            # A copy: on a CPU numpy() may show the variable's own memory.
            array = np.array(variable.numpy(), order="C")
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
    return Snapshot(step, arrays, described, json.loads(json.dumps(extra)))


def write_checkpoint(
    folder: Path, snapshot: Snapshot, keep: int = 2, best: bool = False
) -> Path:
    """Writes `step-<step>.npz` into `folder` and removes the oldest ones.

    Args:
        folder: An existing folder.
        snapshot: What to write.
        keep: How many checkpoints, with this one, stay in the folder.
        best: Whether to put a copy aside as `best.npz`.

    Returns:
        The path of the file.

    Raises:
        OSError: The file could not be written.
    """
    description = {
        "format": _FORMAT,
        "step": snapshot.step,
        "extra": snapshot.extra,
        "variables": snapshot.described,
        "sha256": _digest(snapshot.arrays),
    }
    path = folder / f"step-{snapshot.step:09d}.npz"
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(
            file, description=np.array(json.dumps(description)), **snapshot.arrays
        )  # opened here, because savez would append a suffix to a name
    if best:
        with replacing(folder / BEST) as temporary:
            shutil.copyfile(path, temporary)
    up_to_here = [p for p in list_checkpoints(folder) if _step(p) <= snapshot.step]
    for old in up_to_here[:-keep]:
        old.unlink(missing_ok=True)
    return path


def list_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a folder, oldest first."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if _PATTERN.fullmatch(path.name)]
    return sorted(found, key=_step)


def _step(path: Path) -> int:
    return int(_PATTERN.fullmatch(path.name)[1])


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Reads a checkpoint and verifies its checksum.

    Returns:
        The description and the arrays by name.

    Raises:
        DamagedCheckpointError: The file is not whole, or not a checkpoint.
        OSError: It may not or cannot be read now, whatever is in it.
    """
    try:
        # Opened here: what the system refuses says nothing of what is in the file.
        with (
            path.open("rb") as stream,
            np.load(stream, allow_pickle=False) as file,
        ):
            description = json.loads(str(file["description"]))
            arrays = {name: file[name] for name in file.files if "/" in name}
        expected = description["sha256"]
    except (*_DAMAGE, OSError) as error:
        # A cut zip file is also sought in before its beginning, which is EINVAL.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise OSError(
                error.errno, f"Cannot read the checkpoint {path}: {error.strerror}"
            ) from error
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


def read_newest(
    folder: Path,
) -> tuple[Path, dict[str, Any], dict[str, np.ndarray]] | None:
    """Reads the newest whole checkpoint of a folder, `best.npz` among them.

    A damaged one is passed over with a warning, for the one before, and set aside
    under another name as soon as there is one to go on from.

    Returns:
        Its path, description and arrays; None where there are no checkpoints.

    Raises:
        DamagedCheckpointError: There are some, and none can be read.
        OSError: One may not or cannot be read now.
    """
    damaged: list[Path] = []
    newest = None
    for path in reversed(list_checkpoints(folder)):
        try:
            newest = path, *read_checkpoint(path)
            break
        except DamagedCheckpointError as error:
            warnings.warn(f"{error} Trying the one before it.", stacklevel=2)
            damaged.append(path)
    if (damaged or newest is None) and (folder / BEST).is_file():
        # It is a whole checkpoint too, and may be of a later step.
        try:
            best = folder / BEST, *read_checkpoint(folder / BEST)
            if newest is None or best[1]["step"] > newest[1]["step"]:
                newest = best
        except DamagedCheckpointError as error:
            warnings.warn(str(error), stacklevel=2)
            if newest is None:
                damaged.append(folder / BEST)
    if damaged and newest is None:
        raise DamagedCheckpointError(
            "A run goes on from a checkpoint that can be read. To begin it anew, "
            "remove these files or choose another run directory. Received: "
            + ", ".join(map(str, damaged))
        )
    for path in damaged:
        path.rename(path.with_name(f"{path.name}.damaged"))
    return newest


def mend_best(path: Path, step: int) -> None:
    """Makes `best.npz` of a checkpoint, where a kill came before it was copied.

    Args:
        path: The newest checkpoint, whose run was never better.
        step: Its step.
    """
    best = path.with_name(BEST)
    if best.is_file():
        try:
            if read_checkpoint(best)[0]["step"] == step:
                return
        except DamagedCheckpointError as error:
            warnings.warn(f"{error} It is made anew.", stacklevel=2)
    with replacing(best) as temporary:
        shutil.copyfile(path, temporary)


def assign(
    path: Path,
    description: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    groups: Mapping[str, Sequence[Any]],
) -> None:
    """Assigns what was read to variables.

    Args:
        path: The file, for messages.
        description: As `read_checkpoint` gives it.
        arrays: Likewise.
        groups: As in `take_snapshot`, in the same order. Not all groups need be there.

    Raises:
        ValueError: The checkpoint belongs to another network or optimizer.
    """
    for group, variables in groups.items():
        _check_same(path, group, description["variables"].get(group), variables)
    _assign(arrays, description["variables"], groups)


def _assign(
    arrays: Mapping[str, np.ndarray],
    described: Mapping[str, list[dict[str, Any]]],
    groups: Mapping[str, Sequence[Any]],
) -> None:
    for group, variables in groups.items():
        for index, variable in enumerate(variables):
            array = arrays[f"{group}/{index:05d}"]
            dtype = described[group][index]["dtype"]
            variable.assign(array if array.dtype.name == dtype else array.view(dtype))


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
