"""From the tensors of a file to the variables of a model, all of them or none."""

import dataclasses
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from keras_regnet.weights.channels import adapt_input_channels as adapted
from keras_regnet.weights.scheme import Scheme

# torch's counter of batches that a normalisation has seen; it computes nothing.
_COUNTER = "num_batches_tracked"
_STEM = "stem/conv/kernel"
_LARGEST = np.finfo(np.float32).max
_HEAD = ("head_fc/kernel", "head_fc/bias")


class ConversionError(ValueError):
    """Tensors and variables do not fit; the model was not changed.

    Attributes:
        unused: Tensors of the source that no variable takes.
        unfilled: Variables that no tensor fills, with the name it would have.
        faulty: What is wrong with single tensors.
    """

    def __init__(
        self,
        message: str,
        unused: Iterable[str] = (),
        unfilled: Iterable[str] = (),
        faulty: Iterable[str] = (),
    ) -> None:
        super().__init__(message)
        self.unused = tuple(unused)
        self.unfilled = tuple(unfilled)
        self.faulty = tuple(faulty)


@dataclasses.dataclass(frozen=True)
class _Fit:
    """What goes where, and what is left on either side."""

    values: list[tuple[Any, np.ndarray]]
    unused: list[str]
    unfilled: list[str]
    faulty: list[str]


def head_classes(tensors: Mapping[str, np.ndarray], scheme: Scheme) -> int:
    """Outputs of the classifier in a file; 0 where it has none."""
    kernel = tensors.get(scheme.key(_HEAD[0]))
    if kernel is None or kernel.ndim != 2:
        return 0
    return scheme.to_keras(kernel).shape[1]


def fill(
    variables: Iterable[Any],
    tensors: Mapping[str, np.ndarray],
    scheme: Scheme,
    *,
    origin: str,
    channel_order: str | None = None,
    adapt_input_channels: bool = False,
) -> None:
    """Assigns the tensors to the variables by their names.

    Every tensor must be used and every variable filled, with equal shapes and finite
    numbers, except for the classifier: a file's is dropped where the model has none,
    and the model's keeps its initialisation where the file's has another number of
    classes or is absent. Nothing is assigned before all is checked.

    Args:
        variables: Of the model, with the paths that this package gives them.
        tensors: Of the file.
        scheme: How the file names and lays them out.
        origin: The file, for messages.
        channel_order: Of the images that the file's stem takes; `"bgr"` is turned
            round. By default the source's.
        adapt_input_channels: Whether a stem for colours may be made one for another
            number of channels.

    Raises:
        ConversionError: They do not fit.
    """
    fit = _fit(
        list(variables),
        {key: tensors[key] for key in tensors if not key.endswith(_COUNTER)},
        scheme,
        channel_order or scheme.channel_order,
        adapt_input_channels,
    )
    if fit.unused or fit.unfilled or fit.faulty:
        raise ConversionError(
            "The file does not fit the model, which stays as it was. "
            f"{_told('Unused tensors', fit.unused)}"
            f"{_told('Unfilled variables', fit.unfilled)}"
            f"{_told('Faulty', fit.faulty)}Received: {origin}",
            fit.unused,
            fit.unfilled,
            fit.faulty,
        )
    for variable, value in fit.values:
        variable.assign(value)


def _fit(
    variables: list[Any],
    tensors: dict[str, np.ndarray],
    scheme: Scheme,
    channel_order: str,
    adapt_input_channels: bool,
) -> _Fit:
    targets = {variable.path: variable for variable in variables}
    targets, tensors = _without_heads(targets, tensors, scheme)
    fit = _Fit([], [], [], [])
    used = set()
    for path, variable in targets.items():
        key = scheme.key(path)
        if key not in tensors:
            fit.unfilled.append(f"{path} ({key})" if key else path)
            continue
        used.add(key)
        value = np.asarray(tensors[key])
        if fault := _fault(value, path):
            fit.faulty.append(f"{key} {fault}")
            continue
        value = scheme.to_keras(value)
        if path == _STEM and value.ndim == 4:
            if channel_order == "bgr":
                value = value[:, :, ::-1]
            if adapt_input_channels:
                value = adapted(value, variable.shape[2])
        if tuple(value.shape) != tuple(variable.shape):
            hint = ""
            if path == _STEM and value.shape[3:] == tuple(variable.shape[3:]):
                hint = " (adapt_input_channels=True makes one of the other)"
            fit.faulty.append(
                f"{key} has the shape {tuple(value.shape)} and {path} "
                f"{tuple(variable.shape)}{hint}"
            )
            continue
        if variable.dtype != "float64" and np.abs(value).max(initial=0) > _LARGEST:
            fit.faulty.append(f"{key} has values beyond the range of float32")
            continue
        fit.values.append((variable, value))
    fit.unused.extend(sorted(set(tensors) - used))
    return fit


def _fault(value: np.ndarray, path: str) -> str | None:
    """What is wrong with a tensor by itself."""
    # ml_dtypes' bfloat16 is of no kind that numpy knows.
    if value.dtype.kind != "f" and value.dtype.name != "bfloat16":
        return f"has the dtype {value.dtype}, which is not floating point"
    numbers = value if value.dtype.kind == "f" else value.astype(np.float32)
    if not np.isfinite(numbers).all():
        return "has values that are NaN or infinite"
    if path.endswith("/moving_variance") and numbers.min(initial=0.0) < 0:
        return "is a variance and has negative values"
    return None


def _without_heads(
    targets: dict[str, Any], tensors: dict[str, np.ndarray], scheme: Scheme
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Takes the classifiers out of both sides where they are not to be carried over."""
    keys = [scheme.key(path) for path in _HEAD]
    wants = _HEAD[0] in targets
    theirs = head_classes(tensors, scheme)
    ours = targets[_HEAD[0]].shape[1] if wants else 0
    absent = not any(key in tensors for key in keys)
    if absent or theirs not in (0, ours):
        if wants:
            warn_of_new_head(theirs, ours)
        targets = {path: targets[path] for path in targets if path not in _HEAD}
        tensors = {key: tensors[key] for key in tensors if key not in keys}
    return targets, tensors


def warn_of_new_head(theirs: int, ours: int) -> None:
    """Says that the classifier of weights is not taken; both numbers of classes."""
    warnings.warn(
        "The classifier keeps its random initialisation: the weights are for "
        f"{theirs or 'no'} classes and the model for {ours}. Without `classes` a "
        "network takes the number of its weights.",
        stacklevel=2,
    )


def _told(title: str, items: list[str]) -> str:
    if not items:
        return ""
    more = f" and {len(items) - 6} more" if len(items) > 6 else ""
    return f"{title} ({len(items)}): {', '.join(items[:6])}{more}. "
