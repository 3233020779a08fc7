"""Augmentation on the accelerator: the rules of `keras_regnet.data`, compiled by JAX.

Every draw is a function of a key and of what it is for; the rules are those of
`data.transforms`, `data.erasing` and `data.mixing`, the random numbers are JAX' own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from keras_regnet.data.config import LEAST_ALPHA, DataConfig
from keras_regnet.preprocessing import channel_statistics

if keras.backend.backend() == "jax":
    import jax
    from jax import lax
    from jax import numpy as jnp

_OFFSETS, _FLIPS, _CROPS, _BOXES, _NOISE, _MIXING, _LAMBDA = range(7)
_TRIES = 10
_ERASED_AREA = (0.02, 1 / 3)
_ERASED_RATIO = (0.3, 1 / 0.3)  # of height to width


@dataclass(frozen=True)
class ResidentAugment:
    """What is done to a batch of training images.

    Attributes:
        config: The configuration.
        kind: `config.augment`, with `"auto"` resolved.
        flip: Whether images are mirrored at random.
        pad: Pixels of padding of a pad-crop.
        image_shape: (height, width, channels) of the result.
        classes: Number of classes.
    """

    config: DataConfig
    kind: str
    flip: bool
    pad: int
    image_shape: tuple[int, int, int]
    classes: int

    def __call__(
        self, key: jax.Array, images: jax.Array, labels: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Augments a batch and resizes it to the final size.

        Args:
            key: A key of JAX.
            images: uint8 `(n, height, width, channels)`.
            labels: int32 `(n,)`.

        Returns:
            float32 `(n, *image_shape)` of 0 to 255, and the labels: the same, or where
            images are mixed the share of each class, float32 `(n, classes)`.
        """
        config, count = self.config, len(images)

        def of(number: int) -> jax.Array:
            return jax.random.fold_in(key, number)

        if self.kind.startswith("pad_crop") and self.pad:
            images = pad_crop(of(_OFFSETS), images, self.pad)
        if self.flip:
            flips = jax.random.bernoulli(of(_FLIPS), shape=(count, 1, 1, 1))
            images = jnp.where(flips, images[:, :, ::-1], images)
        if self.kind == "random_resized_crop":
            sides = images.shape[1:3]
            boxes = crop_boxes(
                of(_CROPS), count, *sides, config.crop_area, config.crop_aspect
            )
            images = crop_and_resize(images, boxes, self.image_shape[0])
        images = resize(images, *self.image_shape[:2])
        if config.random_erasing:
            images = self._erase(of, images)
        if config.mixed:
            images, labels = self._mix(of, images, labels)
        return images, labels

    def _erase(self, of: Callable[[int], jax.Array], images: jax.Array) -> jax.Array:
        """Overwrites a rectangle of each image with the mean, or with noise."""
        config, (height, width, channels) = self.config, self.image_shape
        boxes = erased_boxes(
            of(_BOXES), len(images), height, width, config.random_erasing
        )
        mean, std = (
            255 * np.asarray(own or default, np.float32)
            for own, default in zip(
                (config.mean, config.std), channel_statistics(channels), strict=True
            )
        )
        new = jnp.asarray(mean)
        if config.erasing_mode == "noise":
            noise = jax.random.normal(of(_NOISE), images.shape, jnp.float32)
            new = new + noise * std
        return jnp.where(inside(boxes, height, width), new, images)

    def _mix(
        self, of: Callable[[int], jax.Array], images: jax.Array, labels: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Mixup or CutMix of each image with its neighbour, one share for a batch."""
        config, (height, width, _) = self.config, self.image_shape
        draws = jax.random.uniform(of(_MIXING), (4,), jnp.float32)
        cut = draws[0] < (0.5 if config.mixup_alpha else 1.0)
        cut &= config.cutmix_alpha > 0
        alpha = jnp.where(cut, config.cutmix_alpha, config.mixup_alpha)
        alpha = jnp.maximum(alpha, LEAST_ALPHA).astype(jnp.float32)
        share = jax.random.beta(of(_LAMBDA), alpha, alpha, (), jnp.float32)
        share = jnp.where(draws[1] < config.mix_probability, share, 1.0)
        sides = jnp.array((height, width), jnp.float32)
        half = jnp.floor(0.5 * jnp.sqrt(1.0 - share) * sides)
        middle = jnp.floor(draws[2:] * sides)
        start = jnp.maximum(middle - half, 0.0)
        lengths = jnp.minimum(middle + half, sides) - start
        box = jnp.concatenate((start, lengths))[None]
        # Blended: the share everywhere. Cut: 0 in the box, 1 around it.
        own = jnp.where(cut, jnp.where(inside(box, height, width), 0.0, 1.0), share)
        partner = np.arange(len(images)) ^ 1
        partner = np.minimum(partner, len(images) - 1)  # who is left over is their own
        images = images * own + images[partner] * (1.0 - own)
        share = jnp.where(cut, 1.0 - lengths[0] * lengths[1] / (height * width), share)
        targets = jax.nn.one_hot(labels, self.classes, dtype=jnp.float32)
        return images, targets * share + targets[partner] * (1.0 - share)


def pad_crop(key: jax.Array, images: jax.Array, pad: int) -> jax.Array:
    """Pads `pad` zeros on each side, and cuts the old size out somewhere."""
    offsets = jax.random.randint(key, (len(images), 2), 0, 2 * pad + 1, jnp.int32)
    padded = jnp.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)))

    def cut(image: jax.Array, offset: jax.Array) -> jax.Array:
        begin = (offset[0], offset[1], jnp.int32(0))
        return lax.dynamic_slice(image, begin, images.shape[1:])

    return jax.vmap(cut)(padded, offsets)


def crop_boxes(
    key: jax.Array,
    count: int,
    height: int,
    width: int,
    area: tuple[float, float],
    aspect: tuple[float, float],
) -> jax.Array:
    """The boxes of random-resized-crops, as `data.transforms.draw_crops` has them.

    Returns:
        float32 `(count, 4)`, whole numbers: top, left, height, width.
    """
    draws = jax.random.uniform(key, (count, 2 * _TRIES + 2), jnp.float32)
    share = area[0] + draws[:, :_TRIES] * (area[1] - area[0])
    least, most = math.log(aspect[0]), math.log(aspect[1])
    ratio = jnp.exp(least + draws[:, _TRIES : 2 * _TRIES] * (most - least))
    widths = jnp.round(jnp.sqrt(share * height * width * ratio))
    heights = jnp.round(jnp.sqrt(share * height * width / ratio))
    fits = (widths >= 1) & (widths <= width) & (heights >= 1) & (heights <= height)
    own = min(max(width / height, aspect[0]), aspect[1])
    found = fits.any(1)
    h = jnp.where(found, _first(heights, fits), max(1, min(height, round(width / own))))
    w = jnp.where(found, _first(widths, fits), max(1, min(width, round(height * own))))
    top = jnp.where(
        found, jnp.floor(draws[:, -2] * (height - h + 1)), (height - h) // 2
    )
    left = jnp.where(found, jnp.floor(draws[:, -1] * (width - w + 1)), (width - w) // 2)
    # A draw just below 1 times a number may round up to the number itself.
    top, left = jnp.minimum(top, height - h), jnp.minimum(left, width - w)
    return jnp.stack((top, left, h, w), 1)


def erased_boxes(
    key: jax.Array, count: int, height: int, width: int, probability: float
) -> jax.Array:
    """The rectangles to erase, as `data.erasing.draw_boxes` has them.

    Returns:
        float32 `(count, 4)`, whole numbers: top, left, height, width; zeros where
        nothing is erased.
    """
    draws = jax.random.uniform(key, (count, 2 * _TRIES + 3), jnp.float32)
    least, most = _ERASED_AREA
    area = height * width * (least + draws[:, :_TRIES] * (most - least))
    low, high = math.log(_ERASED_RATIO[0]), math.log(_ERASED_RATIO[1])
    ratio = jnp.exp(low + draws[:, _TRIES : 2 * _TRIES] * (high - low))
    heights, widths = (
        jnp.round(jnp.sqrt(area * ratio)),
        jnp.round(jnp.sqrt(area / ratio)),
    )
    fits = (heights < height) & (widths < width)
    h, w = _first(heights, fits), _first(widths, fits)
    top = jnp.minimum(jnp.floor(draws[:, -3] * (height - h + 1)), height - h)
    left = jnp.minimum(jnp.floor(draws[:, -2] * (width - w + 1)), width - w)
    erased = fits.any(1) & (draws[:, -1] < probability)
    return jnp.where(erased[:, None], jnp.stack((top, left, h, w), 1), 0.0)


def _first(values: jax.Array, fits: jax.Array) -> jax.Array:
    """Of each row the first value that fits."""
    return jnp.take_along_axis(values, jnp.argmax(fits, 1)[:, None], 1)[:, 0]


def inside(boxes: jax.Array, height: int, width: int) -> jax.Array:
    """Whether pixels are in boxes `(n, 4)`: booleans `(n, height, width, 1)`."""
    top, left, h, w = (side[:, None] for side in jnp.moveaxis(boxes, 1, 0))
    rows, columns = (jnp.arange(n, dtype=jnp.float32) for n in (height, width))
    rows = (rows >= top) & (rows < top + h)
    columns = (columns >= left) & (columns < left + w)
    return rows[:, :, None, None] & columns[:, None, :, None]


def crop_and_resize(images: jax.Array, boxes: jax.Array, size: int) -> jax.Array:
    """Cuts a box out of each image and resizes it bilinearly: float32.

    Pixel centres are at halves; at the edge of a box its neighbours are looked at.
    """

    def one(image: jax.Array, box: jax.Array) -> jax.Array:
        scale = size / box[2:]
        return jax.image.scale_and_translate(
            image.astype(jnp.float32),
            (size, size, image.shape[-1]),
            (0, 1),
            scale,
            -box[:2] * scale,
            "linear",
            antialias=False,
        )

    return jax.vmap(one)(images, boxes)


def resize(images: jax.Array, height: int, width: int) -> jax.Array:
    """Resizes whole images bilinearly to float32, smoothed where they shrink."""
    images = images.astype(jnp.float32)
    if images.shape[1:3] == (height, width):
        return images
    shape = (len(images), height, width, images.shape[-1])
    return jax.image.resize(images, shape, "linear")
