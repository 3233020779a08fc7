"""Which workers a run has, and which is this one: from TF_CONFIG or from SLURM."""

import dataclasses
import json
import os
import re
from collections.abc import Mapping
from typing import Any

STRATEGIES = ("auto", "single", "mirrored", "multi_worker", "slurm")
ALL_REDUCES = ("auto", "nccl", "hierarchical_copy", "reduction_to_one_device", "ring")

_EXAMPLE = (
    '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers of a run.

    Attributes:
        addresses: `host:port` of every worker, the chief's first.
        index: Which of them this process is.
    """

    addresses: tuple[str, ...]
    index: int


def from_tf_config(environment: Mapping[str, str] = os.environ) -> Cluster | None:
    """Reads the environment variable TF_CONFIG.

    Args:
        environment: The environment variables.

    Returns:
        The workers; a `chief` task is worker 0. None where TF_CONFIG is absent, empty
        or names no cluster.

    Raises:
        ValueError: It is malformed, or has tasks that take no part in synchronous
            training (`ps`, `evaluator`).
    """
    text = environment.get("TF_CONFIG", "")
    if not text.strip():
        return None
    try:
        config = json.loads(text)
    except ValueError as error:
        _refuse(f"must be JSON ({error})", text)
    if not isinstance(config, dict):
        _refuse("must be a JSON object", text)
    jobs = config.get("cluster")
    if not jobs:
        return None
    if not isinstance(jobs, dict) or not all(
        isinstance(tasks, list) for tasks in jobs.values()
    ):
        _refuse('must have lists of addresses in "cluster"', jobs)
    if other := sorted(set(jobs) - {"chief", "worker"}):
        _refuse(
            'may have "worker" tasks and one "chief"; others take no part in '
            "synchronous training",
            other,
        )
    if len(jobs.get("chief", [])) > 1:
        _refuse('may have one "chief"', jobs["chief"])
    addresses = [*jobs.get("chief", []), *jobs.get("worker", [])]
    for address in addresses:
        if not isinstance(address, str) or not re.fullmatch(r".+:\d{1,5}", address):
            _refuse("must have addresses of the form host:port", address)
    if len(set(addresses)) < len(addresses):
        _refuse("must not have an address twice", addresses)
    return Cluster(tuple(addresses), _index(config.get("task"), jobs))


def _index(task: Any, jobs: Mapping[str, list[str]]) -> int:
    """Which worker the `task` of a TF_CONFIG is, the chief being worker 0."""
    if not isinstance(task, dict) or not {"type", "index"} <= set(task):
        _refuse('must say which worker this is: "task" with "type" and "index"', task)
    count = len(jobs.get(task["type"], []))
    if not count:
        _refuse(f'must have a "task" of a type in "cluster" {sorted(jobs)}', task)
    index = task["index"]
    if isinstance(index, str) and index.isdecimal():
        index = int(index)
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < count:
        _refuse(
            f'must have a "task" index from 0 to {count - 1}, as its "cluster" has '
            f"{count} {task['type']} task(s)",
            task,
        )
    return index + (len(jobs.get("chief", [])) if task["type"] == "worker" else 0)


def _refuse(expected: str, received: Any) -> None:
    raise ValueError(
        f"TF_CONFIG {expected}, as in {_EXAMPLE}. Received: {received!r}"
    ) from None


def from_slurm(environment: Mapping[str, str] = os.environ) -> Cluster:
    """Asks TensorFlow's `SlurmClusterResolver` for the workers of a SLURM job step.

    Every task that `srun` starts is a worker. Only the resolver's addresses are used:
    it sorts hosts as words, n10 before n9, while SLURM counts its tasks from n9 on; and
    it gives GPUs to tasks without asking what SLURM has given them.

    Args:
        environment: The environment variables; `os.environ` but for `SLURM_JOB_ID` and
            `SLURMD_NODENAME`, since the resolver reads those of the process.

    Returns:
        The workers.

    Raises:
        ValueError: This is no job step, or its tasks are not numbered node after node.
    """
    import tensorflow as tf

    job = environment.get("SLURM_JOB_ID", "0")
    try:
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            # Two jobs on one node must not meet. Below the ports that systems hand out.
            port_base=12000 + (int(job) if job.isdecimal() else 0) * 16 % 20000,
            # Any numbers that fit, or else it runs nvidia-smi.
            gpus_per_node=1 << 16,
            gpus_per_task=1,
            auto_set_gpu=False,
        )
        jobs = resolver.cluster_spec().as_dict()
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            "With the strategy slurm every worker is started by srun, which sets "
            "SLURM_PROCID, SLURM_STEP_NUM_TASKS, SLURM_STEP_NODELIST and "
            f"SLURM_STEP_TASKS_PER_NODE. Received: {error}"
        ) from error
    addresses = tuple(sorted(jobs["worker"], key=_natural))
    cluster = Cluster(addresses, resolver.task_id)
    host = addresses[cluster.index].rpartition(":")[0]
    here = environment.get("SLURMD_NODENAME", host)
    if here.partition(".")[0] != host.partition(".")[0]:
        raise ValueError(
            "With the strategy slurm the tasks must be numbered node after node "
            "(srun --distribution=block) in the order of the nodes' names; otherwise "
            f"give TF_CONFIG. Received: task {cluster.index} on {here} instead of "
            f"{host}, of {list(addresses)}"
        )
    return cluster


def _natural(address: str) -> list[tuple[int, str]]:
    """A key that sorts n9 before n10."""
    parts = re.findall(r"\d+|\D+", address)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def slurm_share_of_gpus(
    gpus: int, environment: Mapping[str, str] = os.environ
) -> tuple[int, int] | None:
    """Which of the visible GPUs a SLURM task should use.

    Args:
        gpus: Number of GPUs that the process sees.
        environment: The environment variables.

    Returns:
        (first, count), or None where all are meant for this task: it is alone on its
        node, or SLURM has already given each task its own (`--gpus-per-task`).

    Raises:
        ValueError: The GPUs of the node cannot be divided by its tasks.
    """
    task = int(environment.get("SLURM_LOCALID", 0))
    node = int(environment.get("SLURM_NODEID", 0))
    per_node = []
    for part in environment.get("SLURM_STEP_TASKS_PER_NODE", "1").split(","):
        tasks, _, times = part.rstrip(")").partition("(x")
        per_node += [int(tasks)] * int(times or 1)
    tasks = per_node[node] if node < len(per_node) else 1
    on_node = int(environment.get("SLURM_GPUS_ON_NODE", gpus))
    if tasks == 1 or not gpus or gpus < on_node:
        return None
    if gpus % tasks:
        raise ValueError(
            f"The {tasks} tasks of a node must get equally many GPUs; --gpus-per-task "
            f"says how many. Received: {gpus} GPUs"
        )
    return task * (gpus // tasks), gpus // tasks
