"""The networks in a training loop of one's own: README shows these lines."""

import keras
import tensorflow as tf

import keras_regnet


def test_own_loop():
    images = tf.random.uniform((8, 32, 32, 3), maxval=255)
    labels = tf.constant([0, 1] * 4)
    dataset = tf.data.Dataset.from_tensors((images, labels)).repeat(4)

    model = keras_regnet.RegNetX(
        depth=3,
        w0=16,
        wa=8,
        wm=2.0,
        group_width=8,
        input_shape=(32, 32, 3),
        classes=2,
        classifier_activation=None,
        include_preprocessing=True,
    )
    optimizer = keras_regnet.optimizers.SGD(learning_rate=0.02, weight_decay=5e-5)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            value = loss(labels, model(images, training=True))
        gradients = tape.gradient(value, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return value

    values = [float(step(images, labels)) for images, labels in dataset]

    assert values[-1] < values[0]
