"""inference_function: the same outputs, from constants of the graph."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_regnet
from tests.small_networks import tiny

pytestmark = pytest.mark.kernels

SHAPE = (None, None, 3)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_outputs_are_the_models(dtype):
    model = tiny(input_shape=SHAPE, dropout=0.5, dtype=dtype)
    # As it starts, every class gets a fifth to within less than the tolerance.
    kernel = model.get_layer("head_fc").kernel
    kernel.assign(100.0 * kernel)
    infer = keras_regnet.inference_function(model)
    for shape in ((1, 32, 32, 3), (3, 40, 33, 3)):
        images = np.random.default_rng(0).normal(size=shape).astype("float32")
        expected = tf.function(lambda x: model(x, training=False))(images)
        assert np.ptp(expected) > 0.1
        # Constant weights let TensorFlow fold the normalisation into them.
        tolerance = 1e-5 if dtype == "float32" else 2e-2
        np.testing.assert_allclose(infer(images), expected, atol=tolerance)


def test_weights_are_those_of_the_moment_it_was_made():
    model = tiny(input_shape=SHAPE)
    images = np.ones((1, 32, 32, 3), "float32")
    infer = keras_regnet.inference_function(model)
    before = infer(images).numpy()
    for variable in model.trainable_variables:
        variable.assign(variable + 0.1)
    # On a busy machine threads may add up in another order.
    np.testing.assert_allclose(infer(images), before, rtol=1e-6)
    again = keras_regnet.inference_function(model)(images).numpy()
    assert np.abs(again - before).max() > 1e-3


def test_no_variable_is_read():
    infer = keras_regnet.inference_function(tiny(input_shape=SHAPE))
    graph = infer.get_concrete_function(tf.zeros((1, 32, 32, 3))).graph
    kinds = {operation.type for operation in graph.get_operations()}
    assert "Conv2D" in kinds
    assert not kinds & {"ReadVariableOp", "AssignVariableOp"}


def test_a_model_that_is_not_built_is_refused():
    model = keras.Sequential([keras.layers.Dense(2)])
    with pytest.raises(ValueError, match=r"built.*Received: model=<Sequential"):
        keras_regnet.inference_function(model)
