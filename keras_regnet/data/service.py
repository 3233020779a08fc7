"""tf.data service: other machines make the batches, and they arrive in their order.

Each batch is made by one of the service's workers: every worker leaves out the batches
of the others (`SHARD_HINT`). The trainer reads from each worker by a data set of its
own, which is empty on all others, and takes a batch of each in turn. (tf.data's
coordinated reads pass over a worker that needs longer than 0.1 s for a batch, and so do
not keep the order.)

A service is waited for and counted when an epoch begins. From then on tf.data alone
decides what becomes of a lost server; batches that are not the next ones end the epoch
with an error.
"""

import logging
import os
import time
import uuid
import warnings

import tensorflow as tf

from keras_regnet.data.portions import Portion

FIRST_CONTACT = 60.0
"""Seconds until the dispatcher and all workers must have been found."""

_SERVICE = tf.data.experimental.service
_HINT = tf.data.experimental.SHARD_HINT
_MOST_WORKERS = 2**20
_ASK_AGAIN = 0.5  # seconds
_LONGEST_QUESTION = 10.0
_AHEAD = 2  # batches of each worker that may be on their way


def start_dispatcher(
    port: int, workers: list[str], work_dir: str | None = None
) -> _SERVICE.DispatchServer:
    """Starts the dispatcher of a tf.data service in this process.

    Args:
        port: Where it listens; 0 for any free port.
        workers: "host:port" of every worker that there will be. The service divides an
            epoch among them, so that none may be missing and none may come later.
        work_dir: A folder in which it keeps its state, so that it can be started again;
            made if absent. Also where TensorFlow can write elsewhere (`gs://`).

    Returns:
        The server; `target` is its address. It ends with the process.

    Raises:
        OSError: `work_dir` cannot be made.
    """
    if work_dir is not None:
        work_dir = os.path.expanduser(work_dir)
        try:
            tf.io.gfile.makedirs(work_dir)
        except tf.errors.OpError as error:
            raise OSError(
                None,
                f"work_dir must be a folder that TensorFlow can write ({error.message})"
                f". Received: work_dir={work_dir!r}",
            ) from error
    return _SERVICE.DispatchServer(
        _SERVICE.DispatcherConfig(
            port=port,
            work_dir=work_dir,
            fault_tolerant_mode=work_dir is not None,
            worker_addresses=workers,
        )
    )


def start_worker(
    dispatcher: str, address: str, port: int | None = None
) -> _SERVICE.WorkerServer:
    """Starts a worker of a tf.data service in this process.

    Args:
        dispatcher: "host:port" of the dispatcher, with or without "grpc://".
        address: "host:port" by which trainers reach this worker, as the dispatcher was
            told.
        port: Where it listens, if not at the port of `address`.

    Returns:
        The server. It ends with the process.
    """
    return _SERVICE.WorkerServer(
        _SERVICE.WorkerConfig(
            dispatcher_address=dispatcher.removeprefix("grpc://"),
            worker_address=address,
            port=port if port is not None else int(address.rpartition(":")[2]),
        )
    )


def count_workers(service: str, seconds: float | None = None) -> int:
    """Waits until a tf.data service is complete.

    Args:
        service: "grpc://host:port" of the dispatcher.
        seconds: How long to wait; `FIRST_CONTACT` where None.

    Returns:
        How many workers it has.

    Raises:
        ConnectionError: Nobody answers there, it is no such dispatcher, or a worker is
            missing.
    """
    seconds = FIRST_CONTACT if seconds is None else seconds
    end = time.monotonic() + seconds
    _wait_for_answer(service, seconds)
    waited = False
    while True:
        left = end - time.monotonic()
        found = _ask_workers(service, min(max(left, 1.0), _LONGEST_QUESTION))
        count = found[0][1] - found[0][0] if found else 0
        if found and len(found) == count:
            return count
        if time.monotonic() >= end:
            there = f"{len(found)} of {count} workers" if found else "no worker"
            raise ConnectionError(
                f"The tf.data service at {service} has {there} after {seconds:g} s. "
                "Start all that its dispatcher was told of, so that they reach it. "
                f"Received: data_service={service!r}"
            )
        if not waited:
            logging.getLogger("keras_regnet").warning(
                "Waiting for the workers of the tf.data service at %s", service
            )
            waited = True
        time.sleep(_ASK_AGAIN)


def _wait_for_answer(service: str, seconds: float) -> None:
    """Waits for a gRPC server: TensorFlow itself would for an hour."""
    import grpc  # comes with TensorFlow

    with grpc.insecure_channel(service.removeprefix("grpc://")) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=seconds)
        except grpc.FutureTimeoutError:
            raise ConnectionError(
                f"No tf.data service answers at {service} within {seconds:g} s. Is its "
                "dispatcher running, and can it be reached from here? "
                f"Received: data_service={service!r}"
            ) from None


def _ask_workers(service: str, seconds: float) -> list[tuple[int, int]]:
    """Each worker that is there gives its number, and that plus how many there will be.

    Nothing where there is none after so many seconds. In a session, since only that can
    give up.
    """
    found: list[tuple[int, int]] = []
    with tf.Graph().as_default(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of options in graphs
        numbers = tf.data.Dataset.range(_MOST_WORKERS).shard(_HINT, _HINT).batch(2)
        served = numbers.take(1).apply(
            _SERVICE.distribute(
                _SERVICE.ShardingPolicy.HINT, service, job_name=_unheard_of()
            )
        )
        pair = tf.compat.v1.data.make_one_shot_iterator(served).get_next()
        options = tf.compat.v1.RunOptions(timeout_in_ms=int(seconds * 1000))
        no_gpu = tf.compat.v1.ConfigProto(device_count={"GPU": 0})
        with tf.compat.v1.Session(config=no_gpu) as session:
            try:
                while True:
                    first, second = session.run(pair, options=options).tolist()
                    found.append((first, second))
            except (tf.errors.OutOfRangeError, tf.errors.DeadlineExceededError):
                return found
            except tf.errors.OpError as error:
                raise ConnectionError(
                    f"The tf.data service at {service} cannot be used. Does the "
                    "address belong to a dispatcher that was told of its workers? "
                    f"{_reason(error)} Received: data_service={service!r}"
                ) from error


def in_order(
    dataset: tf.data.Dataset, service: str, portion: Portion
) -> tf.data.Dataset:
    """Has the elements of a data set made by a tf.data service.

    Args:
        dataset: Gives (number of the batch, ...). Each of the service's workers leaves
            out the batches of the others (`Portion.divided`).
        service: "grpc://host:port" of the dispatcher.
        portion: Which batches there are.

    Returns:
        The same elements in the order of the batches. Where one is not the next (a
        worker was started again and began from the beginning) the data end with an
        error.

    Raises:
        ConnectionError: The service does not answer, or a worker is missing.
    """
    workers = count_workers(service)
    spec = dataset.element_spec
    registered = [
        _SERVICE.register_dataset(service, _of_worker(dataset, number, workers))
        for number in range(workers)
    ]
    with tf.device("/CPU:0"):
        ids = tf.stack(registered)

    def from_worker(number: tf.Tensor) -> tf.data.Dataset:
        return _SERVICE.from_dataset_id(
            _SERVICE.ShardingPolicy.HINT,
            service,
            ids[number],
            spec,
            max_outstanding_requests=workers * _AHEAD,
        )

    served = tf.data.Dataset.range(workers).interleave(
        from_worker,
        cycle_length=workers,
        num_parallel_calls=workers,
        deterministic=True,
    )

    def checked(expected: tf.Tensor, element: tuple) -> tuple:
        right = tf.debugging.Assert(
            tf.equal(expected, element[0]),
            [
                f"The tf.data service at {service} did not give the next batch. Has "
                f"one of its {workers} workers been started again? "
                "Expected and received:",
                expected,
                element[0],
            ],
        )
        with tf.control_dependencies([right]):
            step = tf.identity(element[0])
        return step, *element[1:]

    steps = tf.data.Dataset.range(portion.start, portion.stop)
    return tf.data.Dataset.zip(steps, served).map(checked)


def _of_worker(dataset: tf.data.Dataset, number: int, workers: int) -> tf.data.Dataset:
    """A data set that is empty on all workers of a service but one."""
    here = tf.data.Dataset.range(workers).shard(_HINT, _HINT)
    return here.filter(lambda worker: worker == number).flat_map(lambda _: dataset)


def _unheard_of() -> str:
    """A job's name that no earlier one has: those would be joined, not begun."""
    return uuid.uuid4().hex


def _reason(error: tf.errors.OpError) -> str:
    """TensorFlow's reason, without where in the graph it was."""
    lines = (error.message or type(error).__name__).splitlines()
    nodes = [place for place, line in enumerate(lines) if line.startswith("Node: ")]
    return lines[min(nodes[0] + 1 if nodes else 0, len(lines) - 1)].strip()
