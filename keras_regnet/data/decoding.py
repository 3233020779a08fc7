"""From the bytes of an image file to an image of the size that batches have."""

from dataclasses import dataclass

import tensorflow as tf

from keras_regnet.data import transforms
from keras_regnet.data.augmentation import CROPS, Augmentation
from keras_regnet.data.config import DataConfig
from keras_regnet.data.image_files import decode


@dataclass(frozen=True)
class Decoder:
    """Decodes the images of one data set.

    Attributes:
        config: The configuration.
        size: (height, width) where all images are stored at one size, else None: then
            each is cropped on its own.
        channels: 1 or 3.
        evaluation_shape: (height, width, channels) of validation images.
        augmentation: What is done to training images.
    """

    config: DataConfig
    size: tuple[int, int] | None
    channels: int
    evaluation_shape: tuple[int, int, int]
    augmentation: Augmentation

    def train(self, encoded: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """One encoded image to the size that all images of a batch share.

        Where they are stored at many sizes, they are augmented here, each by itself: a
        batch of large ones would leave the processor's cache at every operation.
        """
        augmentation, shape = self.augmentation, self.augmentation.image_shape
        if self.size is not None:
            return self._whole(encoded, shape[0])
        if augmentation.kind == "random_resized_crop":
            image = transforms.decode_random_crop(
                encoded,
                transforms.stream(seed, CROPS),
                shape[0],
                self.config.crop_area,
                self.config.crop_aspect,
                self.channels,
            )
        else:
            image = self._whole(encoded, shape[0])
        return augmentation(tf.ensure_shape(image, shape)[None], seed)[0]

    def validation(self, encoded: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        """One encoded image to the size that all images of a batch share."""
        return self._whole(encoded, self.evaluation_shape[0])

    def complete(self, images: tf.Tensor) -> tf.Tensor:
        """Resizes a validation batch to its size, and normalises it where asked to."""
        images = transforms.resize(images, *self.evaluation_shape[:2])
        if self.config.normalize:
            images = transforms.normalize(images, self.config.mean, self.config.std)
        return images

    def _whole(self, encoded: tf.Tensor, size: int) -> tf.Tensor:
        """One encoded image, whole where all have one size, else its middle."""
        if self.size is None:
            return transforms.decode_centre_crop(
                encoded, size, self.config.crop_fraction, self.channels
            )
        image = decode(encoded, self.channels)
        return tf.ensure_shape(image, (*self.size, self.channels))
