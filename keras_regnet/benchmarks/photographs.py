"""JPEG files that cost what ImageNet's cost to decode, made up."""

from pathlib import Path

import numpy as np

WIDTH, HEIGHT = 500, 375
"""Pixels of ImageNet's most frequent size."""

_DISTINCT = 32
_CLASSES = 4


def write_photographs(root: Path, count: int) -> int:
    """Writes an image folder with the parts train and val.

    Clouds of several scales and a little grain: at quality 90 a file has about 65 KB,
    as ImageNet's have on average at this size. 32 pictures are drawn, and written as
    often as it takes.

    Args:
        root: The folder to fill, `root/<part>/<class>/<number>.jpg`.
        count: Files in each part.

    Returns:
        The mean number of bytes of a file.
    """
    import tensorflow as tf

    rng = np.random.default_rng(0)
    drawn = [
        tf.io.encode_jpeg(_photograph(rng), quality=90).numpy()
        for _ in range(min(_DISTINCT, count))
    ]
    for part in ("train", "val"):
        for number in range(count):
            folder = root / part / f"class{number % _CLASSES}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number:05}.jpg").write_bytes(drawn[number % len(drawn)])
    return sum(map(len, drawn)) // len(drawn)


def _photograph(rng: np.random.Generator) -> np.ndarray:
    """Noise of 2 to 256 cells over the width, the fine the fainter; uint8."""
    import tensorflow as tf

    image = np.full((HEIGHT, WIDTH, 3), 128, np.float32)
    for octave in range(1, 9):
        cells = 2**octave
        noise = rng.standard_normal((cells * HEIGHT // WIDTH + 2, cells, 3))
        scale = 60 * cells**-0.45
        image += scale * tf.image.resize(noise, (HEIGHT, WIDTH), "bicubic").numpy()
    image += rng.normal(0, 5, (HEIGHT, WIDTH, 1))
    return np.clip(image, 0, 255).astype(np.uint8)
