"""A self-check finds what is broken, and names it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.training import probe
from keras_regnet.training import self_check as checks
from keras_regnet.training.consensus import Consensus
from keras_regnet.training.strategies import make_strategy


class Broken(tf.distribute.ReductionToOneDevice):
    """Adds up all replicas but the last one."""

    def reduce_implementation(self, reduce_op, per_replica, destinations, options):
        del reduce_op, options
        first = per_replica.values[0]
        return self.broadcast(first, destinations)

    def batch_reduce_implementation(self, reduce_op, pairs, options):
        return [
            self.reduce_implementation(reduce_op, value, destinations, options)
            for value, destinations in pairs
        ]


def mirrored(all_reduce):
    devices = [device.name for device in tf.config.list_logical_devices("CPU")]
    return tf.distribute.MirroredStrategy(devices, cross_device_ops=all_reduce)


@pytest.fixture(scope="module")
def strategy():
    return make_strategy("mirrored")


def check(name, strategy):
    return getattr(checks, name)(strategy, Consensus(strategy))


def test_sums(strategy):
    assert check("_check_sums", strategy) == (["Sums over 2 replicas: right."], [])
    lines, problems = check("_check_sums", mirrored(Broken()))
    assert lines == ["Sums over 2 replicas: WRONG."]
    # Each of two types and sizes, on each of two devices.
    assert len(problems) == 8
    assert "float32 numbers is wrong on worker 0, /" in problems[0]
    assert "1 instead of 3" in problems[0]


def test_a_device_that_computes_other_numbers_is_found(strategy, monkeypatch):
    assert check("_check_devices", strategy)[1] == []
    original = probe.small_network

    class Faulty(keras.layers.Layer):
        def call(self, inputs):
            context = tf.distribute.get_replica_context()
            if context is None:  # the model is being built
                return inputs
            second = context.replica_id_in_sync_group == 1
            return tf.where(second, inputs * 1.01, inputs)

    def network(strategy, *arguments, **named):
        with strategy.scope():
            model = original(strategy, *arguments, **named)
            return keras.Model(model.inputs, Faulty()(model.outputs[0]))

    monkeypatch.setattr(probe, "small_network", network)
    lines, problems = check("_check_devices", strategy)
    assert lines == ["The same step on each device alone: WRONG."]
    assert any("CPU:1 computes other numbers" in problem for problem in problems)


@pytest.mark.long
def test_batch_normalisation_that_is_not_synchronised_is_found(strategy, monkeypatch):
    original = probe.small_network

    def network(strategy, dtype, synchronized):
        assert synchronized
        return original(strategy, dtype, synchronized=False)

    monkeypatch.setattr(probe, "small_network", network)
    monkeypatch.setattr(checks, "_COMPARISONS", checks._COMPARISONS[1:2])
    lines, problems = check("_check_steps", strategy)
    assert lines[0].endswith("WRONG.")
    assert any("1 step: the running statistics" in problem for problem in problems)
    # Each replica has its own statistics, but all have taken the same updates.
    assert not any("same weights" in problem for problem in problems)


def test_gradients_that_are_not_added_up_are_found(monkeypatch):
    monkeypatch.setattr(checks, "_COMPARISONS", checks._COMPARISONS[2:])
    lines, problems = check("_check_steps", mirrored(Broken()))
    assert lines[0].endswith("WRONG.")
    assert any("the updates of the weights" in problem for problem in problems)


def test_replicas_that_drift_apart_are_found(strategy, monkeypatch):
    original = probe.take_steps

    def take_steps(*arguments):
        steps = original(*arguments)
        steps.digests[-1] += "x"
        return steps

    monkeypatch.setattr(probe, "take_steps", take_steps)
    monkeypatch.setattr(checks, "_COMPARISONS", checks._COMPARISONS[2:])
    (problem,) = check("_check_steps", strategy)[1]
    assert "do not have the same weights afterwards" in problem


def test_distance_is_relative_and_knows_nan():
    one = [np.array([1.0, -2.0]), np.zeros(3)]
    assert probe.distance(one, one) == 0
    assert probe.distance(one, [np.array([1.0, -1.0]), np.zeros(3)]) == 0.5
    assert probe.distance(one, [np.array([1.0, -2.0]), np.full(3, 0.1)]) == 0.1
    assert probe.distance(one, [np.array([1.0, np.nan]), np.zeros(3)]) > 1e29


def test_one_replica_has_nothing_to_compare():
    with pytest.raises(ValueError, match=r"Received: 1 replica$"):
        checks.self_check(tf.distribute.get_strategy())


@pytest.mark.slow
def test_a_whole_check(strategy):
    report = checks.self_check(strategy, seconds=2)
    assert report.ok
    text = str(report)
    assert "1 worker(s), 2 replicas" in text
    assert "images/s with one replica" in text
    assert text.endswith("All is well.")
    broken = checks.self_check(mirrored(Broken()), seconds=2)
    assert not broken.ok
    assert "WRONG: The sum over the replicas" in str(broken)
