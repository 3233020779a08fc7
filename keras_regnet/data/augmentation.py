"""Everything that happens to training images once they are pixels, in its order.

Pad-crop and mirror, colour jitter, policy, random-resized-crop, lighting,
normalisation, erasing. Large images, which come one by one from files of many sizes,
are cropped as they are decoded and pass singly, while they are in the processor's
cache. Small ones pass as batches, as far as the policy at the size they are stored at:
it is cheaper, and the edges that come into the image are smoothed with the rest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from keras_regnet.data import transforms
from keras_regnet.data.config import DataConfig
from keras_regnet.data.erasing import draw_boxes, draw_noise, erase
from keras_regnet.data.jitter import colour_jitter, draw_jitter
from keras_regnet.data.lighting import draw_lighting
from keras_regnet.data.policies import Policy
from keras_regnet.data.transforms import stream
from keras_regnet.preprocessing import channel_statistics

# The random streams of an example; the policy has two.
CROPS, _OFFSETS, _FLIPS, _JITTER, _LIGHTING, _BOXES, _NOISE, _POLICY = range(8)


@dataclass(frozen=True)
class Augmentation:
    """What is done to the training images of a data set.

    Attributes:
        config: The configuration.
        kind: `config.augment`, with `"auto"` resolved.
        flip: Whether images are mirrored at random.
        pad: Pixels of padding of a pad-crop.
        image_shape: (height, width, channels) of the result.
        same_size: Whether the images as stored all have one size. Otherwise they
            come cropped to `image_shape`.
    """

    config: DataConfig
    kind: str
    flip: bool
    pad: int
    image_shape: tuple[int, int, int]
    same_size: bool

    def __call__(
        self, images: tf.Tensor, seed: tf.Tensor, first: int = 0, total: int = 0
    ) -> tf.Tensor:
        """Augments a batch, resizes it to the final size and normalises it.

        Args:
            images: uint8 or float32 `(n, height, width, channels)`, all static.
            seed: int32 `(2,)`, of the batch.
            first: Which image of the batch the first one here is.
            total: Images in the whole batch; 0 for n.

        Returns:
            float32 `(n, *image_shape)`. Each image depends on its place in the whole
            batch, not on which others are here.
        """
        config, count = self.config, images.shape[0]

        def drawn(draw: Callable[..., Any], number: int, *arguments: Any) -> Any:
            values = draw(stream(seed, number), total or count, *arguments)
            return tf.nest.map_structure(lambda v: v[first : first + count], values)

        if self.kind.startswith("pad_crop") and self.pad:
            offsets = drawn(transforms.draw_offsets, _OFFSETS, self.pad)
            images = transforms.pad_crop(images, offsets, self.pad)
        if self.flip:
            images = transforms.flip(images, drawn(transforms.draw_flips, _FLIPS))
        if config.colour_jitter:
            jitter = drawn(draw_jitter, _JITTER, config.colour_jitter)
            images = colour_jitter(transforms.to_uint8(images), *jitter)
        if config.auto_augment != "none":
            policy = self._policy(*images.shape[1:3])
            images = policy.apply(
                transforms.to_uint8(images), *drawn(policy.draw, _POLICY)
            )
        if self.kind == "random_resized_crop" and self.same_size:
            limits = (*images.shape[1:3], config.crop_area, config.crop_aspect)
            boxes = drawn(transforms.draw_crops, CROPS, *limits)
            images = transforms.crop_and_resize(images, boxes, self.image_shape[0])
        images = transforms.resize(images, *self.image_shape[:2])
        if config.pca_lighting:
            values = drawn(draw_lighting, _LIGHTING, config.pca_lighting)
            images = transforms.add(images, values)
        if config.normalize:
            images = transforms.normalize(images, config.mean, config.std)
        if config.random_erasing:
            images = self._erase(images, drawn)
        return tf.ensure_shape(images, (count, *self.image_shape))

    def _policy(self, height: int, width: int) -> Policy:
        config = self.config
        return Policy(
            config.auto_augment,
            height,
            width,
            layers=config.randaugment_ops,
            magnitude=config.randaugment_magnitude,
            magnitude_std=config.randaugment_magnitude_std,
            space=config.randaugment_space,
            sub_policies=config.autoaugment_policy,
            interpolation=config.auto_augment_interpolation,
            fill=config.auto_augment_fill,
        )

    def _erase(self, images: tf.Tensor, drawn: Callable[..., Any]) -> tf.Tensor:
        config, shape = self.config, self.image_shape
        boxes = drawn(draw_boxes, _BOXES, *shape[:2], config.random_erasing)
        mean, std = self._replacement()
        if config.erasing_mode == "zero":
            return erase(images, boxes, mean)
        return erase(images, boxes, mean, lambda: drawn(draw_noise, _NOISE, shape, std))

    def _replacement(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of what is written over an erased part.

        0 and 1 of the normalised image, on the scale that the images have here.
        """
        config, channels = self.config, self.image_shape[-1]
        if config.normalize:
            return (0.0,) * channels, (1.0,) * channels
        mean, std = channel_statistics(channels)
        return (
            tuple(255 * value for value in config.mean or mean),
            tuple(255 * value for value in config.std or std),
        )
