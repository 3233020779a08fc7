"""Plain NumPy forms of the layers, written from their definitions."""

import numpy as np


def convolution(inputs, kernel, stride, pad, dilation=1):
    """Grouped convolution by its definition, one output value at a time's sums."""
    batch, height, width, channels = inputs.shape
    rows, columns, group_width, filters = kernel.shape
    groups = channels // group_width
    group_filters = filters // groups
    padded = np.pad(inputs, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    new_height = (height + 2 * pad - dilation * (rows - 1) - 1) // stride + 1
    new_width = (width + 2 * pad - dilation * (columns - 1) - 1) // stride + 1
    outputs = np.zeros((batch, new_height, new_width, filters))
    for i in range(new_height):
        for j in range(new_width):
            window = padded[
                :,
                i * stride : i * stride + dilation * (rows - 1) + 1 : dilation,
                j * stride : j * stride + dilation * (columns - 1) + 1 : dilation,
            ]
            for group in range(groups):
                inside = slice(group * group_width, (group + 1) * group_width)
                outside = slice(group * group_filters, (group + 1) * group_filters)
                outputs[:, i, j, outside] = np.tensordot(
                    window[..., inside], kernel[..., outside], 3
                )
    return outputs


def batch_norm(inputs, gamma, beta, epsilon, axes):
    """Batch normalisation in training: outputs, mean, unbiased variance."""
    count = np.prod([inputs.shape[axis] for axis in axes])
    mean = inputs.mean(axes, keepdims=True)
    variance = ((inputs - mean) ** 2).mean(axes, keepdims=True)
    outputs = (inputs - mean) / np.sqrt(variance + epsilon) * gamma + beta
    return outputs, mean.ravel(), variance.ravel() * count / max(1, count - 1)
