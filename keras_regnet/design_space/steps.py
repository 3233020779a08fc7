"""An epoch of a small network, and its judging, each in one compiled call.

The images are in memory as they are stored; shuffling, shifting and mirroring happen
in the compiled step, so that no pipeline has to be started for any network or epoch.
"""

import keras
import numpy as np
import tensorflow as tf

from keras_regnet.data import transforms
from keras_regnet.design_space.images import Images
from keras_regnet.design_space.regime import Regime
from keras_regnet.training.losses import cross_entropy, hits

_OFFSETS, _FLIPS = 0, 1  # the random streams of a batch


class DeviceImages:
    """The images of a regime as tensors: made once, used by every network.

    Args:
        images: The images.
        regime: The regime.
    """

    def __init__(self, images: Images, regime: Regime) -> None:
        self.train = tf.constant(images.train)
        self.train_labels = tf.constant(images.train_labels)
        self.judged = tf.constant(images.judged)
        self.judged_labels = tf.constant(images.judged_labels)
        self.train_count = len(images.train)
        self.judged_count = len(images.judged)
        self.shape = images.shape
        self.classes = images.classes
        self.mean, self.std = images.mean, images.std
        self.batch_size = regime.batch_size
        self.pad = max(1, round(images.shape[0] / 8)) if regime.augment else 0
        self.flip = regime.augment and images.mirrored

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return self.train_count // self.batch_size

    def augmented(self, rows: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Training images by their rows, changed at random and normalised."""
        images = tf.gather(self.train, rows)
        if self.pad:
            offsets = transforms.draw_offsets(
                transforms.stream(seed, _OFFSETS), self.batch_size, self.pad
            )
            images = transforms.pad_crop(images, offsets, self.pad)
        if self.flip:
            flips = transforms.draw_flips(
                transforms.stream(seed, _FLIPS), self.batch_size
            )
            images = transforms.flip(images, flips)
        return self.normalized(images)

    def normalized(self, images: tf.Tensor) -> tf.Tensor:
        """Batches of uint8 images as a network takes them."""
        images = transforms.normalize(images, self.mean, self.std)
        return tf.ensure_shape(images, (self.batch_size, *self.shape))


class Steps:
    """The compiled epoch and the compiled judging of one network.

    Args:
        model: From normalised images to logits.
        optimizer: Built on the model's trainable variables.
        images: The images.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        images: DeviceImages,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.images = images
        self._loss = cross_entropy()
        self._train = tf.function(self._epoch)
        self._judge = tf.function(self._judged)

    def trace(self) -> None:
        """Makes both graphs, which the first calls would do otherwise."""
        steps = self.images.steps
        self._train.get_concrete_function(
            tf.TensorSpec((steps, self.images.batch_size), tf.int32),
            tf.TensorSpec((steps,), tf.float32),
            tf.TensorSpec((2,), tf.int32),
        )
        self._judge.get_concrete_function()

    def train(
        self, learning_rates: np.ndarray, seed: int, epoch: int
    ) -> tuple[float, float]:
        """Trains for one epoch.

        Args:
            learning_rates: Of each step.
            seed: With the epoch, decides order and augmentation.
            epoch: From 0 on.

        Returns:
            Mean loss and error of the epoch's images; the loss may not be finite.
        """
        steps, size = self.images.steps, self.images.batch_size
        order = np.random.RandomState([seed, epoch]).permutation(
            self.images.train_count
        )
        rows = order[: steps * size].reshape(steps, size).astype(np.int32)
        # Philox takes any two numbers; the steps are added to the second.
        numbers = np.random.RandomState([seed, epoch, 1]).randint(2**31 - 2**20, size=2)
        loss, right = self._train(
            tf.constant(rows),
            tf.constant(learning_rates, tf.float32),
            tf.constant(numbers, tf.int32),
        )
        count = steps * size
        return float(loss) / count, 1.0 - float(right) / count

    def judge(self) -> float:
        """The error on the images that are held out."""
        count = self.images.judged_count
        return (count - int(self._judge())) / count

    def _epoch(
        self, order: tf.Tensor, learning_rates: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        loss, right = tf.constant(0.0, tf.float64), tf.constant(0.0, tf.float64)
        for step in tf.range(self.images.steps):
            losses, found = self._step(
                order[step], learning_rates[step], seed + tf.stack((0, step))
            )
            loss += losses
            right += found
        return loss, right

    @tf.autograph.experimental.do_not_convert
    def _step(
        self, rows: tf.Tensor, learning_rate: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        images = self.images.augmented(rows, seed)
        labels = tf.gather(self.images.train_labels, rows)
        with tf.GradientTape() as tape:
            outputs = tf.cast(self.model(images, training=True), tf.float32)
            losses = self._loss(labels, outputs)
            total = tf.reduce_mean(losses)
        variables = self.model.trainable_variables
        gradients = tape.gradient(total, variables)
        # Not by `apply`: the sum over replicas in it registers a gradient of its own,
        # for ever and with the graph, which is 30 MB and more for each network.
        for gradient, variable in zip(gradients, variables, strict=True):
            if gradient is not None:
                self.optimizer.update_step(gradient, variable, learning_rate)
        found = hits(labels, outputs)
        return tf.reduce_sum(tf.cast(losses, tf.float64)), tf.reduce_sum(found)

    def _judged(self) -> tf.Tensor:
        right = tf.constant(0.0, tf.float64)
        size = self.images.batch_size
        for first in tf.range(0, self.images.judged_count, size):
            right += self._right(first + tf.range(size))
        return right

    @tf.autograph.experimental.do_not_convert
    def _right(self, rows: tf.Tensor) -> tf.Tensor:
        """How many of a batch are right; rows beyond the last do not count."""
        counts = tf.cast(rows < self.images.judged_count, tf.float64)
        rows = tf.minimum(rows, self.images.judged_count - 1)
        images = self.images.normalized(tf.gather(self.images.judged, rows))
        outputs = tf.cast(self.model(images, training=False), tf.float32)
        labels = tf.gather(self.images.judged_labels, rows)
        return tf.reduce_sum(hits(labels, outputs) * counts)
