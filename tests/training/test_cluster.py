import json

import pytest

from keras_regnet.training import cluster

WORKERS = {"worker": ["a:1", "b:2", "c:3"]}


def read(config):
    text = config if isinstance(config, str) else json.dumps(config)
    return cluster.from_tf_config({"TF_CONFIG": text})


def task(index, kind="worker"):
    return {"type": kind, "index": index}


def test_workers_are_counted_from_the_chief():
    assert read({"cluster": WORKERS, "task": task(2)}) == cluster.Cluster(
        ("a:1", "b:2", "c:3"), 2
    )
    with_chief = WORKERS | {"chief": ["[::1]:7"]}
    found = read({"cluster": with_chief, "task": task("1"), "environment": "cloud"})
    assert found == cluster.Cluster(("[::1]:7", "a:1", "b:2", "c:3"), 2)
    found = read({"cluster": with_chief, "task": task(0, "chief")})
    assert found.index == 0


@pytest.mark.parametrize("text", ["", " ", "{}", '{"cluster": {}}'])
def test_without_a_cluster_there_are_no_workers(text):
    assert cluster.from_tf_config({"TF_CONFIG": text}) is None
    assert cluster.from_tf_config({}) is None


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{'cluster': 1}", "must be JSON"),
        ("[1]", "JSON object"),
        ({"cluster": ["a:1"], "task": task(0)}, "lists of addresses"),
        ({"cluster": {"worker": "a:1"}, "task": task(0)}, "lists of addresses"),
        ({"cluster": WORKERS}, '"task"'),
        ({"cluster": WORKERS, "task": {"type": "worker"}}, '"index"'),
        ({"cluster": WORKERS, "task": task(3)}, "from 0 to 2.*Received: .*3"),
        ({"cluster": WORKERS, "task": task(-1)}, "from 0 to 2"),
        ({"cluster": WORKERS, "task": task(True)}, "from 0 to 2"),
        ({"cluster": WORKERS, "task": task(0, "evaluator")}, "of a type"),
        (
            {"cluster": WORKERS | {"ps": ["d:4"]}, "task": task(0)},
            r"no part.*: \['ps'\]",
        ),
        ({"cluster": WORKERS | {"chief": ["d:4", "e:5"]}, "task": task(0)}, "one"),
        ({"cluster": {"worker": ["a:1", "b"]}, "task": task(0)}, "host:port.*: 'b'"),
        ({"cluster": {"worker": ["a:1", "a:1"]}, "task": task(0)}, "twice"),
    ],
)
def test_a_malformed_tf_config_says_what_is_wrong(config, message):
    with pytest.raises(ValueError, match=f"^TF_CONFIG .*{message}") as caught:
        read(config)
    assert "Received: " in str(caught.value)


@pytest.fixture
def slurm(monkeypatch):
    def set_variables(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(f"SLURM_{name}", str(value))
        return variables

    return set_variables


def test_slurm_counts_nodes_as_people_do(slurm):
    """Its resolver in TensorFlow puts n10 before n9, and calls nvidia-smi."""
    slurm(
        PROCID=2,
        STEP_NUM_TASKS=5,
        STEP_NODELIST="n[8-10]",
        STEP_TASKS_PER_NODE="2(x2),1",
    )
    job = {"SLURM_JOB_ID": "2", "SLURMD_NODENAME": "n9.site"}
    found = cluster.from_slurm(job)
    assert found.index == 2
    hosts = ["n8:12032", "n8:12033", "n9:12032", "n9:12033", "n10:12032"]
    assert list(found.addresses) == hosts
    with pytest.raises(
        ValueError, match=r"block.*Received: task 2 on n8 instead of n9"
    ):
        cluster.from_slurm({"SLURMD_NODENAME": "n8"})


def test_slurm_without_srun_is_refused(slurm, monkeypatch):
    slurm(PROCID=0)
    monkeypatch.delenv("SLURM_STEP_NUM_TASKS", raising=False)
    with pytest.raises(ValueError, match=r"started by srun.*SLURM_STEP_NUM_TASKS"):
        cluster.from_slurm({})


@pytest.mark.parametrize(
    ("gpus", "variables", "expected"),
    [
        (8, {}, None),
        (8, {"STEP_TASKS_PER_NODE": "1(x4)", "NODEID": 3}, None),
        (8, {"STEP_TASKS_PER_NODE": "1,4", "NODEID": 1, "LOCALID": 3}, (6, 2)),
        (8, {"STEP_TASKS_PER_NODE": "1,4", "NODEID": 0}, None),
        # SLURM has divided them already.
        (2, {"STEP_TASKS_PER_NODE": "4", "LOCALID": 3, "GPUS_ON_NODE": 8}, None),
        (0, {"STEP_TASKS_PER_NODE": "4"}, None),
    ],
)
def test_tasks_of_a_slurm_node_share_its_gpus(gpus, variables, expected):
    environment = {f"SLURM_{name}": str(value) for name, value in variables.items()}
    assert cluster.slurm_share_of_gpus(gpus, environment) == expected


def test_gpus_that_cannot_be_shared_are_refused():
    with pytest.raises(ValueError, match=r"3 tasks.*Received: 8 GPUs"):
        cluster.slurm_share_of_gpus(8, {"SLURM_STEP_TASKS_PER_NODE": "3"})
