"""Narrow groups of channels brought to the blocks that CPU kernels compute in.

onnxruntime's fast convolutions on a CPU (`NCHWc`) compute blocks of 16 channels with
AVX-512, of 8 with AVX2. A grouped convolution takes part only where the width of a
group is a multiple of that; otherwise it runs as one small matrix product per group,
and every tensor around it is brought into another layout and back. So two groups of 8
channels become one of 16, and two of 24 one of 48, whose kernel has zeros across; and
the channels between the two 1x1 convolutions of the block are filled up with zeros.
The function stays the same; the multiply-adds of the grouped convolutions grow.
Measured on two cores with AVX-512, the files with over those without: RegNetY-400MF
(groups of 8) 0.7 to 0.85, RegNetX-600MF (24) 0.8, RegNetY-1.6GF (24) 0.95.
"""

import math
from typing import Any

import keras
import numpy as np

from keras_regnet.layers import XBlock
from keras_regnet.publishing.copying import copy_model, refill, remake

MOST_MERGED = 4
"""Groups that are merged to one at most: the zeros are multiplied, too."""

WIDEST = 48
"""Channels of a merged group at most: two of 40 as one of 80 are no faster."""

WIDEST_FOR_ONEDNN = 16
"""The same in TensorFlow with oneDNN, whose blocks are no condition: groups of 8 as 16
take 0.95 of the time, in small networks 0.85 to 0.9; of 24 as 48 a little more."""


def block_groups(
    model: keras.Model, block: int = 16, widest: int = WIDEST
) -> keras.Model:
    """Merges narrow groups of grouped convolutions to multiples of `block` channels.

    Args:
        model: A fused model, see `fuse`.
        block: What the channels of a group are to be a multiple of. Groups that would
            become wider than `widest`, and convolutions of which one group would be
            left, stay as they are.
        widest: Channels of a merged group at most.

    Returns:
        A model that computes the same, also fused.
    """

    def make(layer: Any, config: dict[str, Any]) -> Any:
        if isinstance(layer, XBlock) and layer.fused:
            group, width = _blocked(layer, block, widest)
            if group != layer.group_width:
                config = config | {
                    "group_width": group,
                    "bottleneck_ratio": layer.filters / width,
                }
        return remake(layer, config)

    blocked = copy_model(model, make, _fill)
    blocked.trainable = False
    return blocked


def _blocked(layer: XBlock, block: int, widest: int) -> tuple[int, int]:
    """Channels of a group, and of all groups; as they were where they have to stay."""
    width, group = layer.conv2.filters, layer.group_width
    merged = math.lcm(group, block)
    blocked = -(-width // merged) * merged
    few = merged <= min(widest, MOST_MERGED * group)
    return (merged, blocked) if few and 2 * merged <= blocked else (group, width)


def _fill(old: Any, new: Any) -> None:
    if not isinstance(old, XBlock) or old.group_width == new.group_width:
        refill(old, new)
        return
    for old_unit, new_unit in zip(old.layers, new.layers, strict=True):
        if old_unit.name == "conv2":
            kernel, bias = old_unit.conv.get_weights()
            kernel = _block_diagonal(kernel, new_unit.conv.kernel.shape)
            new_unit.conv.set_weights([kernel, _padded(bias, new_unit.filters)])
        else:
            shapes = [value.shape for value in new_unit.get_weights()]
            new_unit.set_weights(
                [
                    _padded(value, *shape)
                    for value, shape in zip(old_unit.get_weights(), shapes, strict=True)
                ]
            )


def _padded(value: np.ndarray, *shape: int) -> np.ndarray:
    """Zeros of a shape with the values in the first corner."""
    result = np.zeros(shape, value.dtype)
    result[tuple(slice(size) for size in value.shape)] = value
    return result


def _block_diagonal(kernel: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A grouped kernel in wider groups; between those that were apart it is zero."""
    result = np.zeros(shape, kernel.dtype)
    group, block = kernel.shape[2], shape[2]
    for start in range(0, kernel.shape[3], group):
        row = start % block
        filters = slice(start, start + group)
        result[:, :, row : row + group, filters] = kernel[..., filters]
    return result
