"""Which devices a training run uses, from the words of a command line."""

import faulthandler
import math
import sys

import tensorflow as tf

from keras_regnet.training import cluster as clusters
from keras_regnet.training.cluster import ALL_REDUCES, STRATEGIES, Cluster
from keras_regnet.training.rendezvous import meet

_MIRRORED = {
    "nccl": tf.distribute.NcclAllReduce,
    "hierarchical_copy": tf.distribute.HierarchicalCopyAllReduce,
    "reduction_to_one_device": tf.distribute.ReductionToOneDevice,
}
_MULTI_WORKER = {
    "auto": tf.distribute.experimental.CommunicationImplementation.AUTO,
    "nccl": tf.distribute.experimental.CommunicationImplementation.NCCL,
    "ring": tf.distribute.experimental.CommunicationImplementation.RING,
}


def split_cpu(count: int) -> None:
    """Splits the CPU into `count` logical devices, to try replicas without GPUs.

    Raises:
        ValueError: `count` is below 1, or TensorFlow has already started.
    """
    if count < 1:
        raise ValueError(f"logical_cpu_devices must be at least 1. Received: {count}")
    try:
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * count,
        )
    except RuntimeError as error:
        raise ValueError(
            "The CPU can only be split before TensorFlow first uses it. "
            f"Received: {error}"
        ) from error


def set_memory_growth() -> None:
    """Makes TensorFlow take the memory of the GPUs as it needs it, instead of all.

    Raises:
        ValueError: TensorFlow has already started.
    """
    try:
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError as error:
        raise ValueError(
            "Memory growth can only be set before TensorFlow first uses the GPUs. "
            f"Received: {error}"
        ) from error


def make_strategy(
    name: str,
    *,
    all_reduce: str = "auto",
    num_gpus: int | None = None,
    timeout: float = 1800.0,
) -> tf.distribute.Strategy:
    """Makes a strategy from its name.

    A process should make one only: TensorFlow numbers its exchanges per process, and
    the second of two strategies is out of step.

    Args:
        name: `"single"` for one device; `"mirrored"` for all visible GPUs, or for all
            logical CPU devices where there is no GPU; `"multi_worker"` for the workers
            that the environment variable TF_CONFIG names, each with all its GPUs, or
            one CPU device; `"slurm"` for the tasks of a SLURM job step; `"auto"` for
            `"multi_worker"` where TF_CONFIG names several, for `"mirrored"` where
            several GPUs are visible, otherwise `"single"`.
        all_reduce: How sums over replicas are computed: `"auto"`; `"nccl"`;
            `"hierarchical_copy"` or `"reduction_to_one_device"`, where all replicas are
            in one process; `"ring"`, over workers.
        num_gpus: How many of its visible GPUs a process uses; None for all, 0 for the
            CPU.
        timeout: How many seconds to wait for other workers to come; 0 for no limit.

    Returns:
        A strategy. All workers have come.

    Raises:
        ValueError: An argument is wrong or does not fit the machine, TF_CONFIG or the
            SLURM variables are malformed, or TensorFlow has already started.
        LostWorkerError: Not all workers came.
        OSError: This worker cannot listen at its address.
    """
    if name not in STRATEGIES:
        raise ValueError(f"strategy must be one of {STRATEGIES}. Received: {name!r}")
    if all_reduce not in ALL_REDUCES:
        raise ValueError(
            f"all_reduce must be one of {ALL_REDUCES}. Received: {all_reduce!r}"
        )
    if not 0 <= timeout < math.inf:
        raise ValueError(f"timeout must be at least 0 seconds. Received: {timeout!r}")
    cluster = _cluster(name)
    if cluster and name == "auto" and len(cluster.addresses) > 1:
        name = "multi_worker"
    _check_all_reduce(name, all_reduce)
    gpus = _use_gpus(name, num_gpus)
    if all_reduce == "nccl" and not gpus:
        raise ValueError("all_reduce='nccl' needs GPUs. Received: 0 visible GPUs")
    if name in ("multi_worker", "slurm"):
        return _multi_worker(cluster, all_reduce, gpus, timeout)
    # From here on TensorFlow has started.
    devices = tf.config.list_logical_devices("GPU")
    if name == "single" or (name == "auto" and len(devices) < 2):
        if all_reduce != "auto":
            raise ValueError(
                "all_reduce says how several devices add up; one device has nothing to "
                f"add. Received: {all_reduce!r} and the strategy {name}"
            )
        return tf.distribute.get_strategy()
    if not devices:
        devices = tf.config.list_logical_devices("CPU")
        # TensorFlow's default way of adding up on CPUs breaks with a second strategy
        # in one process.
        if all_reduce == "auto":
            all_reduce = "reduction_to_one_device"
    return tf.distribute.MirroredStrategy(
        # Named, since the default would be all devices of TF_CONFIG's cluster.
        [device.name for device in devices],
        cross_device_ops=None if all_reduce == "auto" else _MIRRORED[all_reduce](),
    )


def count_devices(name: str, num_gpus: int | None = None) -> int:
    """How many devices a strategy would have, over all machines; waits for nobody.

    Args:
        name: As for `make_strategy`.
        num_gpus: GPUs of each process, whether they are here or not; None for those
            that this process sees.

    Raises:
        ValueError: TF_CONFIG or the SLURM variables are missing or malformed.
    """
    cluster = _cluster(name)
    workers = len(cluster.addresses) if cluster else 1
    if num_gpus is not None:
        return workers * max(num_gpus, 1)
    if name in ("multi_worker", "slurm") or workers > 1:
        return workers * max(_use_gpus(name, None), 1)
    return make_strategy(name).num_replicas_in_sync


def _cluster(name: str) -> Cluster | None:
    """The workers, where there can be several."""
    if name == "slurm":
        return clusters.from_slurm()
    if name not in ("auto", "multi_worker"):
        return None
    cluster = clusters.from_tf_config()
    if cluster is None and name == "multi_worker":
        raise ValueError(
            "The strategy multi_worker needs the environment variable TF_CONFIG, which "
            "names the workers. Received: none"
        )
    return cluster


def _check_all_reduce(name: str, all_reduce: str) -> None:
    several = name in ("multi_worker", "slurm")
    known = tuple(_MULTI_WORKER if several else ["auto", *_MIRRORED])
    if all_reduce not in known:
        raise ValueError(
            f"With the strategy {name} all_reduce must be one of {known}. "
            f"Received: {all_reduce!r}"
        )


def _use_gpus(name: str, number: int | None) -> int:
    """Hides the GPUs that are not to be used, and returns the number of the others."""
    gpus = tf.config.get_visible_devices("GPU")
    used = gpus
    if name == "slurm" and (share := clusters.slurm_share_of_gpus(len(gpus))):
        used = gpus[share[0] : share[0] + share[1]]
    if number is not None:
        if not 0 <= number <= len(used):
            raise ValueError(
                f"num_gpus must be from 0 to the {len(used)} GPUs that this process "
                f"has. Received: {number}"
            )
        used = used[:number]
    if used != gpus:
        try:
            tf.config.set_visible_devices(used, "GPU")
        except RuntimeError as error:
            raise ValueError(
                "GPUs can only be chosen before TensorFlow first uses them. "
                f"Received: {error}"
            ) from error
    return len(used)


def _multi_worker(
    cluster: Cluster, all_reduce: str, gpus: int, timeout: float
) -> tf.distribute.MultiWorkerMirroredStrategy:
    meet(cluster, gpus, timeout)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.addresses)}),
        task_type="worker",
        task_id=cluster.index,
        num_accelerators={"GPU": gpus},
        rpc_layer="grpc",
    )
    # A worker that died since would be waited for without end, and without letting a
    # thread of Python's run.
    if timeout:
        faulthandler.dump_traceback_later(timeout, exit=True, file=sys.__stderr__)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(
            resolver,
            tf.distribute.experimental.CommunicationOptions(
                implementation=_MULTI_WORKER[all_reduce]
            ),
        )
    except RuntimeError as error:
        raise ValueError(
            "A strategy with several workers must be made before TensorFlow is first "
            f"used. Received: {error}"
        ) from error
    except tf.errors.OpError as error:
        raise OSError(
            None,
            f"Worker {cluster.index} cannot listen at its address "
            f"{cluster.addresses[cluster.index]}: {error.message}",
        ) from error
    finally:
        faulthandler.cancel_dump_traceback_later()
