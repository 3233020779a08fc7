"""Steps that are not the plain one: pieces, clipped gradients, steps left out."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.optimizers import SGD
from keras_regnet.training import NonFiniteLossError, Trainer
from keras_regnet.training.loop import Loop
from keras_regnet.training.losses import cross_entropy
from keras_regnet.training.strategies import make_strategy
from tests.training import toys

pytestmark = pytest.mark.kernels


@pytest.fixture(scope="module")
def mirrored():
    return make_strategy("mirrored")


def without_norms():
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(4, 3, dtype="float64"),
        keras.layers.ReLU(dtype="float64"),
        keras.layers.Flatten(dtype="float64"),
        keras.layers.Dense(3, kernel_regularizer="l2", dtype="float64"),
    ]
    return keras.Sequential(layers)


def trained(
    run_dir, strategy=None, model=without_norms, data=None, resume=False, **fields
):
    strategy = strategy or tf.distribute.get_strategy()
    with strategy.scope():
        network = model()
    result = Trainer(
        network,
        data or toys.train(dtype="float64"),
        None,
        toys.config(**{"epochs": 2} | fields),
        run_dir,
        strategy=strategy,
        resume=resume,
        save_models=False,
        verbose=0,
    ).train()
    return result, [variable.numpy() for variable in network.variables]


def assert_same(first, second, rtol=1e-9):
    for mine, theirs in zip(first, second, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=1e-12)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("replicas", [1, 2])
def test_pieces_add_up_to_the_whole_batch(tmp_path, mirrored, whole, replicas):
    whole, expected = whole
    strategy = mirrored if replicas == 2 else None
    pieces, found = trained(tmp_path / "pieces", strategy, accumulation=4)
    assert_same(found, expected)
    assert pieces.final["train_loss"] == pytest.approx(whole.final["train_loss"])
    assert pieces.final["train_accuracy"] == whole.final["train_accuracy"]


def test_pieces_must_divide_a_batch(tmp_path):
    with pytest.raises(ValueError, match=r"that 3 divides\. Received: 16"):
        trained(tmp_path, accumulation=3)


@pytest.mark.parametrize("replicas", [1, 2])
def test_the_norm_of_all_gradients_is_clipped(tmp_path, mirrored, replicas):
    """One step of plain descent moves by the learning rate times the limit."""
    model = without_norms()
    before = [variable.numpy() for variable in model.variables]
    fields = {
        "epochs": 1,
        "warmup_epochs": 0,
        "schedule": "constant",
        "momentum": 0.0,
        "nesterov": False,
        "weight_decay": 0.0,
        "learning_rate": 0.5,
    }

    def data(epoch):
        return toys.train(dtype="float64")(epoch).take(1)

    strategy = mirrored if replicas == 2 else None
    _, free = trained(tmp_path / "free", strategy, data=data, **fields)
    _, tied = trained(tmp_path / "tied", strategy, data=data, clip_norm=0.1, **fields)
    moves = [
        np.concatenate([(b - a).ravel() for a, b in zip(before, after, strict=True)])
        for after in (free, tied)
    ]
    assert np.linalg.norm(moves[0]) > 0.06
    assert np.linalg.norm(moves[1]) == pytest.approx(0.05, rel=1e-6)
    np.testing.assert_allclose(
        moves[1] / np.linalg.norm(moves[1]), moves[0] / np.linalg.norm(moves[0])
    )


def with_a_bad_batch(epoch):
    """The third of six batches has a pixel that is not a number."""
    data = toys.train()(epoch).enumerate()

    def spoil(index, batch):
        images, labels = batch
        first = tf.reshape(tf.range(16) == 0, (16, 1, 1, 1))
        nan = tf.where(first & (index == 2), float("nan"), 0.0)
        return images + nan, labels

    return data.map(spoil)


class NamedData:
    """Says which images a step had."""

    batch_size = 16

    def train(self, epoch, start_step=0, shard=(0, 1)):
        return with_a_bad_batch(epoch).skip(start_step)

    def validation(self, shard=(0, 1)):
        return toys.validation()

    def batch_names(self, epoch, step, workers):
        return [f"{epoch}-{step}-{n}.jpg" for n in range(16)]


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_step_that_is_not_finite_can_be_left_out(tmp_path, mirrored, replicas):
    strategy = mirrored if replicas == 2 else None
    with pytest.warns(UserWarning, match="step 3 of 6 of epoch 1; the step is skipped"):
        result, weights = trained(
            tmp_path,
            strategy,
            toys.network,
            with_a_bad_batch,
            on_nan="skip",
            learning_rate=0.01,
        )
    assert [row["skipped_steps"] for row in result.history] == [1, 1]
    assert all(np.isfinite(value).all() for value in weights)
    assert result.final["train_loss"] < result.history[0]["train_loss"]


def test_a_step_left_out_leaves_everything_as_it_was(tmp_path):
    def only_bad(epoch):
        return with_a_bad_batch(epoch).skip(2).take(1)

    model = toys.network()
    before = [variable.numpy() for variable in model.variables]
    with pytest.warns(UserWarning, match="skipped"):
        Trainer(
            model, only_bad, None, toys.config(on_nan="skip"), tmp_path, verbose=0
        ).train()
    for variable, old in zip(model.variables, before, strict=True):
        if "seed" not in variable.path:
            np.testing.assert_array_equal(variable.numpy(), old)


def test_an_epoch_with_nothing_finite_is_told(tmp_path):
    images = np.full((16, 8, 8, 1), np.nan, "float32")
    data = tf.data.Dataset.from_tensors((images, np.zeros(16, "int32")))
    seen = []
    hook = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(logs["loss"])
    )
    with pytest.warns(UserWarning, match="Not one step of epoch 1 was finite"):
        result = Trainer(
            toys.network(),
            lambda epoch: data,
            toys.validation(),
            toys.config(epochs=1, on_nan="skip", log_every_steps=1),
            tmp_path,
            callbacks=[hook],
            save_models=False,
        ).train()
    assert np.isnan([*seen, result.final["train_loss"]]).all()
    assert (
        json.loads((tmp_path / "result.json").read_text())["final"]["train_loss"]
        is None
    )
    assert "NaN" not in (tmp_path / "metrics.jsonl").read_text()


def test_a_run_goes_on_as_its_message_advises(tmp_path):
    def go(**fields):
        return trained(tmp_path, model=toys.network, data=with_a_bad_batch, **fields)

    with pytest.raises(NonFiniteLossError, match=r"lower learning_rate.*on_nan='skip'"):
        go()
    with pytest.raises(ValueError, match="weight_decay"):
        go(resume=True, weight_decay=0.1, on_nan="skip")
    with pytest.warns(UserWarning, match=r"with learning_rate=0\.01.*skip"):
        go(resume=True, learning_rate=0.01, on_nan="skip")
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["configuration"]["training"]["learning_rate"] == 0.01
    assert written["earlier"] == [{"learning_rate": 0.1, "on_nan": "stop"}]
    with pytest.raises(ValueError, match=r"learning_rate: 0\.01 before, 0.5 now"):
        go(resume=True, learning_rate=0.5, on_nan="skip")  # it is complete


def test_stopping_names_the_step_its_images_and_the_last_checkpoint(tmp_path):
    with pytest.raises(NonFiniteLossError) as error:
        trained(
            tmp_path,
            model=toys.network,
            data=NamedData(),
            checkpoint_every_steps=1,
            steps_per_execution=6,
        )
    text = str(error.value)
    assert "in step 3 of 6 of epoch 1" in text
    assert "0-2-0.jpg, 0-2-1.jpg" in text
    names = (tmp_path / "images_of_step_3_of_epoch_1.txt").read_text().split()
    assert len(names) == 16
    (newest,) = [p for p in (tmp_path / "checkpoints").iterdir() if "000002" in p.name]
    assert str(newest) in text


def test_xla_compiles_the_step(tmp_path):
    _, expected = trained(tmp_path / "plain", epochs=1)
    _, found = trained(tmp_path / "jit", epochs=1, jit_compile=True)
    assert_same(found, expected, rtol=1e-6)


@pytest.mark.long
def test_xla_compiles_the_pieces_of_a_step(tmp_path):
    fields = {"accumulation": 2, "on_nan": "skip", "epochs": 1}
    _, expected = trained(tmp_path / "plain", **fields)
    _, found = trained(tmp_path / "jit", jit_compile=True, **fields)
    assert_same(found, expected, rtol=1e-6)
    loop = Loop(
        toys.network(),
        SGD(),
        cross_entropy(),
        tf.distribute.get_strategy(),
        accumulation=2,
        skip_non_finite=True,
        jit_compile=True,
    )
    loop.optimizer.build(loop.model.trainable_variables)
    loop.train(iter(toys.train()(0)), np.array([0.1]))
    assert loop._whole_step.experimental_get_tracing_count() == 1


def test_the_clock_of_an_accelerator_does_not_hold_up_its_input():
    """There nothing before the next batch may wait for the last step's weights."""

    def ancestors(on_accelerator):
        model = toys.network()
        optimizer = SGD()
        optimizer.build(model.trainable_variables)
        loop = Loop(model, optimizer, cross_entropy(), tf.distribute.get_strategy())
        loop._on_accelerator = on_accelerator
        batches = iter(toys.train()(0))
        graph = tf.function(lambda: loop._next(batches)).get_concrete_function().graph
        (waiting,) = [o for o in graph.get_operations() if "GetNext" in o.type]
        found, waiting = set(), [waiting]
        while waiting:
            operation = waiting.pop()
            found.add(operation.type)
            waiting += [tensor.op for tensor in operation.inputs]
            waiting += operation.control_inputs
        return found

    assert "ReadVariableOp" in ancestors(False)
    assert "ReadVariableOp" not in ancestors(True)


def test_xla_is_for_one_replica(tmp_path, mirrored):
    with pytest.raises(ValueError, match="jit_compile=True and 2 replicas"):
        trained(tmp_path, mirrored, jit_compile=True)
