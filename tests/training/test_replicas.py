"""Two replicas take the steps of one device: same global batch, same numbers."""

import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_regnet
from keras_regnet.training import Trainer
from keras_regnet.training.strategies import make_strategy
from tests.training import toys
from tests.training.test_going_on import Raise


@pytest.fixture(scope="module")
def mirrored():
    strategy = make_strategy("mirrored")
    assert strategy.num_replicas_in_sync == 2
    return strategy


def run(tmp_path, name, strategy, dtype="float64", **arguments):
    with strategy.scope():
        model = toys.network(synchronized=True, dtype=dtype)
    arguments = {"config": toys.config()} | arguments
    before = [variable.numpy() for variable in model.trainable_variables]
    result = Trainer(
        model,
        toys.train(dtype=dtype),
        toys.validation(25, 57, dtype),  # 25, 25 and 7
        run_dir=tmp_path / name,
        strategy=strategy,
        save_models=False,
        verbose=0,
        **arguments,
    ).train()
    updates = [
        variable.numpy() - old
        for variable, old in zip(model.trainable_variables, before, strict=True)
    ]
    return result, updates, [v.numpy() for v in model.non_trainable_variables]


def test_two_replicas_equal_one_device(tmp_path, mirrored):
    one = run(tmp_path, "one", tf.distribute.get_strategy())
    two = run(tmp_path, "two", mirrored)
    for mine, theirs in zip(one[1], two[1], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-9)
    assert np.abs(one[1][0]).max() > 1e-2
    for mine, theirs in zip(one[2], two[2], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)
    for mine, theirs in zip(one[0].history, two[0].history, strict=True):
        assert mine["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-6)
        assert mine["train_accuracy"] == theirs["train_accuracy"]
        assert mine["validation_count"] == theirs["validation_count"] == 57
        assert mine["validation_accuracy"] == theirs["validation_accuracy"]
        assert mine["validation_loss"] == pytest.approx(
            theirs["validation_loss"], rel=1e-6
        )


def one_step(tmp_path, strategy, dtype):
    """The first step of a two-stage RegNet: loss, updates, running statistics."""
    with strategy.scope():
        keras.utils.set_random_seed(0)
        model = keras_regnet.RegNetX(
            depth=2,
            w0=16,
            wa=16,
            wm=2.0,
            group_width=8,
            input_shape=(32, 32, 3),
            classes=5,
            classifier_activation=None,
            synchronized_batch_norm=True,
            dtype=dtype,
        )
    assert [layer.name for layer in model.layers if "_b" in layer.name] == [
        "s1_b1",
        "s2_b1",
    ]
    rng = np.random.default_rng(0)
    images = rng.normal(size=(16, 32, 32, 3)).astype(dtype)
    labels = rng.integers(0, 5, 16).astype("int32")
    before = [variable.numpy() for variable in model.trainable_variables]
    result = Trainer(
        model,
        tf.data.Dataset.from_tensor_slices((images, labels)).batch(16, True),
        None,
        toys.config(epochs=1),
        tmp_path / f"{strategy.num_replicas_in_sync}-{dtype}",
        strategy=strategy,
        save_models=False,
        verbose=0,
    ).train()
    updates = [
        variable.numpy() - old
        for variable, old in zip(model.trainable_variables, before, strict=True)
    ]
    statistics = [variable.numpy() for variable in model.non_trainable_variables]
    return result.final["train_loss"], updates, statistics


@pytest.mark.long
@pytest.mark.parametrize(
    "dtype", [pytest.param("float32", marks=pytest.mark.slow), "float64"]
)
def test_the_first_step_of_a_regnet_is_that_of_one_device(tmp_path, mirrored, dtype):
    one = one_step(tmp_path, tf.distribute.get_strategy(), dtype)
    two = one_step(tmp_path, mirrored, dtype)
    tolerance = 1e-5 if dtype == "float32" else 1e-6
    assert one[0] == pytest.approx(two[0], rel=tolerance)
    for mine, theirs in zip(one[2], two[2], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance)
    if dtype == "float64":  # in float32 the order of a sum alone moves gradients
        for mine, theirs in zip(one[1], two[1], strict=True):
            largest = np.abs(mine).max()
            assert largest > 1e-6
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-6 * largest)


def test_penalties_count_once(tmp_path, mirrored):
    def updates(name, strategy):
        with strategy.scope():
            keras.utils.set_random_seed(0)
            penalty = keras.regularizers.L2(0.1)
            layer = keras.layers.Dense(3, kernel_regularizer=penalty, dtype="float64")
            layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), layer]
            model = keras.Sequential(layers)
        result = Trainer(
            model,
            toys.train(dtype="float64"),
            None,
            toys.config(epochs=1),
            tmp_path / name,
            strategy=strategy,
            save_models=False,
            verbose=0,
        ).train()
        return layer.kernel.numpy(), result.final["train_loss"]

    one = updates("one", tf.distribute.get_strategy())
    two = updates("two", mirrored)
    np.testing.assert_allclose(one[0], two[0], rtol=1e-6)
    assert one[1] == pytest.approx(two[1], rel=1e-6)


def test_going_on_with_another_number_of_replicas(tmp_path, mirrored):
    """A run may move to another machine: the configuration is the same."""
    run(tmp_path, "run", mirrored)
    (tmp_path / "run" / "result.json").unlink()
    result, _, _ = run(tmp_path, "run", tf.distribute.get_strategy(), resume=True)
    assert result.final["epoch"] == 4


@pytest.mark.long
def test_checkpoint_times_change_nothing(tmp_path, mirrored):
    """Each replica has batch statistics of its own, in the averages too."""

    def run(name, callbacks=(), resume=False, **fields):
        with mirrored.scope():
            model = toys.network()
        Trainer(
            model,
            toys.train(),
            None,
            toys.config(epochs=2, ema_decay=0.9, **fields),
            tmp_path / name,
            strategy=mirrored,
            callbacks=callbacks,
            resume=resume,
            save_models=False,
            verbose=0,
        ).train()
        newest = sorted((tmp_path / name / "checkpoints").glob("step-*.npz"))[-1]
        with np.load(newest) as file:
            return {key: file[key] for key in file.files if "/" in key}

    undisturbed = run("undisturbed")
    often = run("often", checkpoint_every_steps=1)
    with pytest.raises(KeyboardInterrupt):
        run("resumed", [Raise(signal.SIGINT, 4)])
    resumed = run("resumed", resume=True)
    for other in (often, resumed):
        assert undisturbed.keys() == other.keys()
        for key, value in undisturbed.items():
            np.testing.assert_array_equal(other[key], value)


@pytest.mark.parametrize("accumulation", [1, 2])
def test_dropout_masks_differ_between_replicas(tmp_path, mirrored, accumulation):
    """All rows are ones, so the update is the mean of the rows' masks, of 0 or 2."""
    rows = 2 * accumulation
    with mirrored.scope():
        dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
        layers = [keras.Input((64,)), keras.layers.Dropout(0.5), dense]
        model = keras.Sequential(layers)
    data = tf.data.Dataset.from_tensors((np.ones((rows, 64), "float32"), [0] * rows))
    Trainer(
        model,
        lambda epoch: data,
        None,
        toys.config(
            epochs=1,
            warmup_epochs=0,
            learning_rate=1.0,
            momentum=0.0,
            nesterov=False,
            weight_decay=0.0,
            accumulation=accumulation,
        ),
        tmp_path,
        strategy=mirrored,
        loss=lambda labels, outputs: -outputs[:, 0],
        save_models=False,
        verbose=0,
    ).train()
    means = set(np.round(dense.kernel.numpy().ravel() * rows / 2))
    assert means == set(range(rows + 1))  # of equal masks: even numbers alone
    states = model.non_trainable_variables[-1].value.values
    np.testing.assert_array_equal(*[state.numpy() for state in states])


def test_float16_skips_a_step_on_all_replicas_or_none(tmp_path, mirrored):
    """The second replica alone overflows; Keras asks only the first."""
    with mirrored.scope():
        model = toys.network(dtype="mixed_float16")
    images, labels = toys.arrays(16)
    labels[:] = np.arange(16) // 8
    data = tf.data.Dataset.from_tensors((images, labels)).repeat(1)
    data = data.map(lambda x, y: (tf.ensure_shape(x, (16, 8, 8, 1)), y))
    trainer = Trainer(
        model,
        data,
        None,
        toys.config(epochs=1, warmup_epochs=0),
        tmp_path,
        strategy=mirrored,
        loss=_finite_loss,
        verbose=0,
    )
    before = [variable.numpy() for variable in model.trainable_variables]
    scale = trainer.loop.optimizer.dynamic_scale.numpy()
    trainer.train()
    for variable, old in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)
    assert trainer.loop.optimizer.dynamic_scale.numpy() == scale / 2


def _finite_loss(labels, outputs):
    """A loss of 1 whose gradient is infinite for the label 1."""
    steep = tf.where(labels[:, None] == 1, float("inf"), 1.0)

    @tf.custom_gradient
    def loss(outputs):
        return tf.ones_like(outputs[:, 0]), lambda dy: dy[:, None] * steep * outputs

    return loss(outputs)


@pytest.mark.parametrize("dataset", [toys.train(15), lambda _: toys.validation()])
def test_uneven_training_batches_are_refused(tmp_path, mirrored, dataset):
    with mirrored.scope():
        model = toys.network()
    with pytest.raises(ValueError, match="2 replicas"):
        Trainer(model, dataset, None, toys.config(), tmp_path, strategy=mirrored)


def test_a_model_built_elsewhere_is_refused(tmp_path, mirrored):
    with pytest.raises(ValueError, match="strategy's scope"):
        Trainer(
            toys.network(),
            toys.train(),
            None,
            toys.config(),
            tmp_path,
            strategy=mirrored,
        )
