import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.layers import BatchNormalization, batch_norm
from tests.layers import reference

pytestmark = pytest.mark.kernels

RNG = np.random.default_rng(0)


def prepared(shape, dtype="float32", **arguments):
    """A layer with random parameters, and an input."""
    layer = BatchNormalization(dtype=dtype, **arguments)
    layer.build(shape)
    rng = np.random.default_rng(1)
    for variable in layer.variables:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return layer, (3 + 2 * rng.normal(size=shape)).astype(dtype)


def general_path(monkeypatch):
    monkeypatch.setattr(
        BatchNormalization, "_fused_kernel_applies", lambda *arguments: False
    )


@pytest.mark.parametrize("path", ["fused", "general"])
@pytest.mark.parametrize("shape", [(4, 5, 6, 3), (2, 1, 1, 5), (1, 1, 1, 4)])
def test_training_equals_the_definition(path, shape, monkeypatch):
    if path == "general":
        general_path(monkeypatch)
    layer, inputs = prepared(shape)
    before = [variable.numpy() for variable in layer.variables]
    gamma, beta, moving_mean, moving_variance = before
    expected, mean, variance = reference.batch_norm(
        inputs.astype("float64"), gamma, beta, 1e-5, (0, 1, 2)
    )
    outputs = layer(inputs, training=True)
    tolerance = {"rtol": 1e-4, "atol": 1e-3 if shape[0] == 1 else 1e-4}
    np.testing.assert_allclose(outputs, expected, **tolerance)
    np.testing.assert_allclose(layer.moving_mean, 0.9 * moving_mean + 0.1 * mean, 1e-5)
    np.testing.assert_allclose(
        layer.moving_variance, 0.9 * moving_variance + 0.1 * variance, 1e-5
    )


@pytest.mark.parametrize("dtype", ["float32", "float64", "mixed_bfloat16"])
def test_all_paths_agree_in_value_and_gradient(dtype, monkeypatch):
    shape = (8, 4, 4, 6)
    weights = tf.constant(np.random.default_rng(2).normal(size=shape))
    results = []
    for general in (False, True):
        if general:
            general_path(monkeypatch)
        layer, inputs = prepared(shape, "float32")
        layer = BatchNormalization.from_config(layer.get_config() | {"dtype": dtype})
        layer.build(shape)
        layer.set_weights(prepared(shape)[0].get_weights())
        inputs = tf.constant(inputs, layer.compute_dtype)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
            loss = tf.reduce_sum(tf.cast(outputs, "float64") * weights)
        variables = [layer.gamma.value, layer.beta.value]
        results.append(
            [
                np.asarray(value, "float64")
                for value in (
                    outputs,
                    *tape.gradient(loss, [inputs, *variables]),
                    layer.moving_mean.value,
                    layer.moving_variance.value,
                )
            ]
        )
    tolerance = 0.03 if "bfloat16" in dtype else 2e-5
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(
            ours, theirs, rtol=tolerance, atol=tolerance * np.abs(theirs).max()
        )


def test_inference_equals_keras_layer():
    ours, inputs = prepared((4, 5, 6, 3))
    theirs = keras.layers.BatchNormalization(epsilon=1e-5)
    theirs.build(inputs.shape)
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(inputs), theirs(inputs), rtol=1e-5, atol=1e-5)
    assert [v.path.split("/")[-1] for v in ours.variables] == [
        v.path.split("/")[-1] for v in theirs.variables
    ]


@pytest.mark.parametrize("arguments", [{"scale": False}, {"center": False}])
def test_without_scale_or_center(arguments, monkeypatch):
    layer, inputs = prepared((4, 5, 6, 3), **arguments)
    fused = layer(inputs, training=True)
    general_path(monkeypatch)
    layer, inputs = prepared((4, 5, 6, 3), **arguments)
    np.testing.assert_allclose(
        fused, layer(inputs, training=True), rtol=1e-4, atol=1e-4
    )


def test_frozen_layer_runs_in_inference_mode():
    layer, inputs = prepared((4, 5, 6, 3))
    layer.trainable = False
    before = layer.get_weights()
    outputs = layer(inputs, training=True)
    np.testing.assert_array_equal(outputs, layer(inputs, training=False))
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(("shape", "axis"), [((7, 5), -1), ((4, 6, 5, 3), 1)])
def test_other_ranks_and_axes_equal_the_definition(shape, axis):
    layer, inputs = prepared(shape, axis=axis)
    gamma, beta, moving_mean, moving_variance = (v.numpy() for v in layer.variables)
    axes = tuple(i for i in range(len(shape)) if i != axis % len(shape))
    wide = [1] * len(shape)
    wide[axis] = -1
    expected, mean, variance = reference.batch_norm(
        inputs, gamma.reshape(wide), beta.reshape(wide), 1e-5, axes
    )
    np.testing.assert_allclose(layer(inputs, training=True), expected, 1e-4, 1e-4)
    np.testing.assert_allclose(
        layer.moving_variance, 0.9 * moving_variance + 0.1 * variance, 1e-5
    )
    np.testing.assert_allclose(layer.moving_mean, 0.9 * moving_mean + 0.1 * mean, 1e-5)


def test_masked_values_do_not_count():
    layer, inputs = prepared((6, 5, 3))
    mask = np.arange(30).reshape(6, 5) % 3 > 0
    before = [v.numpy() for v in (layer.moving_mean, layer.moving_variance)]
    layer(inputs, training=True, mask=mask)
    kept = inputs[mask]
    np.testing.assert_allclose(
        layer.moving_mean, 0.9 * before[0] + 0.1 * kept.mean(0), 1e-5
    )
    np.testing.assert_allclose(
        layer.moving_variance, 0.9 * before[1] + 0.1 * kept.var(0, ddof=1), 1e-5
    )


@pytest.mark.parametrize("path", ["fused", "general", "compiled", "masked"])
def test_without_any_values_the_statistics_stay(path, monkeypatch):
    if path == "general":
        general_path(monkeypatch)
    layer, inputs = prepared((4, 3, 3, 2))
    call = tf.function(lambda x: layer(x, training=True))
    call = call if path == "compiled" else call.python_function
    before = [variable.numpy() for variable in layer.variables]
    if path == "masked":
        layer(inputs, training=True, mask=np.zeros(inputs.shape[:-1], bool))
    elif path == "compiled":
        signature = tf.TensorSpec([None, 3, 3, 2])
        call.get_concrete_function(signature)(tf.constant(inputs[:0]))
    else:
        call(inputs[:0])
    for old, variable in zip(before, layer.variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)
    outputs = call(tf.constant(inputs))
    assert not np.array_equal(layer.moving_mean.numpy(), before[2])
    assert np.isfinite(outputs).all()


@pytest.mark.parametrize("synchronized", [False, True])
def test_a_replica_without_rows_does_not_count(synchronized):
    """`fit` gives the last, short batch to the first replicas alone."""
    strategy = tf.distribute.MirroredStrategy(
        ["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice()
    )
    inputs = RNG.normal(3, 2, (9, 2, 2, 3)).astype("float32")

    def statistics(rows):
        keras.utils.set_random_seed(0)
        with strategy.scope():
            layer = BatchNormalization(synchronized=synchronized)
            pool = keras.layers.GlobalAveragePooling2D()
            layers = [keras.Input((2, 2, 3)), layer, pool, keras.layers.Dense(2)]
            model = keras.Sequential(layers)
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile("sgd", loss)
        labels = np.zeros(rows, "int32")
        model.fit(inputs[:rows], labels, batch_size=8, shuffle=False, verbose=0)
        assert all(np.isfinite(v.numpy()).all() for v in model.variables)
        return [copy.numpy() for copy in layer.moving_mean.value.values]

    one_step, two_steps = statistics(8), statistics(9)
    last = 0.9 * one_step[0] + 0.1 * inputs[8].mean((0, 1))
    np.testing.assert_allclose(two_steps[0], last, rtol=1e-5)
    expected = last if synchronized else one_step[1]
    np.testing.assert_allclose(two_steps[1], expected, rtol=1e-5)


@pytest.mark.parametrize("sizes", [(4, 4), (5, 3), (8, 0)])
def test_synchronized_statistics_are_those_of_the_global_batch(sizes):
    """Also where the replicas have different numbers of images."""
    strategy = tf.distribute.MirroredStrategy(
        ["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice()
    )
    single, inputs = prepared((sum(sizes), 3, 3, 4))
    weights = np.random.default_rng(3).normal(size=inputs.shape).astype("float32")
    parts = np.split(inputs, [sizes[0]]), np.split(weights, [sizes[0]])
    with strategy.scope():
        shared = BatchNormalization(synchronized=True)
        shared.build(inputs.shape)
        shared.set_weights(single.get_weights())

    def loss_gradient(layer, x, w):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x, training=True) * w)
        return tape.gradient(loss, layer.gamma.value)

    expected = loss_gradient(single, inputs, weights)

    @tf.function
    def step():
        def replica():
            index = tf.distribute.get_replica_context().replica_id_in_sync_group
            x = tf.switch_case(index, [lambda p=p: tf.constant(p) for p in parts[0]])
            w = tf.switch_case(index, [lambda p=p: tf.constant(p) for p in parts[1]])
            return loss_gradient(shared, x, w)

        return strategy.reduce("SUM", strategy.run(replica), axis=None)

    np.testing.assert_allclose(step(), expected, rtol=1e-4, atol=1e-4)
    for ours, theirs in zip(
        (shared.moving_mean, shared.moving_variance),
        (single.moving_mean, single.moving_variance),
        strict=True,
    ):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5)


def test_the_fused_kernel_is_used_and_configuration_round_trips():
    layer, inputs = prepared((4, 5, 6, 3), momentum=0.8, synchronized=False)
    graph = (
        tf.function(lambda x: layer(x, training=True))
        .get_concrete_function(inputs)
        .graph
    )
    assert "FusedBatchNormV3" in {op.type for op in graph.get_operations()}
    config = layer.get_config()
    again = BatchNormalization.from_config(config)
    assert again.get_config() == config
    assert again.momentum == 0.8
    assert set(config) <= set(keras.layers.BatchNormalization().get_config())


def test_renormalisation_is_refused():
    with pytest.raises(ValueError, match="renorm=True"):
        batch_norm.BatchNormalization(renorm=True)


def test_float16_compiled_for_several_replicas_is_refused_by_name():
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        layer = BatchNormalization(dtype="mixed_float16")
        layer.build((4, 2, 2, 3))
    inputs = tf.ones((4, 2, 2, 3), "float16")

    def step():
        return tf.function(lambda: layer(inputs, training=True), jit_compile=True)()

    with pytest.raises(ValueError, match="mixed_float16 with jit_compile=True"):
        tf.function(lambda: strategy.run(step))()
