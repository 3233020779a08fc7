"""The small network of the self-check, and its steps under any strategy."""

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_regnet.models import RegNetX
from keras_regnet.optimizers import SGD
from keras_regnet.training.loop import Loop
from keras_regnet.training.losses import cross_entropy

CLASSES = 5


@dataclasses.dataclass(frozen=True)
class Steps:
    """What some steps came to.

    Attributes:
        loss: Mean over their examples.
        statistics: The running statistics of batch normalisation after them.
        updates: The differences of the weights, after and before.
        digests: Of the weights of each of this worker's replicas.
    """

    loss: np.ndarray
    statistics: list[np.ndarray]
    updates: list[np.ndarray]
    digests: list[str]


def take_steps(
    strategy: tf.distribute.Strategy,
    count: int,
    batch_size: int,
    dtype: str,
    frozen: bool,
) -> Steps:
    """Takes steps on the same global batch, whatever the strategy.

    Args:
        strategy: The strategy.
        count: Number of steps.
        batch_size: Of the global batch.
        dtype: Of everything.
        frozen: Whether batch normalisation keeps its statistics.

    Returns:
        What they came to.
    """
    model = small_network(strategy, dtype, synchronized=True)
    if frozen:
        _freeze_statistics(model)
    before = [v.numpy() for v in model.trainable_variables]
    loop = make_loop(model, strategy)
    batches = repeated(strategy, *make_batch(batch_size, dtype))
    loop.train(batches, np.full(count, 0.05))
    sums = loop.tally.read()
    copies = [
        strategy.experimental_local_results(v.value) for v in model.trainable_variables
    ]
    return Steps(
        np.array(sums.loss / sums.count),
        [v.numpy() for v in model.non_trainable_variables],
        [
            v.numpy() - old
            for v, old in zip(model.trainable_variables, before, strict=True)
        ],
        [
            hashlib.sha256(b"".join(v.numpy().tobytes() for v in replica)).hexdigest()
            for replica in zip(*copies, strict=True)
        ],
    )


def distance(some: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> float:
    """The greatest difference of arrays, each relative to its largest number."""
    worst = 0.0
    for mine, theirs in zip(some, others, strict=True):
        largest = np.abs(mine).max()
        difference = np.abs(mine - theirs).max()
        worst = np.maximum(worst, difference / largest if largest else difference)
    # Infinity and NaN have no place in JSON.
    return float(np.nan_to_num(worst, nan=1e30, posinf=1e30))


def small_network(
    strategy: tf.distribute.Strategy, dtype: str, synchronized: bool
) -> keras.Model:
    """A RegNet of two stages, always with the same random weights."""
    with strategy.scope():
        keras.utils.set_random_seed(0)
        return RegNetX(
            depth=2,
            w0=16,
            wa=16,
            wm=2.0,
            group_width=8,
            input_shape=(32, 32, 3),
            classes=CLASSES,
            classifier_activation=None,
            synchronized_batch_norm=synchronized,
            dtype=dtype,
        )


def _freeze_statistics(layer: keras.layers.Layer) -> None:
    if isinstance(layer, keras.layers.BatchNormalization):
        layer.trainable = False
    for part in getattr(layer, "layers", ()):
        _freeze_statistics(part)


def make_loop(model: keras.Model, strategy: tf.distribute.Strategy) -> Loop:
    """The training loop of a model, as a run has it."""
    with strategy.scope():
        optimizer = SGD(0.05, weight_decay=1e-4)
        optimizer.build(model.trainable_variables)
    return Loop(model, optimizer, cross_entropy(), strategy)


def make_batch(count: int, dtype: str, size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Images of noise and random labels, always the same."""
    random = np.random.default_rng(0)
    images = random.normal(size=(count, size, size, 3)).astype(dtype)
    return images, random.integers(0, CLASSES, count).astype("int32")


def repeated(
    strategy: tf.distribute.Strategy, images: np.ndarray, labels: np.ndarray
) -> Iterator:
    """The same batch again and again, divided among the replicas."""

    def part(context: tf.distribute.InputContext) -> tf.data.Dataset:
        rows = len(images) // context.num_input_pipelines
        begin = context.input_pipeline_id * rows
        mine = images[begin : begin + rows], labels[begin : begin + rows]
        dataset = tf.data.Dataset.from_tensor_slices(mine)
        return dataset.batch(len(images) // context.num_replicas_in_sync).repeat()

    return iter(strategy.distribute_datasets_from_function(part))
