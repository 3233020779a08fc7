"""Waiting for the other workers before TensorFlow does.

`tf.distribute.MultiWorkerMirroredStrategy` waits for all workers in its constructor,
for as long as it takes and deaf to Ctrl-C; and for ever where workers have unequal
numbers of GPUs. So the workers meet here first, at the address of worker 0, where
TensorFlow's own service will listen a moment later: each sends a line of JSON, and gets
one back when all have come.
"""

import json
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any

from keras_regnet.training.cluster import Cluster

_LONGEST_LINE = 1 << 20
_SECONDS_TO_SPEAK = 5.0
_SECONDS_BETWEEN_TRIES = 0.2
_TEN_YEARS = 3e8


class LostWorkerError(RuntimeError):
    """Another worker did not come, died, or hangs."""


def meet(cluster: Cluster, gpus: int, timeout: float) -> None:
    """Waits until all workers have come, and checks that they mean the same cluster.

    Args:
        cluster: The workers.
        gpus: Number of GPUs that this worker uses.
        timeout: Longest time to wait, in seconds; 0 for no limit.

    Raises:
        LostWorkerError: Not all came; the message of worker 0 names those who did not.
        ValueError: They know other addresses or use another number of GPUs, or two
            say that they are the same worker.
        OSError: This worker cannot listen at its address.
    """
    if len(cluster.addresses) == 1:
        return
    timeout = timeout or _TEN_YEARS
    mine = {
        "worker": cluster.index,
        "addresses": list(cluster.addresses),
        "gpus": gpus,
    }
    if cluster.index:
        # Where TensorFlow could not listen later on, the others would not begin.
        _listen(cluster).close()
        _report(cluster, mine, timeout)
    else:
        _receive(cluster, mine, timeout)


def _receive(cluster: Cluster, mine: Mapping[str, Any], timeout: float) -> None:
    """Worker 0: hears all the others, then tells each how it went."""
    deadline = time.monotonic() + timeout
    answer = {"lost": "", "problem": ""}
    come: dict[int, socket.socket] = {}
    with ExitStack() as stack:
        server = stack.enter_context(_listen(cluster))
        while missing := sorted(set(range(1, len(cluster.addresses))) - set(come)):
            try:
                server.settimeout(_left(deadline))
                connection = stack.enter_context(server.accept()[0])
            except TimeoutError:
                answer["lost"] = (
                    ", ".join(f"worker {i} ({cluster.addresses[i]})" for i in missing)
                    + f" did not come within {timeout:g} seconds."
                )
                break
            theirs = _read(connection, _SECONDS_TO_SPEAK)
            if "worker" not in theirs:
                continue  # not one of us: something that looks for open ports
            # Some may have been stopped while they waited, to come again.
            come = {i: other for i, other in come.items() if not _is_gone(other)}
            answer["problem"] = _difference(mine, theirs)
            if theirs["worker"] in come:
                answer["problem"] = _twice(theirs["worker"])
                _write(connection, answer)
            if answer["problem"]:
                come.setdefault(theirs["worker"], connection)
                break
            come[theirs["worker"]] = connection
        for connection in come.values():
            _write(connection, answer)
    _raise(answer)


def _report(cluster: Cluster, mine: Mapping[str, Any], timeout: float) -> None:
    """Another worker: tells worker 0 of itself, and waits for the answer."""
    deadline = time.monotonic() + timeout
    host, _, port = cluster.addresses[0].rpartition(":")
    reason = "no answer"
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(
                (host.strip("[]"), int(port)), min(_left(deadline), _SECONDS_TO_SPEAK)
            ) as connection:
                _write(connection, mine)
                answer = _read(connection, _left(deadline))
            if "problem" in answer:
                _raise(answer)
                return
        except OSError as error:
            reason = error.strerror or str(error)
        time.sleep(_SECONDS_BETWEEN_TRIES)
    raise LostWorkerError(
        f"Worker 0 ({cluster.addresses[0]}) did not let worker {cluster.index} begin "
        f"within {timeout:g} seconds: {reason}."
    )


def _raise(answer: Mapping[str, str]) -> None:
    if answer["lost"]:
        raise LostWorkerError(answer["lost"])
    if answer["problem"]:
        raise ValueError(answer["problem"])


def _difference(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """What is wrong with another worker's line; empty where nothing is."""
    index, count = theirs["worker"], len(mine["addresses"])
    if theirs.get("addresses") != mine["addresses"]:
        return (
            "All workers must be given the same addresses in the same order. "
            f"Received: {mine['addresses']} on worker 0, {theirs.get('addresses')} on "
            f"worker {index}"
        )
    if index not in range(1, count):
        return _twice(index)
    if theirs.get("gpus") != mine["gpus"]:
        return (
            "All workers must use equally many GPUs (--num_gpus). Received: "
            f"{mine['gpus']} on worker 0, {theirs.get('gpus')} on worker {index}"
        )
    return ""


def _twice(index: object) -> str:
    return (
        f"Every worker must have an index of its own. Received: worker {index!r} twice"
    )


def _listen(cluster: Cluster) -> socket.socket:
    address = cluster.addresses[cluster.index]
    port = int(address.rpartition(":")[2])
    dual = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual else socket.AF_INET
    try:
        return socket.create_server(("", port), family=family, dualstack_ipv6=dual)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OSError(
            getattr(error, "errno", None),
            f"Worker {cluster.index} cannot listen at its address {address}: {reason}",
        ) from error


def _left(deadline: float) -> float:
    # A socket cannot wait for ever in one go.
    return min(max(deadline - time.monotonic(), 0.001), 1e6)


def _is_gone(connection: socket.socket) -> bool:
    """Whether the other end was closed: a worker was stopped, and comes again."""
    try:
        connection.setblocking(False)
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.setblocking(True)


def _write(connection: socket.socket, value: Mapping[str, Any]) -> None:
    with suppress(OSError):
        connection.settimeout(_SECONDS_TO_SPEAK)
        connection.sendall(json.dumps(value).encode() + b"\n")


def _read(connection: socket.socket, timeout: float) -> dict[str, Any]:
    """A line of JSON, or an empty dict where none came."""
    try:
        connection.settimeout(timeout)
        with connection.makefile("rb") as file:
            value = json.loads(file.readline(_LONGEST_LINE))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
