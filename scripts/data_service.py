#!/usr/bin/env python3
r"""Runs a part of a tf.data service: other machines make the batches of a training.

For example, with the pictures at the same path on every machine:

  # On one machine, which the others can reach, the dispatcher. It divides the work.
  scripts/data_service.py --role=dispatcher --port=5050 \
      --workers=cpu-1:5051,cpu-2:5051

  # On each of the machines that make batches.
  scripts/data_service.py --role=worker --dispatcher=gpu-1:5050 --address=cpu-1:5051

  # Where the GPUs are: the same batches in the same order as without a service.
  scripts/train.py --data_service=grpc://gpu-1:5050 ...

Each runs until Ctrl-C or SIGTERM. All workers must be there when an epoch begins.
Whoever can reach the ports can use them: they belong in a network of your own.
"""

import os
import re
import signal
import socket
import threading

from absl import app, flags

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_ROLE = flags.DEFINE_enum(
    "role", None, ["dispatcher", "worker"], "What to be. One dispatcher, some workers."
)
_PORT = flags.DEFINE_integer(
    "port",
    None,
    "Where to listen. Of a dispatcher; 0 for any free port. A worker's is that of "
    "--address, unless another one is passed on to it.",
    lower_bound=0,
    upper_bound=65535,
)
_WORKERS = flags.DEFINE_list(
    "workers", None, "Of a dispatcher: host:port of every worker that there will be."
)
_WORK_DIR = flags.DEFINE_string(
    "work_dir",
    None,
    "Of a dispatcher: a folder for its state, so that it can be started again while "
    "others are at work.",
)
_DISPATCHER = flags.DEFINE_string(
    "dispatcher", None, "Of a worker: host:port of the dispatcher."
)
_ADDRESS = flags.DEFINE_string(
    "address",
    None,
    "Of a worker: the host:port by which others reach it, as in --workers.",
)

_OF_ROLE = {
    "dispatcher": ("port", "workers", "work_dir"),
    "worker": ("dispatcher", "address", "port"),
}
_NEEDED = {"dispatcher": ("port", "workers"), "worker": ("dispatcher", "address")}
_FLAGS = {
    "port": _PORT,
    "workers": _WORKERS,
    "work_dir": _WORK_DIR,
    "dispatcher": _DISPATCHER,
    "address": _ADDRESS,
}


def _check() -> None:
    role = _ROLE.value
    if role is None:
        raise ValueError("--role must be dispatcher or worker. Received: None")
    for name, flag in _FLAGS.items():
        if name in _NEEDED[role] and flag.value in (None, [], ""):
            raise ValueError(f"--role={role} needs --{name}. Received: {flag.value}")
        if name not in _OF_ROLE[role] and flag.value is not None:
            raise ValueError(
                f"--role={role} has no use for --{name}. Received: {flag.value}"
            )
    addresses = _WORKERS.value or [
        _DISPATCHER.value.removeprefix("grpc://"),
        _ADDRESS.value,
    ]
    for address in addresses:
        found = re.fullmatch(r"[^/\s]+:(\d+)", address)
        if not found or not 0 < int(found[1]) < 65536:
            raise ValueError(f"Expected host:port. Received: {address!r}")
    if len(set(addresses)) < len(addresses):
        raise ValueError(f"Expected different addresses. Received: {addresses}")


def _serve() -> None:
    _check()
    stopped = threading.Event()
    seen: list[signal.Signals] = []

    def stop(number: int, _: object) -> None:
        seen.append(signal.Signals(number))
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    from keras_regnet.data import service

    if _ROLE.value == "dispatcher":
        server = service.start_dispatcher(_PORT.value, _WORKERS.value, _WORK_DIR.value)
        port = server.target.rpartition(":")[2]
        print(
            f"Dispatcher at port {port}. Next, on each machine of a worker: "
            f"scripts/data_service.py --role=worker --dispatcher={socket.gethostname()}"
            f":{port} --address={'|'.join(_WORKERS.value)}; then scripts/train.py "
            f"--data_service=grpc://{socket.gethostname()}:{port}",
            flush=True,
        )
    else:
        dispatcher = _DISPATCHER.value.removeprefix("grpc://")
        server = service.start_worker(dispatcher, _ADDRESS.value, _PORT.value)
        print(
            f"Worker at {_ADDRESS.value}. Once all are there: scripts/train.py "
            f"--data_service=grpc://{dispatcher}",
            flush=True,
        )
    while not stopped.wait(1.0):  # a signal wakes no wait without end
        pass
    print(f"The {_ROLE.value} has ended ({seen[0].name}).", flush=True)
    os._exit(0)  # a server that is taken down in order waits for the others


def _main(arguments: list[str]) -> None:
    from keras_regnet.training import command_line

    def program() -> None:
        if arguments[1:]:
            raise ValueError(f"Expected flags only. Received: {arguments[1:]}")
        _serve()

    command_line.run(program)


if __name__ == "__main__":
    app.run(_main)
