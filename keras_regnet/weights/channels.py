"""A first convolution made one for another number of channels."""

import math

import numpy as np


def adapt_input_channels(kernel: np.ndarray, channels: int) -> np.ndarray:
    """The customary rule, as in timm.

    For one channel the kernels of red, green and blue are added, so that a grey image
    gives what it gave as three equal channels with equal statistics. Otherwise red,
    green, blue are repeated in that order, and scaled by `3 / channels`, so that the
    sum stays of the same size. A kernel for one channel is shared out evenly, so that a
    picture without colours gives what it gave in grey.

    Args:
        kernel: `(rows, columns, 3 or 1, filters)`.
        channels: How many the images have.

    Returns:
        `(rows, columns, channels, filters)`; `kernel` itself where it already fits or
        is one for another number than three or one.
    """
    own = kernel.shape[2]
    if own == channels or own not in (1, 3):
        return kernel
    if own == 1:
        return np.repeat(kernel, channels, axis=2) / np.asarray(channels, kernel.dtype)
    if channels == 1:
        return kernel.sum(axis=2, keepdims=True)
    repeated = np.tile(kernel, (1, 1, math.ceil(channels / 3), 1))[:, :, :channels]
    return repeated * np.asarray(3 / channels, kernel.dtype)
