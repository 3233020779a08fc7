"""A study of tiny networks as a program of its own, for tests that kill it.

    python -m tests.design_space.tiny_study STUDY --workers=2 [--networks=6]

Prints "open" once the study is open, and "done" at its end.
"""

import argparse
import sys

from keras_regnet import AnyNetParameters, Stage
from keras_regnet.design_space.live_table import LiveTable
from keras_regnet.design_space.population import train_population
from keras_regnet.design_space.regime import Regime
from keras_regnet.design_space.study import Study

SHAPE, CLASSES = (8, 8, 1), 10


def regime(**fields):
    """The embedded digits at their own 8 x 8 pixels: a second or two per network."""
    return Regime(
        **{
            "data": "digits",
            "image_size": 8,
            "train_images": 256,
            "batch_size": 64,
            "epochs": 2,
            **fields,
        }
    )


def networks(count, first=0):
    """Different networks of two stages."""
    return [
        AnyNetParameters(
            (Stage(1, 8, 1, 8), Stage(1 + i % 2, 16 + 8 * (i // 2), 2, 8)),
            stem="small",
            stem_width=8,
        )
        for i in range(first, first + count)
    ]


def add(study, count, space="A", first=0, **arguments):
    """Adds so many tiny networks."""
    sampling = {"seed": 0, "space": space}
    arguments = {"input_shape": SHAPE, "classes": CLASSES, **arguments}
    return study.add(space, networks(count, first), sampling, **arguments)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("study")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--networks", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--address")
    arguments = parser.parse_args()
    with Study.open(arguments.study, regime(epochs=arguments.epochs)) as study:
        add(study, arguments.networks)
        print("open", flush=True)
        train_population(
            study,
            workers=arguments.workers,
            address=arguments.address,
            table=LiveTable(sys.stderr),
        )
    print("done", flush=True)


if __name__ == "__main__":
    main()
