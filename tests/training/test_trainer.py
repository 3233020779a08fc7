import csv
import errno
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.training import NonFiniteLossError, Trainer
from tests.training import toys


def trainer(run_dir, model=None, **arguments):
    arguments = {
        "train_dataset": toys.train(),
        "validation_dataset": toys.validation(),
        "config": toys.config(),
        "verbose": 0,
        "save_models": False,
    } | arguments
    return Trainer(model or toys.network(), run_dir=run_dir, **arguments)


@pytest.mark.kernels
def test_learns_and_leaves_everything_in_the_run_directory(tmp_path):
    model = toys.network()
    config = toys.config(epochs=8, label_smoothing=0.1)
    path = tmp_path / "a" / "run"
    result = trainer(path, model, config=config, save_models=True).train()
    assert result.final["validation_accuracy"] > 0.9
    assert result.history[0]["train_loss"] > 2 * result.final["train_loss"] - 0.5
    run = tmp_path / "a" / "run"
    with open(run / "log.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == [str(n) for n in range(1, 9)]
    assert json.loads((run / "result.json").read_text())["final"] == result.final
    described = json.loads((run / "config.json").read_text())
    assert described["configuration"]["training"] == config.to_dict()
    assert described["environment"]["versions"]["keras"] == keras.__version__
    assert list((run / "tensorboard").rglob("events*"))
    assert (run / "learning_curve.png").stat().st_size > 1000
    checkpoints = sorted(path.name for path in (run / "checkpoints").iterdir())
    assert checkpoints == ["best.npz", "step-000000042.npz", "step-000000048.npz"]
    assert not list(run.glob(".*"))

    images, _ = toys.arrays(5)
    expected = model.predict_on_batch(images)
    loaded = keras.saving.load_model(run / "model.keras")
    np.testing.assert_allclose(loaded.predict_on_batch(images), expected, atol=1e-6)
    served = tf.saved_model.load(run / "saved_model")
    np.testing.assert_allclose(served.serve(images), expected, atol=1e-6)


def test_evaluation_counts_every_example_once(tmp_path):
    model = toys.network()
    result = trainer(tmp_path, model).train()
    images, labels = toys.arrays(50, seed=1)  # in batches of 20, 20 and 10
    outputs = model.predict(images, verbose=0)
    final = result.final
    assert final["validation_count"] == 50
    assert final["validation_accuracy"] == (outputs.argmax(-1) == labels).mean()
    losses = keras.losses.sparse_categorical_crossentropy(labels, outputs, True)
    assert final["validation_loss"] == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An undisturbed run of 4 epochs of 6 steps, and its folder."""
    path = tmp_path_factory.mktemp("whole")
    keras.utils.set_random_seed(0)
    network = toys.network(dropout=0.2)
    config = toys.config(ema_decay=0.9)
    return trainer(path, network, config=config, save_models=True).train(), path


@pytest.mark.parametrize(("every", "judged"), [(3, [3, 4]), (0, [4])])
def test_judged_every_so_many_epochs_and_at_the_end(tmp_path, whole, every, judged):
    config = toys.config(validate_every_epochs=every, ema_decay=0.9)
    network = toys.network(dropout=0.2)
    history = trainer(tmp_path, network, config=config).train().history
    assert [row["epoch"] for row in history if "validation_loss" in row] == judged
    same = "validation_loss", "ema_validation_accuracy", "validation_count"
    assert {n: history[-1][n] for n in same} == {n: whole[0].final[n] for n in same}


def test_same_seed_same_numbers_whatever_the_steps_per_execution(tmp_path, whole):
    config = toys.config(ema_decay=0.9, steps_per_execution=4)  # an epoch has 6 steps
    result = trainer(tmp_path, toys.network(dropout=0.2), config=config).train()
    assert toys.numbers(result) == toys.numbers(whole[0])


@pytest.mark.parametrize("killed_after", ["epoch", "checkpoint"])
@pytest.mark.kernels
def test_going_on_ends_at_the_same_numbers(tmp_path, monkeypatch, whole, killed_after):
    # Stops in the third epoch: before anything of it is written, or before its log.
    options = {"config": toys.config(ema_decay=0.9), "save_models": True}
    stopped = trainer(tmp_path, toys.network(dropout=0.2), **options)
    if killed_after == "epoch":
        target, name, calls = stopped.validator, "run", 2
    else:
        target, name, calls = stopped.run, "write_log", 2
    original = getattr(target, name)
    seen = []

    def stop(*arguments):
        seen.append(arguments)
        if len(seen) > calls:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(target, name, stop)
    with pytest.raises(KeyboardInterrupt):
        stopped.train()

    # Other first weights: everything must come from the checkpoint.
    model = toys.network(dropout=0.2, seed=5)
    result = trainer(tmp_path, model, resume=True, **options).train()
    assert toys.numbers(result) == toys.numbers(whole[0])
    for folder in (whole[1], tmp_path):
        rows = (folder / "log.csv").read_text().splitlines()
        assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2", "3", "4"]
    images, _ = toys.arrays(5)
    outputs = [
        keras.saving.load_model(folder / "model.keras")(images).numpy()
        for folder in (whole[1], tmp_path)
    ]
    np.testing.assert_array_equal(*outputs)


def test_a_complete_run_is_left_alone(tmp_path, capsys):
    first = trainer(tmp_path, save_models=True).train()
    before = (tmp_path / "model.keras").stat().st_mtime_ns
    model = toys.network(seed=3)
    again = trainer(tmp_path, model, resume=True, verbose=1, save_models=True)
    second = again.train()
    assert "complete" in capsys.readouterr().out
    assert second.history == first.history
    assert (tmp_path / "model.keras").stat().st_mtime_ns == before
    # The model has the trained weights.
    images, _ = toys.arrays(5)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(images), model(images))


def test_another_configuration_is_refused_by_name(tmp_path):
    trainer(tmp_path)
    with pytest.raises(ValueError, match="--resume"):
        trainer(tmp_path)
    with pytest.raises(ValueError, match=r"training.momentum: 0.9 before, 0.3 now"):
        trainer(tmp_path, config=toys.config(momentum=0.3), resume=True)
    with pytest.raises(ValueError, match=r"note: '\(none\)' before, 'x' now"):
        trainer(tmp_path, description={"note": "x"}, resume=True)
    trainer(tmp_path, resume=True)


def test_unwritable_and_full_directories(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError, match="file/run"):
        trainer(tmp_path / "file" / "run")

    def full(path, text):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("keras_regnet.training.run_directory.write_text", full)
    with pytest.raises(OSError, match=r"Cannot write .*run: .*the disk .* is full"):
        trainer(tmp_path / "run")


def test_non_finite_loss_stops_with_the_place(tmp_path):
    def loss(labels, outputs):
        return tf.cast(labels, tf.float32) * float("inf") + outputs[:, 0]

    with pytest.raises(NonFiniteLossError, match=r"in step 1 of 6 of epoch 1"):
        trainer(tmp_path, loss=loss).train()
    assert not (tmp_path / "result.json").exists()


def test_a_keras_loss_soft_labels_and_no_validation(tmp_path):
    soft = toys.train()(0).map(lambda x, y: (x, tf.one_hot(y, toys.CLASSES)))
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    for name, given in (("a", loss), ("b", None)):
        result = trainer(
            tmp_path / name, train_dataset=soft, validation_dataset=None, loss=given
        ).train()
        assert result.final["train_accuracy"] > 0.6
        assert "validation_loss" not in result.final


@pytest.mark.long
def test_penalties_are_part_of_the_loss(tmp_path):
    def model(factor):
        keras.utils.set_random_seed(0)
        penalty = keras.regularizers.L2(factor)
        return keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                keras.layers.Flatten(),
                keras.layers.Dense(3, kernel_regularizer=penalty),
            ]
        )

    config = toys.config(epochs=1, learning_rate=1e-9)
    small, large = (
        trainer(tmp_path / str(factor), model(factor), config=config).train().final
        for factor in (0.0, 1.0)
    )
    expected = float(np.sum(np.square(model(0.0).trainable_variables[0])))
    for part in ("train_loss", "validation_loss"):
        assert large[part] - small[part] == pytest.approx(expected, rel=1e-3)


def test_endless_data_need_a_length(tmp_path):
    endless = toys.train()(0).repeat()
    with pytest.raises(ValueError, match="steps_per_epoch"):
        trainer(tmp_path, train_dataset=endless)
    result = trainer(tmp_path, train_dataset=endless, steps_per_epoch=3).train()
    assert len(result.history) == 4


@pytest.mark.kernels
def test_mixed_float16_scales_the_loss(tmp_path):
    model = toys.network(dtype="mixed_float16")
    run = trainer(tmp_path, model, config=toys.config(epochs=6))
    assert isinstance(run.loop.optimizer, keras.optimizers.LossScaleOptimizer)
    assert run.train().final["train_accuracy"] > 0.8
    again = trainer(tmp_path, model, config=toys.config(epochs=6), resume=True)
    assert again.train().final["epoch"] == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"config": {"epochs": 1}}, "TrainingConfig"),
        ({"train_dataset": [1, 2]}, "train_dataset"),
        ({"train_dataset": tf.data.Dataset.range(3)}, "pairs"),
        ({"loss": "mse"}, "loss must be"),
        ({"steps_per_epoch": 7}, "6 batches"),
        ({"model": keras.Sequential([keras.layers.Dense(3)])}, "built"),
        ({"validation_dataset": toys.arrays()}, "validation_dataset"),
    ],
)
def test_wrong_arguments(tmp_path, arguments, message):
    arguments = {"train_dataset": toys.train()} | arguments
    if not callable(arguments["train_dataset"]):
        data = arguments["train_dataset"]
        arguments["train_dataset"] = lambda epoch: data
    with pytest.raises(ValueError, match=message):
        trainer(tmp_path, **arguments)


def test_label_smoothing_belongs_to_the_default_loss(tmp_path):
    with pytest.raises(ValueError, match="label_smoothing"):
        trainer(
            tmp_path,
            config=toys.config(label_smoothing=0.1),
            loss=keras.losses.MeanSquaredError(),
        )


def test_without_models(tmp_path):
    """For whoever saves something else: all but the models and the picture."""
    trainer = Trainer(
        toys.network(),
        toys.train(),
        toys.validation(),
        toys.config(epochs=1),
        tmp_path,
        save_models=False,
        verbose=0,
    )
    trainer.train()
    left = {path.name for path in tmp_path.iterdir()}
    assert {"result.json", "log.csv", "checkpoints"} <= left
    assert not left & {"model.keras", "saved_model", "learning_curve.png"}


@pytest.mark.parametrize("optimizer", ["adamw", "lamb"])
def test_rates_of_layers_need_an_optimizer_that_has_them(tmp_path, optimizer):
    with pytest.raises(ValueError, match=f"Received: optimizer='{optimizer}'"):
        Trainer(
            toys.network(),
            toys.train(),
            None,
            toys.config(optimizer=optimizer),
            tmp_path / "run",
            learning_rate_factors={"dense": 0.5},
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"learning_rate_factors": {"stme": 0.1}}, "Received: 'stme'"),
        ({"loss": "cross", "from_logits": False}, "from_logits=False"),
        ({"save": toys.network(), "save_models": False}, "save_models=False"),
    ],
)
def test_arguments_that_would_do_nothing_are_refused(tmp_path, arguments, message):
    run_dir = tmp_path / "run"
    with pytest.raises(ValueError, match=message):
        Trainer(toys.network(), toys.train(), None, toys.config(), run_dir, **arguments)
    assert not run_dir.exists()


class Twice(keras.layers.Layer):
    def call(self, inputs):
        return inputs * 2


class Configured(keras.layers.Layer):
    """Cannot be made again from its configuration."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function

    def call(self, inputs):
        return self.function(inputs)


def with_layer(layer):
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), layer]
    return keras.Sequential([*layers, keras.layers.Dense(toys.CLASSES)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Twice, r"classes or functions of your own: Twice\."),
        (lambda: keras.layers.Lambda(lambda x: x * 2), "safe_mode=False"),
        (
            lambda: keras.layers.Dense(9, activation=lambda x: x * 2),
            "cannot be loaded again",
        ),
    ],
)
def test_layers_of_the_users_own(tmp_path, make, message):
    def trainer(**arguments):
        config = toys.config(epochs=1, warmup_epochs=0)
        model = with_layer(make())
        return model, Trainer(
            model, toys.train(), None, config, tmp_path, verbose=0, **arguments
        )

    with pytest.warns(UserWarning, match=message):
        model, run = trainer()
    run.train()
    images, _ = toys.arrays(4)
    loaded = tf.saved_model.load(str(tmp_path / "saved_model"))
    np.testing.assert_allclose(
        loaded.serve(images), model(images), rtol=1e-5, atol=1e-5
    )
    (tmp_path / "result.json").unlink()
    with pytest.warns(UserWarning, match=message):
        trainer(resume=True)[1].train()
    assert (tmp_path / "result.json").exists()


def test_a_layer_that_cannot_be_saved_is_refused_before_the_first_epoch(tmp_path):
    def trainer(**arguments):
        model = with_layer(Configured(keras.ops.abs))
        config = toys.config(epochs=1, warmup_epochs=0)
        run_dir = tmp_path / "run"
        return Trainer(
            model, toys.train(), None, config, run_dir, verbose=0, **arguments
        )

    with pytest.raises(ValueError, match=r"(?s)get_config.*Configured"):
        trainer()
    assert not (tmp_path / "run").exists()
    trainer(save_models=False).train()


def test_rates_of_layers_reach_the_weights(tmp_path):
    network = toys.network()
    before = [variable.numpy() for variable in network.trainable_variables]
    convolution = network.trainable_variables[0].path.removesuffix("/kernel")
    Trainer(
        network,
        toys.train(),
        None,
        toys.config(epochs=1, warmup_epochs=0),
        tmp_path,
        learning_rate_factors={convolution: 0.0},
        save_models=False,
        verbose=0,
    ).train()
    moved = [
        not np.array_equal(variable, old)
        for variable, old in zip(network.trainable_variables, before, strict=True)
    ]
    assert moved == [False, True, True, True, True]


@pytest.mark.parametrize("on_nan", ["stop", "skip"])
def test_batches_need_no_size_that_is_known_before(tmp_path, on_nan):
    data = tf.data.Dataset.from_tensor_slices(toys.arrays()).batch(16)
    assert data.element_spec[0].shape[0] is None
    config = toys.config(epochs=1, warmup_epochs=0, on_nan=on_nan)
    result = Trainer(
        toys.network(), data, None, config, tmp_path, save_models=False, verbose=0
    ).train()
    assert np.isfinite(result.final["train_loss"])
