"""Several workers on this machine: processes that cannot outlive their test."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

from tests import fork_server
from tests.fork_server import ROOT


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def tf_config(ports, index):
    addresses = [f"127.0.0.1:{port}" for port in ports]
    task = {"type": "worker", "index": index}
    return json.dumps({"cluster": {"worker": addresses}, "task": task})


def run_workers(
    arguments, workers=2, timeout=300, more=None, environment=None, fresh=()
):
    """Runs `python *arguments` once per worker; returns (code, stdout, stderr) of each.

    Args:
        arguments: Of python.
        workers: Their number.
        timeout: Seconds until all that are left are killed.
        more: Further arguments by worker.
        environment: Variables by worker; by default TF_CONFIG.
        fresh: The workers that must be a Python that has imported nothing.
    """
    ports = free_ports(workers)
    processes = []
    for index in range(workers):
        variables = {"TF_CONFIG": tf_config(ports, index)}
        if environment is not None:
            variables = environment[index]
        processes.append(
            fork_server.start(
                [*arguments, *(more or {}).get(index, [])],
                env=fork_server.environment(**variables),
                cwd=ROOT,
                fresh=index in fresh,
            )
        )
    # A thread each: a full pipe must not stop one while another one is waited for.
    end = time.monotonic() + timeout
    try:
        with ThreadPoolExecutor(workers) as threads:
            outputs = list(
                threads.map(
                    lambda process: process.communicate(timeout=end - time.monotonic()),
                    processes,
                )
            )
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return [
        (process.returncode, out, err)
        for process, (out, err) in zip(processes, outputs, strict=True)
    ]
