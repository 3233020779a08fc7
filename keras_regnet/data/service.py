"""tf.data service: other machines make the batches, and they arrive in their order.

Each batch is made by one of the service's workers: every worker leaves out the batches
of the others (`ShardingPolicy.HINT`), and the trainer takes one from each in turn
(coordinated reads). A turn is sorted here, since the service does not say who begins.
"""

import uuid

import tensorflow as tf

from keras_regnet.data.portions import Portion

_SERVICE = tf.data.experimental.service


def start_dispatcher(
    port: int, workers: list[str], work_dir: str | None = None
) -> _SERVICE.DispatchServer:
    """Starts the dispatcher of a tf.data service in this process.

    Args:
        port: Where it listens; 0 for any free port.
        workers: "host:port" of every worker that there will be. The service divides an
            epoch among them, so that none may be missing and none may come later.
        work_dir: A folder in which it keeps its state, so that it can be started again.

    Returns:
        The server; `target` is its address. It ends with the process.
    """
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


def count_workers(service: str) -> int:
    """How many workers of a tf.data service are there now."""
    one = tf.data.Dataset.range(1)
    return sum(
        1
        for _ in one.apply(
            _SERVICE.distribute(
                _SERVICE.ShardingPolicy.OFF, service, job_name=_unheard_of()
            )
        )
    )


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
        worker was missing at the start, or was started again and began from the
        beginning) the data end with an error.
    """
    workers = count_workers(service)
    served = dataset.apply(
        _SERVICE.distribute(
            _SERVICE.ShardingPolicy.HINT,
            service,
            job_name=_unheard_of(),
            consumer_index=0,
            num_consumers=1,
        )
    )

    def sorted_turn(*parts: tf.data.Dataset) -> tf.data.Dataset:
        turn = tf.data.Dataset.zip(parts)
        places = tf.data.Dataset.range(portion.start, portion.start + workers)
        return places.flat_map(
            lambda place: turn.filter(lambda step, *_: (step - place) % workers == 0)
        )

    flat = served.map(lambda *element: tuple(tf.nest.flatten(element)))
    flat = flat.window(workers, drop_remainder=True).flat_map(sorted_turn)
    spec = dataset.element_spec

    def checked(expected: tf.Tensor, element: tuple) -> tuple:
        right = tf.debugging.Assert(
            tf.equal(expected, element[0]),
            [
                "The data service did not give the next batch. Are all its workers "
                f"there ({workers} were found), and has none been started again? "
                "Expected and received:",
                expected,
                element[0],
            ],
        )
        with tf.control_dependencies([right]):
            step = tf.identity(element[0])
        return tf.nest.pack_sequence_as(spec, [step, *element[1:]])

    steps = tf.data.Dataset.range(portion.start, portion.stop)
    return tf.data.Dataset.zip(steps, flat).map(checked)


def _unheard_of() -> str:
    """A job's name that no earlier one has: those would be joined, not begun."""
    return uuid.uuid4().hex
