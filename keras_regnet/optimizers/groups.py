"""Which variables are weights, which belong to normalisations, and which are biases."""

from collections.abc import Mapping, Sequence

import keras

GROUPS = ("weights", "norms", "biases", "squeeze_excite_biases")
_NORMS = ("gamma", "beta")


def group_of(variable: keras.Variable) -> str:
    """The group of a variable, one of `GROUPS`, by its path.

    - `"norms"`: scales and shifts of normalisations (`.../gamma`, `.../beta`);
    - `"squeeze_excite_biases"`: biases of the convolutions in squeeze-and-excitation
      (`.../se/fc1/bias`);
    - `"biases"`: all other biases, and every other vector or scalar;
    - `"weights"`: the rest, that is the kernels.
    """
    *scope, name = variable.path.split("/")
    if name in _NORMS:
        return "norms"
    if name == "bias":
        return "squeeze_excite_biases" if "se" in scope else "biases"
    return "weights" if len(variable.shape) > 1 else "biases"


def parameter_groups(
    variables: Sequence[keras.Variable],
) -> dict[str, list[keras.Variable]]:
    """Sorts variables by their group.

    Args:
        variables: Variables, as `model.trainable_variables`.

    Returns:
        The variables of each of `GROUPS`, in their order; a group may be empty.
    """
    groups = {group: [] for group in GROUPS}
    for variable in variables:
        groups[group_of(variable)].append(variable)
    return groups


def decay_of(
    group: str,
    weight_decay: float,
    norm_weight_decay: float | None,
    bias_weight_decay: float | None,
) -> float:
    """The weight decay of a group, where None stands for `weight_decay`."""
    given = {"weights": None, "norms": norm_weight_decay}.get(group, bias_weight_decay)
    return weight_decay if given is None else given


def factor_of(path: str, factors: Mapping[str, float]) -> float:
    """The factor on the learning rate of a variable.

    Args:
        path: Of the variable.
        factors: By the beginnings of paths, up to a slash: `{"s1_b1": 0.5}`, or
            `{"s1_b1/conv1": 0.5}`. The longest that fits counts.

    Returns:
        The factor; 1 where none fits.
    """
    parts = path.split("/")
    beginnings = ("/".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((factors[each] for each in beginnings if each in factors), 1.0)
