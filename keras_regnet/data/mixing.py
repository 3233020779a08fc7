"""Mixup and CutMix: each image of a batch with another, and their labels likewise.

One share for a batch, as in torchvision's recipes and, by default, timm's.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_regnet.data.config import LEAST_ALPHA, DataConfig
from keras_regnet.data.erasing import box_mask
from keras_regnet.data.rows import RowFunction
from keras_regnet.data.transforms import GENERATOR, stream

Mixer = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]

_STREAM = 1_000_003  # away from those of the augmentation of the same batch


def mixer(config: DataConfig, classes: int, count: int) -> Mixer:
    """Makes the function that mixes batches, where that is asked for.

    Args:
        config: The configuration.
        classes: The number of classes.
        count: Images in a batch, or in a worker's part of it: then whole blocks of
            twice `config.repeated_augmentation`.

    Returns:
        A function of the batch's int32 seed `(2,)`, the float32 images and the int32
        labels, to images and labels. The labels are shares, float32
        `(count, classes)`, if `config.mixed`, and else what they were.
    """
    if not config.mixed:
        return lambda seed, images, labels: (images, labels)
    # Mixed block by block, which is several times faster than a batch at once where
    # images are large: a block stays in the processor's cache.
    distance = config.repeated_augmentation
    block = count if count % (2 * distance) else 2 * distance
    partner = partners(block, distance)

    def mixed(seed: tf.Tensor, images: tf.Tensor, labels: tf.Tensor) -> tuple:
        drawn = draw_mixing(
            stream(seed, _STREAM),
            config.mixup_alpha,
            config.cutmix_alpha,
            config.mix_probability,
        )
        shape = images.shape[1:]
        one = RowFunction(
            lambda images, labels, *drawn: mix(images, labels, drawn, partner, classes),
            [
                tf.TensorSpec((block, *shape), images.dtype),
                tf.TensorSpec((block,), labels.dtype),
                *(tf.TensorSpec(part.shape, part.dtype) for part in drawn),
            ],
        )
        blocks = count // block
        images, labels = one.map(
            [
                tf.reshape(images, (blocks, block, *shape)),
                tf.reshape(labels, (blocks, block)),
                *(tf.repeat(part[None], blocks, 0) for part in drawn),
            ]
        )
        return (
            tf.reshape(images, (count, *shape)),
            tf.reshape(labels, (count, classes)),
        )

    return mixed


def partners(count: int, distance: int = 1) -> np.ndarray:
    """Whom each image of a batch is mixed with: its like in the neighbouring group.

    Groups of `distance` images are paired off, first with second, third with fourth:
    nobody outside a block of twice `distance` is needed, so that workers who each hold
    some whole blocks of a batch mix it as one worker would. Images that are left over
    at the end are paired from both ends.

    Args:
        count: Images in the batch.
        distance: At least how often an image is repeated in a row, so that none meets
            itself.

    Returns:
        int32 `(count,)`; whoever has no partner is their own.
    """
    place = np.arange(count, dtype=np.int32)
    whole = count // (2 * distance) * (2 * distance)
    found = place + np.where(place // distance % 2, -distance, distance)
    return np.where(place < whole, found, whole + count - 1 - place).astype(np.int32)


def draw_mixing(
    seed: tf.Tensor, mixup_alpha: float, cutmix_alpha: float, probability: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Draws how a batch is mixed.

    Args:
        seed: int32 `(2,)`.
        mixup_alpha: Of the beta distribution of the share; 0 for no mixup.
        cutmix_alpha: Likewise; 0 for no CutMix. Where both are on, half of the batches
            are for each.
        probability: That the batch is mixed at all.

    Returns:
        Whether it is cut rather than blended; each image's own share, float32; and
        where the middle of the box is, float32 `(2,)`, down and right, of 0 to 1.
    """
    draws = tf.random.stateless_uniform((4,), seed, alg=GENERATOR)
    cut = draws[0] < (0.5 if mixup_alpha else 1.0) if cutmix_alpha else draws[0] < 0.0
    alpha = tf.where(cut, tf.constant(cutmix_alpha), tf.constant(mixup_alpha))
    # In float64, where two draws for a small alpha do not both end at the least number.
    alpha = tf.cast(tf.maximum(alpha, LEAST_ALPHA), tf.float64)
    gammas = tf.random.stateless_gamma((2,), stream(seed, 1), alpha, dtype=tf.float64)
    share = tf.cast(gammas[0] / tf.reduce_sum(gammas), tf.float32)
    share = tf.where(draws[1] < probability, share, 1.0)
    return cut, share, draws[2:]


def mix(
    images: tf.Tensor,
    labels: tf.Tensor,
    drawn: tuple[tf.Tensor, tf.Tensor, tf.Tensor],
    partner: np.ndarray,
    classes: int,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Mixes each image of a batch with its partner.

    Args:
        images: float32 `(n, height, width, channels)`, static but for n.
        labels: int32 `(n,)`.
        drawn: What `draw_mixing` gave.
        partner: What `partners` gave for n.
        classes: The number of classes.

    Returns:
        The images, and the share of each class in each of them, float32
        `(n, classes)`.
    """
    cut, share, middle = drawn
    height, width, channels = images.shape[1:]
    box = _cut_box(share, middle, height, width)
    area = tf.cast(box[2] * box[3], tf.float32) / (height * width)
    # Blended: the share everywhere. Cut: 0 in the box, 1 around it.
    inside = box_mask(box[None], height, width, channels)
    own = tf.where(cut, 1.0 - inside, share)
    rows = tf.reshape(images, (-1, height, width * channels))
    rows = rows * own + tf.gather(rows, partner) * (1.0 - own)
    share = tf.where(cut, 1.0 - area, share)
    targets = tf.one_hot(labels, classes)
    targets = targets * share + tf.gather(targets, partner) * (1.0 - share)
    return tf.reshape(rows, (-1, height, width, channels)), targets


def _cut_box(share: tf.Tensor, middle: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """The box of CutMix, int32 (top, left, height, width), as torchvision's.

    Its sides are the image's times the root of 1 - `share`; its middle is anywhere, and
    what lies outside is cut off.
    """
    sides = tf.constant((height, width), tf.float32)
    half = tf.floor(0.5 * tf.sqrt(1.0 - share) * sides)
    middle = tf.floor(middle * sides)
    start = tf.maximum(middle - half, 0.0)
    stop = tf.minimum(middle + half, sides)
    return tf.cast(tf.concat((start, stop - start), 0), tf.int32)
