"""Training all networks of a study, whoever does the work."""

import contextlib
from collections.abc import Mapping
from typing import Protocol

from keras_regnet.design_space.images import Images, load_images
from keras_regnet.design_space.live_table import LiveTable
from keras_regnet.design_space.networks import KINDS, decode
from keras_regnet.design_space.study import Study
from keras_regnet.design_space.worker import Outcome, Task, Worker

_LOOK = 1.0  # seconds between two looks at the table


class Pool(Protocol):
    """Workers that are given networks. They never write the study."""

    def free(self) -> int:
        """How many workers have nothing to do."""

    def give(self, task: Task) -> None:
        """Gives one of them a network."""

    def wait(self, seconds: float) -> list[Outcome]:
        """What was done, waiting for so long at most where there is nothing."""

    def workers(self) -> int:
        """How many workers are ready, busy or not."""

    def close(self) -> None:
        """Ends all workers, whatever they do."""


class InProcess:
    """A pool of one worker: this process, without Ray; for tests and debugging.

    Args:
        worker: The worker.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._task: Task | None = None

    def free(self) -> int:
        """1, or 0 once it was given something."""
        return int(self._task is None)

    def give(self, task: Task) -> None:
        """Remembers the network; `wait` trains it."""
        self._task = task

    def wait(self, seconds: float) -> list[Outcome]:
        """Trains the network that was given."""
        task, self._task = self._task, None
        return [] if task is None else [self._worker.run(task)]

    def workers(self) -> int:
        """1."""
        return 1

    def close(self) -> None:
        """Does nothing."""


def train_population(
    study: Study,
    *,
    data_dir: str | None = None,
    workers: int | None = None,
    cpus: float = 1,
    gpus: float = 0,
    address: str | None = None,
    pinned: bool = True,
    retries: int = 2,
    kinds: Mapping[str, type] = KINDS,
    images: Images | None = None,
    table: LiveTable | None = None,
) -> None:
    """Trains all networks of a study that wait, on Ray or in this process.

    What happens to one network never stops the others: it is recorded with its reason.
    Ctrl-C, or anything else that stops this, leaves the study so that the same call
    goes on.

    Args:
        study: Opened by `Study.open`.
        data_dir: Where the data set is on this machine. The workers get the images
            from here: no other machine needs them.
        workers: How many networks are trained at a time; None for as many as there
            are CPUs (and GPUs) for, also as machines join or leave. 0 trains in this
            process, without Ray.
        cpus: CPUs of a worker.
        gpus: GPUs of a worker; may be a part of one.
        address: Of a running Ray cluster; None starts Ray on this machine, for as long
            as this takes. A token is given as Ray wants it, by RAY_AUTH_MODE=token.
        pinned: Whether workers are held to cores of their own.
        retries: How many times a network is given to another worker where one died.
        kinds: See `networks.encode`.
        images: The images of the study's regime, where they are loaded already.
        table: Shows how far it is.

    Raises:
        ValueError: The images are not those of the study, an argument is impossible,
            or the machines have too little for a single worker.
        ConnectionError: There is no cluster at `address`.
        ImportError: Ray is needed and not installed.
        RuntimeError: Workers cannot be started.
        OSError: The study cannot be written.
        KeyboardInterrupt: Ctrl-C; what was recorded is safe.
    """
    for name, value in (("workers", workers), ("retries", retries)):
        if value is not None and (not isinstance(value, int) or value < 0):
            raise ValueError(
                f"{name} must be a whole number of at least 0. Received: {value!r}"
            )
    regime = study.regime.located(data_dir)
    if images is None:
        images = load_images(regime)
    study.check_images(images.facts())
    if not study.waiting():
        return
    if workers == 0:
        pool: Pool = InProcess(Worker(regime, images))
    else:
        from keras_regnet.design_space.ray_pool import RayPool

        pool = RayPool(
            regime,
            images,
            workers=workers,
            cpus=cpus,
            gpus=gpus,
            address=address,
            pinned=pinned,
        )
    try:
        work_through(study, pool, retries=retries, kinds=kinds, table=table)
    finally:
        pool.close()


def work_through(
    study: Study,
    pool: Pool,
    *,
    retries: int = 2,
    kinds: Mapping[str, type] = KINDS,
    table: LiveTable | None = None,
) -> None:
    """Gives every waiting network of a study to a pool, and records what comes back.

    Args:
        study: Opened by `Study.open`.
        pool: The workers.
        retries: How many times a network is given to another worker where one died.
        kinds: See `networks.encode`.
        table: Shows how far it is.
    """
    under_way: set[int] = set()
    try:
        while True:
            while pool.free() and (record := study.begin()):
                try:
                    network = decode(record.network, kinds)
                except ValueError as error:
                    study.fail(record.id, f"could not be read: {error}", "")
                    continue
                pool.give(Task(record.id, network, record.seed))
                under_way.add(record.id)
            if table is not None:
                table.show(study, pool.workers())
            if not under_way and not study.waiting():
                return
            for outcome in pool.wait(_LOOK):
                under_way.remove(outcome.task.number)
                _record(study, outcome, retries)
    except BaseException:
        with contextlib.suppress(OSError):  # which may be why this ends
            study.put_back_all()
        raise
    finally:
        if table is not None:
            table.end(study)


def _record(study: Study, outcome: Outcome, retries: int) -> None:
    number, worker = outcome.task.number, outcome.worker
    if outcome.result is not None:
        study.finish(number, outcome.result, worker)
    elif outcome.died:
        study.put_back(number, outcome.reason, retries, worker)
    else:
        study.fail(number, outcome.reason, worker)
