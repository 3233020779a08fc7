"""How long the endpoints of a published model take, for its card."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from keras_regnet import provenance

_ROUNDS = 10
_WARM_UP = 2
BATCHES = (1, 32)


def milliseconds_per_image(
    functions: Mapping[str, Callable[[tf.Tensor], Any]], shape: tuple[int, int, int]
) -> dict[str, Any]:
    """Times functions of images in turn, so that a busy machine is busy for all.

    Args:
        functions: By name.
        shape: Height, width and channels.

    Returns:
        JSON types: `machine`, and `batches`: for each of `BATCHES` the functions'
        shortest times in milliseconds per image, the first calls not counted.
    """
    batches = {}
    for size in BATCHES:
        images = tf.constant(
            np.random.RandomState(0).randint(0, 256, (size, *shape)), tf.float32
        )
        best = dict.fromkeys(functions, float("inf"))
        for turn in range(_ROUNDS + _WARM_UP):
            for name, function in functions.items():
                begin = time.perf_counter()
                tf.nest.map_structure(np.asarray, function(images))
                if turn >= _WARM_UP:
                    best[name] = min(best[name], time.perf_counter() - begin)
        batches[str(size)] = {
            name: float(f"{1000 * seconds / size:.3g}")
            for name, seconds in best.items()
        }
    return {"machine": _machine(), "batches": batches}


def _machine() -> str:
    """The GPU, or the processor and how many of its cores this process may use."""
    if gpus := tf.config.get_visible_devices("GPU"):
        details = tf.config.experimental.get_device_details(gpus[0])
        return str(details.get("device_name", "GPU"))
    cores = provenance.cores()
    return f"{provenance.processor_name()}, {cores} core{'s' * (cores != 1)}"
