"""The packages that we compare ourselves with, where they are installed."""

import functools
from types import ModuleType


@functools.cache
def timm() -> ModuleType | None:
    """timm, or None where it or torch is not installed.

    Beside a CPU build of torch, torchvision's compiled operators may not load, and
    timm imports torchvision. For the networks it is enough that the two operators
    which torchvision's Python files refer to are declared.
    """
    try:
        import torch
    except ImportError:
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(
                f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )
    try:
        import timm
    except ImportError:
        return None
    timm.declared_operators = library  # The declarations live as long as it does.
    return timm


def torch_networks() -> str:
    """The versions of the peers, for a report."""
    peer = timm()
    if peer is None:
        return "torch and timm are not installed"
    import torch

    return f"torch {torch.__version__}, timm {peer.__version__}"
