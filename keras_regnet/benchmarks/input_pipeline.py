"""Batches of JPEGs: our tf.data pipelines beside torchvision's DataLoader."""

import contextlib
import functools
import itertools
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from keras_regnet.benchmarks import fresh_process
from keras_regnet.benchmarks.alternation import Case, alternate
from keras_regnet.benchmarks.comparison import Comparison

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HERE = "keras_regnet.benchmarks.input_pipeline"

POLICIES = ("none", "randaugment", "trivialaugment")
"""The policies that both sides know, with the same tables and interpolation."""


def input_pipeline(
    rounds: int,
    peers: Sequence[str] = ("torchvision",),
    absent: Mapping[str, str] | None = None,
    *,
    image_size: int = 224,
    batch_size: int = 32,
    images: int = 2048,
    workers: int = 2,
    policies: Sequence[str] = POLICIES,
) -> list[Comparison]:
    """Seconds to read, decode, crop and normalise an epoch of made-up photographs.

    Training is a random-resized-crop and a flip, and where a policy is named its
    operations on the crop; evaluation the centre of the resized image. Files are in
    the page cache. torch's side runs in a process of its own, since its workers are
    forks; the epoch's start is counted, the making of dataset and loader is not.

    Args:
        rounds: How often the cases alternate.
        peers: `"torchvision"` for its v2 transforms on Pillow under a DataLoader.
        absent: Peers that are known not to be there, and why.
        image_size: Pixels along both sides.
        batch_size: Images in a batch.
        images: Files, each read once an epoch.
        workers: Processes of the DataLoader; tf.data takes as many threads as it likes.
        policies: Some of `POLICIES`, each a training of its own.

    Returns:
        Training with each policy, and evaluation.
    """
    from keras_regnet.benchmarks.photographs import write_photographs

    comparisons = []
    images = max(1, images // batch_size) * batch_size
    with tempfile.TemporaryDirectory() as folder:
        size = write_photographs(Path(folder), images)
        arguments = {
            "folder": folder,
            "image_size": image_size,
            "batch_size": batch_size,
        }
        parts = [("training", policy) for policy in policies]
        for part, policy in (*parts, ("evaluation", "none")):
            case = {**arguments, "training": part == "training", "policy": policy}
            theirs = fresh_process.serve(
                f"{_HERE}:torch_epoch", {**case, "workers": workers}, lean=True
            )
            name = f"torchvision, {workers} workers"
            builders = {"keras_regnet": functools.partial(_our_epoch, **case)}
            what = part if policy == "none" else f"{part} with {policy}"
            with theirs if "torchvision" in peers else contextlib.nullcontext() as ask:
                if ask:
                    builders[name] = lambda ask=ask: ask
                comparisons.append(
                    alternate(
                        f"input for {what}, {image_size}x{image_size}, "
                        f"batch {batch_size}",
                        builders,
                        {"torchvision": [name]},
                        rounds,
                        absent=absent,
                        setting={
                            "kind": "input",
                            "part": part,
                            "policy": policy,
                            "image_size": image_size,
                            "batch_size": batch_size,
                            "images": images,
                            "bytes_of_a_file": size,
                        },
                    )
                )
    return comparisons


def _our_epoch(
    folder: str, image_size: int, batch_size: int, training: bool, policy: str
) -> Case:
    """Epochs of our pipeline, each another one."""
    from keras_regnet import data

    loaded = data.load(
        data.DataConfig(
            f"folder:{folder}",
            image_size=image_size,
            batch_size=batch_size,
            augment="random_resized_crop",
            flip=True,
            auto_augment=policy,
            normalize=True,
            mean=_MEAN,
            std=_STD,
        )
    )
    epochs = itertools.count()

    def case() -> float:
        batches = loaded.train(next(epochs)) if training else loaded.validation()
        start = time.perf_counter()
        for _ in batches:
            pass
        return time.perf_counter() - start

    return case


def torch_epoch(
    folder: str,
    image_size: int,
    batch_size: int,
    training: bool,
    policy: str,
    workers: int,
) -> Case:
    """Epochs of torchvision's; for a process without TensorFlow."""
    from keras_regnet.benchmarks import peers

    peers.timm()
    import torch
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    crop = (
        [v2.RandomResizedCrop(image_size), v2.RandomHorizontalFlip()]
        if training
        else [v2.Resize(round(image_size / 0.875)), v2.CenterCrop(image_size)]
    )
    policies = {"randaugment": v2.RandAugment, "trivialaugment": v2.TrivialAugmentWide}
    if policy in policies:
        crop.append(policies[policy]())
    rest = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    transform = v2.Compose([*crop, *rest, v2.Normalize(_MEAN, _STD)])
    loader = torch.utils.data.DataLoader(
        ImageFolder(f"{folder}/{'train' if training else 'val'}", transform),
        batch_size=batch_size,
        shuffle=training,
        num_workers=workers,
        persistent_workers=True,
        drop_last=True,
    )

    def case() -> float:
        start = time.perf_counter()
        for _ in loader:
            pass
        return time.perf_counter() - start

    return case
