"""A first convolution for colours made one for another number of channels."""

import math

import numpy as np


def adapt_input_channels(kernel: np.ndarray, channels: int) -> np.ndarray:
    """The customary rule, as in timm.

    For one channel the kernels of red, green and blue are added, so that a grey image
    gives what it gave as three equal channels with equal statistics. Otherwise red,
    green, blue are repeated in that order, and scaled by `3 / channels`, so that the
    sum stays of the same size.

    Args:
        kernel: `(rows, columns, 3, filters)`.
        channels: How many the images have.

    Returns:
        `(rows, columns, channels, filters)`; `kernel` itself where it already fits or
        is not one for three channels.
    """
    own = kernel.shape[2]
    if own == channels or own != 3:
        return kernel
    if channels == 1:
        return kernel.sum(axis=2, keepdims=True)
    repeated = np.tile(kernel, (1, 1, math.ceil(channels / 3), 1))[:, :, :channels]
    return repeated * np.asarray(3 / channels, kernel.dtype)
