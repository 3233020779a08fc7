"""Every augmentation on the same photographs, to be looked at."""

from collections.abc import Sequence
from importlib import resources
from typing import Any

import numpy as np
import tensorflow as tf

from keras_regnet.data import transforms
from keras_regnet.data.augmentation import Augmentation
from keras_regnet.data.config import DataConfig
from keras_regnet.data.mixing import draw_mixing, mix, partners
from keras_regnet.optional import require

_BILINEAR = {"auto_augment_interpolation": "bilinear"}
_ROWS: dict[str, dict[str, Any]] = {
    "flip": {},
    "pad_crop": {},
    "randaugment": {"auto_augment": "randaugment", **_BILINEAR},
    "randaugment, timm": {
        "auto_augment": "randaugment",
        "randaugment_space": "timm_increasing",
        "randaugment_magnitude_std": 0.5,
        "auto_augment_fill": 116,
        **_BILINEAR,
    },
    "autoaugment": {"auto_augment": "autoaugment", **_BILINEAR},
    "trivialaugment": {"auto_augment": "trivialaugment", **_BILINEAR},
    "colour_jitter 0.4": {"colour_jitter": 0.4},
    "pca_lighting 0.1": {"pca_lighting": 0.1},
    "random_erasing, zero": {"random_erasing": 1.0},
    "random_erasing, noise": {"random_erasing": 1.0, "erasing_mode": "noise"},
    "mixup 0.8": {"mixup_alpha": 0.8},
    "cutmix 1.0": {"cutmix_alpha": 1.0},
}


def sample_photographs(repeats: int = 3) -> list[bytes]:
    """The two photographs that come with scikit-learn, in turn.

    A Chinese temple by danielbuechele and a flower by vultilion, both CC BY 2.0.

    Raises:
        ImportError: scikit-learn is missing.
    """
    require("sklearn.datasets", "train")
    folder = resources.files("sklearn.datasets.images")
    both = [(folder / name).read_bytes() for name in ("china.jpg", "flower.jpg")]
    return both * repeats


def gallery(
    encoded: Sequence[bytes], size: int = 112, seed: int = 0
) -> dict[str, list[np.ndarray]]:
    """Augments photographs in every way that there is.

    Args:
        encoded: The bytes of image files.
        size: Height and width of the results.
        seed: Of all draws.

    Returns:
        The name of each augmentation, and what it made of the photographs, uint8
        `(size, size, 3)`: the middle of each, and a random crop of it, first.
    """
    area, aspect = DataConfig().crop_area, DataConfig().crop_aspect
    whole = tf.stack(
        [transforms.decode_centre_crop(one, size, 0.875) for one in encoded]
    )
    crops = [
        transforms.decode_random_crop(
            one, transforms.fold((seed, 0), place), size, area, aspect
        )
        for place, one in enumerate(encoded)
    ]
    rows = {"as it is": whole, "random_resized_crop": tf.stack(crops)}
    for number, (name, fields) in enumerate(_ROWS.items(), 1):
        augmentation = Augmentation(
            DataConfig(**fields),
            kind="pad_crop" if name == "pad_crop" else "none",
            flip=name == "flip",
            pad=size // 8,
            image_shape=(size, size, 3),
            same_size=False,
        )
        config, row_seed = augmentation.config, np.array((seed, number), np.int32)
        rows[name] = augmentation(whole, row_seed)
        if config.mixed:
            drawn = draw_mixing(row_seed, config.mixup_alpha, config.cutmix_alpha, 1.0)
            count = len(encoded)
            rows[name], _ = mix(
                rows[name], tf.zeros(count, tf.int32), drawn, partners(count), 1
            )
    return {
        name: list(transforms.to_uint8(tf.clip_by_value(images, 0.0, 255.0)).numpy())
        for name, images in rows.items()
    }
