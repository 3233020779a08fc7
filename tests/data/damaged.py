"""Small image files, good and damaged."""

import numpy as np
import tensorflow as tf


def jpeg(brightness):
    image = np.full((24, 28, 3), brightness, np.uint8)
    return tf.io.encode_jpeg(image, quality=100).numpy()


def truncated():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    encoded = tf.io.encode_jpeg(noise).numpy()
    return encoded[: len(encoded) // 2]


def huge_png():
    small = tf.io.encode_png(np.zeros((8, 8, 3), np.uint8)).numpy()
    side = (30_000).to_bytes(4, "big")
    return small[:16] + side + side + small[24:]


def huge_jpeg():
    encoded = jpeg(0)
    at = encoded.index(b"\xff\xc0") + 5
    side = (30_000).to_bytes(2, "big")
    return encoded[:at] + side + side + encoded[at + 4 :]
