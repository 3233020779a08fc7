"""Which network given weights need, found out before anything is built."""

import logging
import os

from keras_regnet.architecture import AnyNetParameters, variant
from keras_regnet.architecture.variants import TWIN_SUFFIX
from keras_regnet.weights import Weights, architecture_name, find, is_path, read

logger = logging.getLogger("keras_regnet")


def prepare(
    weights: str | os.PathLike[str] | Weights | None,
    parameters: AnyNetParameters,
    by_name: bool,
    accept_license: bool = False,
    padding: str = "symmetric",
) -> tuple[Weights | None, AnyNetParameters]:
    """Reads weights, and picks the torchvision twin of the network where they need it.

    Args:
        weights: As in `AnyNet`.
        parameters: The network that was asked for.
        by_name: Whether it was asked for by a published name, and not by numbers.
        accept_license: As in `AnyNet`.
        padding: As in `AnyNet`.

    Returns:
        The weights, and the network: `parameters`, or the twin's.

    Raises:
        ValueError: As `keras_regnet.weights.read`; or the weights are of another
            published network, which the message names, or of another padding.
    """
    if weights is None:
        return None, parameters
    own = architecture_name(parameters)
    if isinstance(weights, str) and not is_path(weights):
        weight_set = find(weights, own)
        parameters = _fitting(
            weight_set.architecture, own, parameters, by_name, weight_set.name
        )
        own = architecture_name(parameters)
        _check_padding(weight_set.padding, padding, weight_set.name)
    if not isinstance(weights, Weights):
        weights = read(weights, architecture=own, accept_license=accept_license)
    if weights.scheme is not None:
        _check_padding(weights.scheme.padding, padding, weights.origin)
    found = weights.architecture
    return weights, _fitting(found, own, parameters, by_name, weights.origin)


def _fitting(
    found: str | None,
    own: str | None,
    parameters: AnyNetParameters,
    by_name: bool,
    origin: str,
) -> AnyNetParameters:
    # What is of no published network is compared tensor by tensor when it is filled.
    if found is None or own is None or found == own:
        return parameters
    if by_name and found == own + TWIN_SUFFIX:
        logger.warning(
            "%s is of torchvision's network, whose widths are rounded otherwise; "
            "%s is built.",
            origin,
            found,
        )
        return variant(found).anynet()
    raise ValueError(
        f"These weights are of {found} and not of {own}: build that network, "
        f"RegNet({found!r}, weights=...). Received: weights={origin!r}"
    )


def _check_padding(wanted: str, padding: str, origin: str) -> None:
    if wanted != padding:
        raise ValueError(
            f"These weights belong to a network with padding={wanted!r}: build it so. "
            f"Received: weights={origin!r}, padding={padding!r}"
        )
