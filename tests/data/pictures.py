"""Pictures for the tests of augmentations: smooth, noisy, flat and grey ones."""

import numpy as np


def pictures(height=31, width=37, channels=3):
    """Four images, uint8 `(4, height, width, channels)`."""
    random = np.random.default_rng(5)
    rows, columns = np.mgrid[:height, :width]
    waves = [
        128 + 90 * np.sin(rows / (5 + channel)) * np.cos(columns / (9 - channel))
        for channel in range(channels)
    ]
    smooth = np.stack(waves, axis=-1)
    noise = random.integers(0, 256, (height, width, channels))
    faint = smooth / 4 + 60
    flat = np.full_like(smooth, 77)
    return np.stack((smooth, noise, faint, flat)).astype(np.uint8)
