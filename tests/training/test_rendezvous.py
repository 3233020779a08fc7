import json
import socket
import threading
import time

import pytest

from keras_regnet.training.cluster import Cluster
from keras_regnet.training.rendezvous import LostWorkerError, meet
from tests.training.processes import free_ports


def addresses(count):
    return tuple(f"127.0.0.1:{port}" for port in free_ports(count))


def together(clusters, gpus=None, timeout=20.0):
    """Lets workers meet, each in a thread; returns what each raised, or None."""
    raised = {}

    def work(place, cluster):
        try:
            meet(cluster, (gpus or {}).get(place, 2), timeout)
            raised[place] = None
        except Exception as error:
            raised[place] = error

    threads = [
        threading.Thread(target=work, args=item, daemon=True)
        for item in enumerate(clusters)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout + 20)
    return [raised[place] for place in range(len(clusters))]


def test_all_begin_when_all_have_come():
    known = addresses(3)
    assert together([Cluster(known, index) for index in range(3)]) == [None] * 3
    meet(Cluster(("a:1",), 0), 0, 0.1)  # alone


def test_who_does_not_come_is_named():
    known = addresses(3)
    first, second = together([Cluster(known, index) for index in (0, 2)], timeout=1.5)
    assert isinstance(first, LostWorkerError)
    assert str(first) == f"worker 1 ({known[1]}) did not come within 1.5 seconds."
    assert isinstance(second, LostWorkerError)


def test_a_missing_first_worker_is_named():
    known = addresses(2)
    with pytest.raises(LostWorkerError, match=f"Worker 0 .{known[0]}.*refused"):
        meet(Cluster(known, 1), 0, 0.5)


def assert_refused(errors, message):
    for error in errors:
        assert isinstance(error, ValueError)
        assert message in str(error)


def test_unequal_workers_are_refused_everywhere():
    known = addresses(2)
    clusters = [Cluster(known, 0), Cluster(known, 1)]
    assert_refused(together(clusters, gpus={1: 4}), "Received: 2 on worker 0, 4 on")
    others = Cluster((known[0], known[1], "elsewhere:1"), 1)
    assert_refused(together([clusters[0], others]), "elsewhere:1")


def begin(cluster):
    """Worker 0 begins to wait, in a thread; returns the thread and what it came to."""
    results = []
    thread = threading.Thread(
        target=lambda: results.extend(together([cluster])), daemon=True
    )
    thread.start()
    return thread, results


def say(address, line):
    """Connects to a worker 0 that may not listen yet, and says something."""
    host, _, port = address.rpartition(":")
    for _ in range(200):
        try:
            connection = socket.create_connection((host, int(port)), timeout=20)
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            connection.sendall(line)
            return connection
    pytest.fail("worker 0 does not listen")


def introduction(known, index):
    told = {"worker": index, "addresses": known, "gpus": 2}
    return json.dumps(told).encode() + b"\n"


def test_two_workers_of_one_index_are_refused():
    known = addresses(3)
    chief, results = begin(Cluster(known, 0))
    line = introduction(known, 1)
    with say(known[0], line) as first, say(known[0], line):
        assert b"worker 1 twice" in first.makefile("rb").readline()
        chief.join(20)
    assert_refused(results, "Received: worker 1 twice")
    assert len(results) == 1


def test_strangers_and_workers_that_come_twice_do_no_harm():
    known = addresses(3)
    chief, results = begin(Cluster(known, 0))
    for said in (b"GET / HTTP/1.1\r\n\r\n", b"\xff\n", b"[1]\n"):
        say(known[0], said).close()
    say(known[0], introduction(known, 1)).close()  # stopped, and comes again:
    assert together([Cluster(known, 1), Cluster(known, 2)]) == [None, None]
    chief.join(20)
    assert results == [None]


def test_an_address_that_is_taken_is_named():
    known = addresses(2)
    with (
        socket.create_server(("", int(known[1].rpartition(":")[2]))),
        pytest.raises(OSError, match=f"Worker 1 cannot listen.*{known[1]}"),
    ):
        meet(Cluster(known, 1), 0, 5)
