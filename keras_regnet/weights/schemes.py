"""All sources' names, and which of them a file has."""

from collections.abc import Iterable

from keras_regnet.architecture import checks
from keras_regnet.weights.keras_applications import KERAS_APPLICATIONS
from keras_regnet.weights.pycls import PYCLS
from keras_regnet.weights.scheme import Scheme
from keras_regnet.weights.timm import TIMM
from keras_regnet.weights.torchvision import TORCHVISION

SCHEMES = {
    scheme.name: scheme for scheme in (TIMM, TORCHVISION, PYCLS, KERAS_APPLICATIONS)
}


def scheme_of(names: Iterable[str], source: str | None, origin: str) -> Scheme:
    """The scheme that the names of a file follow.

    Args:
        names: Of the tensors in the file.
        source: What the caller says it is, or None to tell by the names.
        origin: The file, for the message.

    Raises:
        ValueError: The names are of none of the sources, or `source` is none.
    """
    if source is not None:
        return SCHEMES[checks.one_of("source", source, tuple(SCHEMES))]
    names = list(names)
    for scheme in SCHEMES.values():
        if scheme.recognises(names):
            return scheme
    raise ValueError(
        f"The tensors' names are those of no RegNet of {', '.join(SCHEMES)}; the "
        f"first are {', '.join(map(repr, sorted(names)[:3])) or 'none'}. "
        f"Received: {origin}"
    )
