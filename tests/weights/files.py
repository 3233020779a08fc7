"""Files of weights as other libraries write them, and photographs to compare on."""

import re

import numpy as np

from tests.real_data import real_data
from tests.torch_peer import random_timm_model, timm

# Of both kinds, with groups of different widths.
SMALL_VARIANTS = ["regnetx_002", "regnety_006"]
ALL_VARIANTS = [
    f"regnet{family}_{code}"
    for family in "xy"
    for code in (
        *("002", "004", "006", "008", "016", "032"),
        *("040", "064", "080", "120", "160", "320"),
    )
]
LARGE_VARIANTS = [name for name in ALL_VARIANTS if name not in SMALL_VARIANTS]


def photographs(count=4):
    """Pillow images, of different sizes: some in colour, or all, grey ones too."""
    paths = sorted(real_data("imagenet_samples").glob("*.JPEG"))
    from PIL import Image

    images = [Image.open(path) for path in paths]
    if count is None:
        return [image.copy() for image in images]
    colour = [image for image in images if image.mode == "RGB"]
    return [image.copy() for image in colour[:: len(colour) // count][:count]]


def prepared_by_timm(model, images):
    """The images after timm's own preprocessing, channels last."""
    timm()
    from timm.data import create_transform, resolve_data_config

    transform = create_transform(**resolve_data_config({}, model=model))
    images = [image.convert("RGB") for image in images]
    batch = [transform(image).numpy().transpose(1, 2, 0) for image in images]
    return np.stack(batch)


def randomise_statistics(model, images):
    """Gives every batch normalisation of a torch model random affines and statistics.

    The statistics are those of what reaches the layer, changed at random by up to a
    half, one layer after the other. Wholly random ones make a deep network so
    ill-conditioned that its float32 outputs differ from its own float64 ones by 1e-3
    (timm's regnety_064).

    Args:
        model: The network.
        images: Normalised, channels last.

    Returns:
        The model, evaluating.
    """
    import torch

    def randomise(norm, inputs):
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.normal_(norm.bias, std=0.2)
        variance, mean = torch.var_mean(inputs[0], (0, 2, 3))
        noise = 0.3 * variance.sqrt() * torch.randn_like(mean)
        norm.running_mean.copy_(mean + noise)
        norm.running_var.copy_(
            variance * torch.empty_like(mean).uniform_(0.5, 1.5) + 1e-3
        )

    hooks = [
        module.register_forward_pre_hook(randomise)
        for module in model.modules()
        if isinstance(module, torch.nn.BatchNorm2d)
    ]
    with torch.no_grad():
        model.eval()(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
    for hook in hooks:
        hook.remove()
    return model


def write_safetensors(model, path):
    """Writes a torch model's state dict as timm does."""
    from safetensors.torch import save_file

    save_file(model.state_dict(), path)
    return path


def official_names(state):
    """A timm state dict under the names of the official code (pycls, blocks.py)."""
    renamed = {}
    for key, value in state.items():
        for pattern, name in (
            (r"\.downsample\.conv\.", ".proj."),
            (r"\.downsample\.bn\.", ".bn."),
            (r"\.se\.fc1\.", ".f.se.f_ex.0."),
            (r"\.se\.fc2\.", ".f.se.f_ex.2."),
        ):
            key = re.sub(pattern, name, key)
        for number, letter in ((1, "a"), (2, "b"), (3, "c")):
            key = key.replace(f".conv{number}.conv.", f".f.{letter}.")
            key = key.replace(f".conv{number}.bn.", f".f.{letter}_bn.")
        renamed[key] = value
    return renamed


def write_official(name, path, **more):
    """A checkpoint as pycls writes it; returns the timm network with its weights."""
    import torch

    model = random_timm_model(name)
    checkpoint = {
        "epoch": 99,
        "test_err": 29.6,
        "ema_err": 29.5,
        "model_state": official_names(model.state_dict()),
        "optimizer_state": {"state": {}, "param_groups": [{"lr": 0.1}]},
        "cfg": "MODEL:\n  TYPE: regnet\n",
    }
    torch.save(checkpoint | more, path)
    return model
