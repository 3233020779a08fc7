"""How well an exported network agrees with the Keras model that it was made of."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np


class DisagreementError(ValueError):
    """An exported network does not compute what the model computes."""


@dataclasses.dataclass(frozen=True)
class Agreement:
    """The comparison of outputs with those that were expected.

    Attributes:
        relative_difference: The largest difference over the largest magnitude that
            was expected; with several outputs that of the worst.
        top1: Share of the images with the same largest output; None where the outputs
            are not vectors.
        images: How many images were compared.
    """

    relative_difference: float
    top1: float | None
    images: int

    def __str__(self) -> str:
        text = f"largest relative difference {self.relative_difference:.2g}"
        if self.top1 is not None:
            text += f", top-1 agreement {self.top1:.2%}"
        return f"{text}, {self.images} image{'s' * (self.images != 1)}"


def compare(outputs: Any, expected: Any) -> Agreement:
    """Compares outputs with those that were expected.

    Args:
        outputs: An array, images first, or a mapping of names to such arrays.
        expected: The same of the reference.

    Raises:
        ValueError: The names or the shapes differ.
    """
    if isinstance(expected, Mapping):
        if not isinstance(outputs, Mapping) or set(outputs) != set(expected):
            raise ValueError(
                f"The outputs must be {sorted(expected)}. Received: "
                f"{sorted(outputs) if isinstance(outputs, Mapping) else type(outputs)}"
            )
        return worst(compare(outputs[name], expected[name]) for name in expected)
    outputs = np.asarray(outputs, np.float64)
    expected = np.asarray(expected, np.float64)
    if outputs.shape != expected.shape:
        raise ValueError(
            f"The outputs must be of shape {expected.shape}. Received: {outputs.shape}"
        )
    difference = np.abs(outputs - expected).max()
    # Not a number stays so, and is above every tolerance.
    largest = np.abs(expected).max()
    top1 = None
    if expected.ndim == 2:
        top1 = float(np.mean(outputs.argmax(-1) == expected.argmax(-1)))
    return Agreement(
        float(difference / largest) if largest else float(difference),
        top1,
        len(expected),
    )


def together(agreements: Any) -> Agreement:
    """The agreement on several batches as one."""
    agreements = list(agreements)
    images = sum(each.images for each in agreements)
    top1 = None
    if all(each.top1 is not None for each in agreements):
        top1 = sum(each.top1 * each.images for each in agreements) / images
    return Agreement(_largest(agreements), top1, images)


def worst(agreements: Any) -> Agreement:
    """The agreement of several outputs of the same images as one."""
    agreements = list(agreements)
    top1 = [each.top1 for each in agreements if each.top1 is not None]
    return Agreement(
        _largest(agreements), min(top1, default=None), agreements[0].images
    )


def check(agreement: Agreement, tolerance: float, what: str) -> None:
    """Refuses what differs too much.

    Args:
        agreement: What `compare` found.
        tolerance: The largest relative difference that is allowed.
        what: Names the outputs in the message, for example `"onnxruntime's outputs"`.

    Raises:
        DisagreementError: The difference is larger, or not a number.
    """
    if not agreement.relative_difference <= tolerance:
        raise DisagreementError(
            f"The largest relative difference of {what} from those of the Keras model "
            f"is above the tolerance of {tolerance:g}. "
            f"Received: {agreement.relative_difference:.3g}"
        )


def check_top1(agreement: Agreement, least: float, what: str) -> None:
    """Refuses what decides differently too often; arguments as those of `check`.

    Raises:
        DisagreementError: The share is smaller, or there are no decisions.
    """
    if agreement.top1 is None or not agreement.top1 >= least:
        raise DisagreementError(
            f"The top-1 agreement of {what} with the Keras model is below {least:g}. "
            f"Received: {agreement.top1}"
        )


def _largest(agreements: list[Agreement]) -> float:
    # numpy's, since Python's max() may pass over what is not a number.
    return float(np.max([each.relative_difference for each in agreements]))
