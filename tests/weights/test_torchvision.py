"""torchvision's 15 architectures, one of which is too large to be built here."""

import gc

import keras
import numpy as np
import pytest

import keras_regnet
from keras_regnet.architecture import canonical_name
from tests.torch_peer import logits, relative_difference, timm
from tests.weights.files import photographs, randomise_statistics

pytestmark = pytest.mark.peers

SMALL = ["x_400mf", "y_400mf"]
LARGE = ["x_800mf", "x_1_6gf", "y_800mf", "y_1_6gf"]
LARGE += [f"{f}_{size}" for f in "xy" for size in ("3_2gf", "8gf", "16gf", "32gf")]


def random_model(name):
    timm()
    import torch
    from torchvision import models

    torch.manual_seed(3)
    return getattr(models, f"regnet_{name}")()


def compare(name, path):
    theirs = random_model(name)
    import torch
    from torchvision import models

    transform = models.get_model_weights(f"regnet_{name}").IMAGENET1K_V2.transforms()
    batch = [transform(image).numpy().transpose(1, 2, 0) for image in photographs()]
    images = np.stack(batch)
    randomise_statistics(theirs, images)
    torch.save(theirs.state_dict(), path)
    # The name of the paper's network: the twin is built where the file needs it.
    paper = canonical_name(f"regnet_{name}").removesuffix("-torchvision")
    ours = keras_regnet.RegNet(paper, weights=path, classifier_activation=None)
    path.unlink()
    twin = canonical_name(f"regnet_{name}").endswith("-torchvision")
    assert ours.name.endswith("_torchvision") == twin
    expected = logits(theirs, images)
    assert np.ptp(expected, axis=0).max() > 0.05 * np.abs(expected).max()
    difference = relative_difference(ours.predict(images, verbose=0), expected)
    print(f"| regnet_{name} | {np.abs(expected).max():.3f} | {difference:.1e} |")
    assert difference < 1e-4
    keras.backend.clear_session()
    gc.collect()


@pytest.mark.real_data
@pytest.mark.parametrize("name", SMALL)
def test_logits_equal_torchvisions(name, tmp_path):
    compare(name, tmp_path / "model.pth")


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("name", LARGE)
def test_logits_equal_torchvisions_large(name, tmp_path):
    compare(name, tmp_path / "model.pth")


def test_the_largest_has_torchvisions_tensors(monkeypatch):
    """regnet_y_128gf on torch's meta device: all names and shapes, without numbers."""
    timm()
    import torch
    from torchvision.models import regnet

    from keras_regnet.weights.torchvision import TORCHVISION

    network_class = regnet.RegNet

    def without_numbers(*arguments, **options):
        with torch.device("meta"):
            return network_class(*arguments, **options)

    monkeypatch.setattr(regnet, "RegNet", without_numbers)
    theirs = {
        key: tuple(value.shape)
        for key, value in regnet.regnet_y_128gf().state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    network = keras_regnet.variant("regnet_y_128gf").anynet()
    ours = {}
    for path, shape in shapes(network):
        array = np.broadcast_to(np.float32(0), shape)
        ours[TORCHVISION.key(path)] = tuple(
            shape[i] for i in {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[array.ndim]
        )
    assert ours == theirs


def shapes(network):
    """Path and shape of every variable, from the numbers."""

    def unit(path, *kernel):
        yield f"{path}/conv/kernel", kernel
        for name in ("gamma", "beta", "moving_mean", "moving_variance"):
            yield f"{path}/bn/{name}", kernel[-1:]

    yield from unit("stem", 3, 3, 3, network.stem_width)
    for block in network.blocks():
        inner, squeezed = block.bottleneck_width, block.squeeze_excite_width
        yield from unit(f"{block.name}/conv1", 1, 1, block.width_in, inner)
        yield from unit(f"{block.name}/conv2", 3, 3, inner // block.groups, inner)
        for name, a, b in (("fc1", inner, squeezed), ("fc2", squeezed, inner)):
            yield f"{block.name}/se/{name}/kernel", (1, 1, a, b)
            yield f"{block.name}/se/{name}/bias", (b,)
        yield from unit(f"{block.name}/conv3", 1, 1, inner, block.width)
        if block.has_projection:
            yield from unit(
                f"{block.name}/downsample", 1, 1, block.width_in, block.width
            )
    yield "head_fc/kernel", (network.widths[-1], 1000)
    yield "head_fc/bias", (1000,)
