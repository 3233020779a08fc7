import pytest
import tensorflow as tf

from keras_regnet.training.strategies import make_strategy, set_memory_growth
from tests.training.processes import free_ports, tf_config

pytestmark = pytest.mark.usefixtures("without_gpus")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "multi"}, "strategy must be one of"),
        ({"name": "mirrored", "all_reduce": "tree"}, "all_reduce must be one of"),
        ({"name": "mirrored", "all_reduce": "ring"}, "mirrored.*Received: 'ring'"),
        ({"name": "mirrored", "all_reduce": "nccl"}, "needs GPUs"),
        ({"name": "single", "all_reduce": "hierarchical_copy"}, "nothing to add"),
        ({"name": "mirrored", "num_gpus": 2}, "the 0 GPUs.*Received: 2"),
        ({"name": "multi_worker"}, "TF_CONFIG.*Received: none"),
        ({"name": "single", "timeout": -1}, "at least 0 seconds. Received: -1"),
    ],
)
def test_what_does_not_fit_is_refused(monkeypatch, arguments, message):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ValueError, match=message):
        make_strategy(**arguments)


def test_auto_reads_tf_config(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{")
    with pytest.raises(ValueError, match="must be JSON"):
        make_strategy("auto")
    assert make_strategy("single").num_replicas_in_sync == 1
    # One worker is no reason for a strategy of several.
    monkeypatch.setenv("TF_CONFIG", tf_config(free_ports(1), 0))
    assert make_strategy("auto") is tf.distribute.get_strategy()
    # In this process TensorFlow has started.
    with pytest.raises(ValueError, match="before TensorFlow is first used"):
        make_strategy("multi_worker")
    monkeypatch.setenv("TF_CONFIG", tf_config(free_ports(2), 0))
    with pytest.raises(ValueError, match=r"all_reduce must be one of.*hierarchical"):
        make_strategy("auto", all_reduce="hierarchical_copy")


@pytest.mark.parametrize(
    "all_reduce", ["auto", "hierarchical_copy", "reduction_to_one_device"]
)
def test_sums_over_logical_devices(all_reduce):
    strategy = make_strategy("mirrored", all_reduce=all_reduce)

    @tf.function
    def total():
        def replica():
            context = tf.distribute.get_replica_context()
            rank = tf.cast(context.replica_id_in_sync_group, tf.float32)
            return context.all_reduce("SUM", rank + 1)

        return strategy.experimental_local_results(strategy.run(replica))

    assert [part.numpy() for part in total()] == [3.0, 3.0]


def test_memory_growth_needs_no_gpu():
    set_memory_growth()
