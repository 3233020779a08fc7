"""RandAugment, AutoAugment and TrivialAugmentWide on uint8 images.

Of Keras' own layers (3.15) `RandAugment`, `AugMix`, `RandomErasing`, `CutMix`, `MixUp`
and `RandomColorJitter` were looked at, and none is used. Their draws come from a
generator whose state moves with every call, so that an example's augmentation would
depend on the examples before it, and a run could not go on exactly; and in tf.data
they apply every operation to every image and choose afterwards.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_regnet.data.operations import apply, operation
from keras_regnet.data.spaces import (
    Space,
    autoaugment_pairs,
    timm_space,
    torchvision_space,
)
from keras_regnet.data.transforms import GENERATOR, stream


@dataclass(frozen=True)
class Policy:
    """One of `spaces.POLICIES` for images of one size.

    Attributes:
        name: Which; not `"none"`.
        height: Of the images, in pixels.
        width: Of the images, in pixels.
        layers: Operations for each image (RandAugment).
        magnitude: Their strength: 0 to 30, or 0 to 10 in timm's spaces (RandAugment).
        magnitude_std: Standard deviation of the strength, which ends where the table
            does and is rounded to one of its bins (RandAugment).
        space: One of `spaces.RANDAUGMENT_SPACES`. In timm's each operation is applied
            with probability one half only, as there (RandAugment).
        sub_policies: One of `spaces.SUB_POLICIES` (AutoAugment).
        interpolation: `"nearest"` or `"bilinear"`.
        fill: What comes into the image from outside, 0 to 255.
    """

    name: str
    height: int
    width: int
    layers: int = 2
    magnitude: float = 9.0
    magnitude_std: float = 0.0
    space: str = "torchvision"
    sub_policies: str = "imagenet"
    interpolation: str = "nearest"
    fill: int = 0

    def table(self) -> Space:
        """The operations and their magnitudes."""
        if self.name == "randaugment" and self.space != "torchvision":
            increasing = self.space == "timm_increasing"
            return timm_space(self.height, self.width, increasing)
        return torchvision_space(self.name, self.height, self.width)

    def draw(self, seed: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws operations and magnitudes for a batch.

        Args:
            seed: int32 `(2,)`.
            count: How many images.

        Returns:
            Places in `table().names`, int32 `(count, layers)`, where the number of
            names stands for nothing to be done; and magnitudes, float32.
        """
        if self.name == "autoaugment":
            return self._draw_pairs(seed, count)
        space = self.table()
        kinds, bins = space.magnitudes.shape
        layers = self.layers if self.name == "randaugment" else 1
        draws = _uniform(seed, (count, layers, 3))
        which = _whole(draws[..., 0], kinds)
        if self.name == "trivialaugment":
            level = _whole(draws[..., 2], bins)
        else:
            level = self._levels(stream(seed, 1), (count, layers), bins, space.greatest)
            if self.space != "torchvision":
                which = tf.where(draws[..., 2] < 0.5, which, kinds)
        places = tf.minimum(which, kinds - 1)
        magnitudes = tf.gather(space.magnitudes.ravel(), places * bins + level)
        negated = tf.gather(space.signed, places) & (draws[..., 1] < 0.5)
        return which, tf.where(negated, -magnitudes, magnitudes)

    def apply(
        self, images: tf.Tensor, which: tf.Tensor, magnitudes: tf.Tensor
    ) -> tf.Tensor:
        """Applies what `draw` gave to uint8 `(n, height, width, channels)`, static."""
        names = (*self.table().names, "identity")
        operations = [operation(name, self.interpolation, self.fill) for name in names]
        for layer in range(which.shape[1]):
            images = apply(images, which[:, layer], magnitudes[:, layer], operations)
        return images

    def _levels(
        self, seed: tf.Tensor, shape: tuple[int, int], bins: int, greatest: float
    ) -> tf.Tensor:
        """The bins of RandAugment's magnitudes, int32."""
        level = tf.fill(shape, float(self.magnitude))
        if self.magnitude_std:
            noise = tf.random.stateless_normal(shape, seed, alg=GENERATOR)
            level += self.magnitude_std * noise
        level = tf.clip_by_value(level / greatest, 0.0, 1.0)
        return tf.cast(tf.round(level * (bins - 1)), tf.int32)

    def _draw_pairs(self, seed: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
        """As `draw`, for AutoAugment: a pair of operations, each with a probability."""
        space = self.table()
        pairs = autoaugment_pairs(self.sub_policies)
        which = np.array([[space.names.index(one[0]) for one in two] for two in pairs])
        chance = np.array([[one[1] for one in two] for two in pairs], np.float32)
        level = np.array([[one[2] for one in two] for two in pairs])
        magnitudes = space.magnitudes[which, level]
        draws = _uniform(seed, (count, 5))
        pair = _whole(draws[:, 0], len(pairs))
        done = draws[:, 1:3] < tf.gather(chance, pair)
        negated = tf.gather(space.signed[which], pair) & (draws[:, 3:] < 0.5)
        strength = tf.gather(magnitudes, pair)
        return (
            tf.where(done, tf.gather(which.astype(np.int32), pair), len(space.names)),
            tf.where(negated, -strength, strength),
        )


def _uniform(seed: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
    return tf.random.stateless_uniform(shape, seed, alg=GENERATOR)


def _whole(draws: tf.Tensor, below: int) -> tf.Tensor:
    """Uniform numbers of 0 to 1 as whole ones from 0 on, int32."""
    # The largest float32 below 1 times a number may round up to the number itself.
    return tf.minimum(tf.cast(draws * below, tf.int32), below - 1)
