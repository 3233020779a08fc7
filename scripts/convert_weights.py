#!/usr/bin/env python3
"""Converts weights of timm, torchvision, pycls or keras.applications to a .keras file.

For example:

  scripts/convert_weights.py --input=model.safetensors --output=regnety_032.keras
  scripts/convert_weights.py --source=pycls --input=RegNetX-200MF_dds_8gpu.pyth \
      --output=x200.keras --images=some/photographs
  scripts/convert_weights.py --input=timm/regnety_032.ra_in1k --output=ra.keras

Where the source's library is installed, its outputs for sample images stand beside ours
in a table, and nothing is written if they differ by more than --tolerance.
"""

import contextlib
import os
import sys
from pathlib import Path

from absl import app, flags

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Triton, which CUDA builds of torch load, ends the process where TensorFlow was first.
with contextlib.suppress(ImportError):
    import triton  # noqa: F401

_SOURCE = flags.DEFINE_enum(
    "source",
    "auto",
    ["auto", "timm", "torchvision", "pycls", "keras_applications"],
    "Whose names the file's tensors have; auto tells by the names.",
)
_INPUT = flags.DEFINE_string(
    "input",
    None,
    "A file ending in .safetensors, .pth, .pyth, .pt, .bin or .h5; or the name of a "
    "published set, which is downloaded.",
)
_OUTPUT = flags.DEFINE_string("output", None, "The .keras file to write.")
_MODEL = flags.DEFINE_string(
    "model", None, "The network, by any customary name. By default the tensors tell."
)
_INCLUDE_PREPROCESSING = flags.DEFINE_boolean(
    "include_preprocessing",
    False,
    "Whether the model itself scales and normalises pixels of 0 to 255.",
)
_CHANNEL_ORDER = flags.DEFINE_enum(
    "channel_order",
    None,
    ["rgb", "bgr"],
    "Of the images that the file's first convolution takes. By default bgr for pycls, "
    "whose FFCV loader however made it rgb, and rgb for all others.",
)
_AVERAGED = flags.DEFINE_boolean(
    "averaged", False, "Take the averaged weights of a torch file that has both."
)
_ACCEPT_LICENSE = flags.DEFINE_boolean(
    "accept_license", False, "Needed for published weights that are not permissive."
)
_IMAGES = flags.DEFINE_string(
    "images", None, "Folder of pictures to compare on. By default four random images."
)
_TOLERANCE = flags.DEFINE_float(
    "tolerance",
    1e-4,
    "The largest difference of an output that is allowed, over the largest output.",
    lower_bound=0.0,
)

flags.mark_flags_as_required(["input", "output"])


def _convert() -> None:
    from keras_regnet import RegNet, weights
    from keras_regnet.benchmarks import peers
    from keras_regnet.files import replacing

    output = Path(_OUTPUT.value)
    if output.suffix != ".keras" or not output.parent.is_dir():
        raise ValueError(
            "--output must be a .keras file in a folder that exists. "
            f"Received: --output={output}"
        )
    read = weights.read(
        _INPUT.value,
        source=None if _SOURCE.value == "auto" else _SOURCE.value,
        channel_order=_CHANNEL_ORDER.value,
        averaged=_AVERAGED.value,
        accept_license=_ACCEPT_LICENSE.value,
    )
    if read.scheme is None:
        raise ValueError(
            f"This is a file of keras_regnet already. Received: --input={_INPUT.value}"
        )
    name = _MODEL.value or read.architecture
    if name is None:
        raise ValueError(
            "The tensors are of no published network; other ones are filled in Python, "
            f"keras_regnet.weights.load_weights. Received: --input={_INPUT.value}"
        )
    model = RegNet(
        name,
        weights=read,
        classes=read.classes or 1000,
        include_top=bool(read.classes),
        include_preprocessing=_INCLUDE_PREPROCESSING.value,
        padding=read.scheme.padding,
    )
    peers.timm()
    _verify(model, read)
    with replacing(output) as temporary:
        model.save(temporary)
    print(f"{output}: {model.name}, {model.count_params():,} numbers")


def _verify(model: object, read: object) -> None:
    """Prints the table; a ValueError where the outputs differ."""
    from keras_regnet.weights import verification

    titles, images = _images(read.preprocessing)
    try:
        rows = verification.compare_with_source(model, read, images)
    except verification.NotVerifiable as reason:
        print(f"Not compared with the source: {reason}.")
        return
    width = max(len(title) for title in titles)
    print(f"{'image':<{width}}  largest output  difference  relative  same class")
    for title, row in zip(titles, rows, strict=True):
        print(
            f"{title:<{width}}  {row.largest:14.4f}  {row.difference:10.1e}  "
            f"{row.relative:8.1e}  {'yes' if row.same_top else 'no'}"
        )
    worst = max(row.relative for row in rows)
    if not worst <= _TOLERANCE.value:
        raise ValueError(
            f"The outputs differ from {read.scheme.name}'s, and nothing was written. "
            f"Received: a relative difference of {worst:.1e}, "
            f"--tolerance={_TOLERANCE.value:g}"
        )


def _images(specification: object) -> tuple[list[str], object]:
    """Titles of images, and the images as the network takes them."""
    import numpy as np

    from keras_regnet.preprocessing.pictures import normalized, resize_and_crop

    if _IMAGES.value is None:
        size = specification.image_size
        images = np.random.default_rng(0).normal(size=(4, size, size, 3))
        return [f"random {i}" for i in range(4)], images.astype(np.float32)
    paths = sorted(
        path
        for path in Path(_IMAGES.value).glob("*")
        if path.suffix.lower() in (".jpg", ".jpeg", ".png")
    )[:16]
    if not paths:
        raise ValueError(
            "--images must be a folder with .jpg, .jpeg or .png files. "
            f"Received: --images={_IMAGES.value}"
        )
    pixels = np.stack([resize_and_crop(path, specification) for path in paths])
    return [path.name for path in paths], normalized(pixels, specification)


def main(argv: list[str]) -> None:
    """Converts."""
    from keras_regnet.training import command_line

    if argv[1:]:
        print(f"Flags only. Received: {argv[1:]}", file=sys.stderr)
        sys.exit(2)
    command_line.run(_convert)


if __name__ == "__main__":
    app.run(main)
