#!/usr/bin/env python3
"""Draws what every augmentation makes of your photographs.

scripts/show_augmentations.py --output=augmentations.png a.jpg b.jpg c.jpg d.jpg
"""

import os
from pathlib import Path

from absl import app, flags

_OUTPUT = flags.DEFINE_string(
    "output", "augmentations.png", "The PNG or JPEG to write."
)
_SIZE = flags.DEFINE_integer(
    "size", 112, "Height and width of the images, in pixels.", lower_bound=8
)
_SEED = flags.DEFINE_integer("seed", 0, "Another one, other draws.", lower_bound=0)


def main(argv: list[str]) -> None:
    """Reads the files, augments them and draws the sheet."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from keras_regnet import plots
    from keras_regnet.data.gallery import gallery, sample_photographs
    from keras_regnet.training import command_line

    def show() -> None:
        encoded = [Path(path).read_bytes() for path in argv[1:]]
        encoded = encoded or sample_photographs()
        plots.plot_images(gallery(encoded, _SIZE.value, _SEED.value), _OUTPUT.value)
        print(f"wrote {_OUTPUT.value}")

    command_line.run(show)


if __name__ == "__main__":
    app.run(main)
