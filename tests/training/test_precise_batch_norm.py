import keras
import numpy as np
import tensorflow as tf

import keras_regnet
from keras_regnet.training import Trainer
from keras_regnet.training.precise_batch_norm import PreciseBatchNorm
from tests.training import toys


def test_equals_a_direct_computation(tmp_path):
    """Two normalisations, the second behind the first, stock and ours."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    first = keras.layers.Conv2D(4, 3, use_bias=False)
    norm = keras_regnet.layers.BatchNormalization()
    stock = keras.layers.BatchNormalization()
    middle = keras.layers.Dropout(0.5)(norm(first(inputs)))
    head = keras.layers.Dense(3)(keras.layers.Flatten()(stock(middle)))
    model = keras.Model(inputs, head)
    Trainer(
        model,
        toys.train(),
        toys.validation(),
        toys.config(epochs=2, precise_bn_images=40),  # 3 batches of 16
        tmp_path,
        save_models=False,
        verbose=0,
    ).train()
    batches = list(toys.train()(1).take(3).as_numpy_iterator())
    seen = [first(images).numpy() for images, _ in batches]
    means = np.mean([each.mean((0, 1, 2)) for each in seen], 0)
    variances = np.mean([each.var((0, 1, 2), ddof=1) for each in seen], 0)
    np.testing.assert_allclose(norm.moving_mean.numpy(), means, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(norm.moving_variance.numpy(), variances, rtol=1e-4)
    # Momentum is back.
    assert (norm.momentum, stock.momentum) == (0.9, 0.99)


def test_finds_the_normalisations_in_blocks_and_leaves_seeds_alone():
    model = keras_regnet.RegNetY(
        depth=2,
        w0=8,
        wa=8,
        wm=2,
        group_width=8,
        input_shape=(32, 32, 3),
        classes=3,
        dropout=0.5,
    )
    strategy = tf.distribute.get_strategy()
    precise = PreciseBatchNorm(model, strategy)
    images = np.random.default_rng(0).normal(size=(8, 32, 32, 3)).astype("float32")
    data = tf.data.Dataset.from_tensors((images, np.zeros(8, "int32")))
    before = {v.path: v.numpy() for v in model.non_trainable_variables}
    precise.update(iter(data), 1, lambda: None)
    moved = {
        v.path
        for v in model.non_trainable_variables
        if (v.numpy() != before[v.path]).any()
    }
    statistics = {path for path in before if "moving" in path}
    assert moved == statistics
    assert len(statistics) == 2 * (1 + 2 * 4)  # the stem's, and four in each block
