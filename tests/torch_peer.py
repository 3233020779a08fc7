"""The torch peers, and weights carried over from them, for the tests marked peers."""

import re

import numpy as np
import pytest

from keras_regnet.benchmarks import peers


def timm():
    """timm, or the test skips."""
    found = peers.timm()
    if found is None:
        pytest.skip("torch or timm is not installed")
    return found


def random_timm_model(name, seed=0, **arguments):
    """A timm network whose batch normalisation statistics and affines are random."""
    peer = timm()
    import torch

    torch.manual_seed(seed)
    model = peer.create_model(name, pretrained=False, **arguments).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.2)
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.5, 1.5)
    return model


_NAMES = {
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def carry_over(torch_model, keras_model):
    """Copies every weight by renaming; both sides must be used up."""
    targets = {variable.path: variable for variable in keras_model.variables}
    for key, value in torch_model.state_dict().items():
        if key.endswith("num_batches_tracked"):
            continue
        *scope, leaf = key.split(".")
        path = re.sub(r"^s(\d)/b(\d+)", r"s\1_b\2", "/".join(scope))
        path = path.replace("head/fc", "head_fc")
        if leaf == "weight":
            leaf = "gamma" if scope[-1] == "bn" else "kernel"
        elif leaf == "bias":
            leaf = "beta" if scope[-1] == "bn" else "bias"
        value = value.detach().numpy()
        if value.ndim == 4:
            value = value.transpose(2, 3, 1, 0)
        elif value.ndim == 2:
            value = value.T
        targets.pop(f"{path}/{_NAMES.get(leaf, leaf)}").assign(value)
    assert not targets, f"not filled: {sorted(targets)}"


def logits(torch_model, images):
    """The torch model's outputs for channels-last images."""
    import torch

    with torch.no_grad():
        return torch_model(
            torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
        ).numpy()


def relative_difference(ours, theirs):
    """The largest difference over the largest magnitude."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())
