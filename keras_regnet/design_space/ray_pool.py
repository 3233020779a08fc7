"""Workers on Ray: this machine alone, or all machines of a cluster.

Plain actors that are given one network after another: starting a process takes Ray and
TensorFlow several seconds, which each worker spends once. An actor that dies is
replaced, and so are those of machines that leave; as machines join, actors are added.
"""

import contextlib
import gc
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

from keras_regnet import provenance
from keras_regnet.design_space.images import Images
from keras_regnet.design_space.regime import Regime
from keras_regnet.design_space.worker import Outcome, Task, Worker, limit_process
from keras_regnet.optional import require

_STORE = 256 * 2**20  # bytes of Ray's object store, besides the images
_GROW = 10.0  # seconds between two looks at what the cluster has
_MOST_FAILED_STARTS = 3


class RayWorker:
    """A worker as an actor: a process of its own, whose first work is to limit itself.

    Args:
        regime: How networks are trained.
        images: What they are trained with.
        name: What the worker is called in records.
        cpus: CPUs that it may use.
        gpus: GPUs that it may use.
        pinned: Whether it is held to cores of its own.
    """

    def __init__(
        self,
        regime: Regime,
        images: Images,
        name: str,
        cpus: float,
        gpus: float,
        pinned: bool,
    ) -> None:
        self._cores = limit_process(cpus, gpus, pinned)
        self._worker = Worker(regime, images, name)
        # Clearing up after each network need not look at all that was imported.
        gc.collect()
        gc.freeze()

    def ready(self) -> str:
        """The worker's name, once it can be given a network."""
        return self._worker.name

    def run(self, task: Task) -> Outcome:
        """Trains a network."""
        return self._worker.run(task)


class RayPool:
    """A pool of actors; see `population.Pool` and `population.train_population`.

    Args:
        regime: How networks are trained.
        images: What they are trained with; all workers of a machine share them.
        workers: How many; None for as many as there is room for.
        cpus: CPUs of each.
        gpus: GPUs of each.
        address: Of a running cluster; None starts Ray here.
        pinned: Whether workers are held to cores of their own.

    Raises:
        ImportError: Ray is not installed.
        ConnectionError: There is no cluster at `address`.
        ValueError: There is too little for a single worker.
    """

    def __init__(
        self,
        regime: Regime,
        images: Images,
        *,
        workers: int | None = None,
        cpus: float = 1,
        gpus: float = 0,
        address: str | None = None,
        pinned: bool = True,
    ) -> None:
        _check_share(cpus, gpus)
        self._ray = require("ray", "design-space")
        self._needs = {"CPU": cpus, "GPU": gpus}
        self._most = workers
        self._own = not self._ray.is_initialized()
        if self._own:
            with _sigterm_kept():
                _start(self._ray, address, images, (workers or 1) * cpus)
        self._actor = self._ray.remote(
            num_cpus=cpus, num_gpus=gpus, max_restarts=0, max_task_retries=0
        )(RayWorker)
        self._started = 0
        self._failed_starts = 0
        self._looked = -math.inf
        self._names: dict[Any, str] = {}  # of the actors that are ready
        self._starting: dict[Any, Any] = {}  # actors by what they will answer
        self._busy: dict[Any, tuple[Any, Task]] = {}
        self._free: list[Any] = []
        try:
            if not self._room():
                raise ValueError(
                    "There is no room for one worker. Received: "
                    f"cpus={cpus}, gpus={gpus}, of "
                    f"{self._total('CPU'):g} CPUs and {self._total('GPU'):g} GPUs"
                )
            self._first_arguments = (regime, self._ray.put(images))
            self._last_arguments = (cpus, gpus, pinned)
            self._grow()
        except BaseException:
            self.close()
            raise

    def free(self) -> int:
        """How many workers have nothing to do."""
        return len(self._free)

    def workers(self) -> int:
        """How many workers are ready."""
        return len(self._names)

    def give(self, task: Task) -> None:
        """Gives a free worker a network."""
        actor = self._free.pop()
        self._busy[actor.run.remote(task)] = (actor, task)

    def wait(self, seconds: float) -> list[Outcome]:
        """What was done; a worker that died, or is worn, is replaced.

        Raises:
            RuntimeError: Workers cannot be started.
        """
        self._grow()
        references = [*self._starting, *self._busy]
        if not references:
            time.sleep(seconds)
            return []
        ready, _ = self._ray.wait(references, num_returns=1, timeout=seconds)
        if ready:  # and what else is there
            ready, _ = self._ray.wait(
                references, num_returns=len(references), timeout=0
            )
        outcomes = []
        for reference in ready:
            if reference in self._starting:
                self._started_or_not(reference, self._starting.pop(reference))
            else:
                outcomes.append(self._outcome(reference, *self._busy.pop(reference)))
        return outcomes

    def close(self) -> None:
        """Ends all workers, and Ray where it was started here."""
        for actor in [*self._starting.values(), *self._names]:
            with contextlib.suppress(Exception):
                self._ray.kill(actor)
        self._names.clear()
        if self._own:
            self._ray.shutdown()

    def _started_or_not(self, reference: Any, actor: Any) -> None:
        try:
            self._names[actor] = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self._failed_starts += 1
            if self._failed_starts >= _MOST_FAILED_STARTS:
                raise RuntimeError(
                    f"{self._failed_starts} workers in a row could not be started. "
                    "Machines of a cluster need keras_regnet of the same version. "
                    f"Received: {_reason(error)}"
                ) from error
        else:
            self._failed_starts = 0
            self._free.append(actor)

    def _outcome(self, reference: Any, actor: Any, task: Task) -> Outcome:
        try:
            outcome = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:  # a mistake in this package
            self._free.append(actor)
            return Outcome(task, self._names[actor], reason=_reason(error))
        except self._ray.exceptions.RayError as error:
            self._remove(actor)
            name = self._names.pop(actor)
            return Outcome(task, name, reason=_reason(error), died=True)
        if outcome.worn:
            self._names.pop(actor)
            self._remove(actor)
        else:
            self._free.append(actor)
        return outcome

    def _remove(self, actor: Any) -> None:
        with contextlib.suppress(Exception):
            self._ray.kill(actor)
        self._looked = -math.inf  # so that `_grow` replaces it at once

    def _grow(self) -> None:
        """Starts the workers that there is room for."""
        if time.monotonic() - self._looked < _GROW:
            return
        self._looked = time.monotonic()
        wanted = self._room()
        if self._most is not None:
            wanted = min(wanted, self._most)
        for _ in range(wanted - len(self._names) - len(self._starting)):
            name = str(self._started)
            self._started += 1
            actor = self._actor.remote(
                *self._first_arguments, name, *self._last_arguments
            )
            self._starting[actor.ready.remote()] = actor

    def _room(self) -> int:
        """How many workers the machines have room for."""
        return min(
            int(self._total(kind) / need) for kind, need in self._needs.items() if need
        )

    def _total(self, kind: str) -> float:
        return self._ray.cluster_resources().get(kind, 0)


def _start(ray: Any, address: str | None, images: Images, cpus: float) -> None:
    """Starts Ray on this machine, or connects to a cluster; quietly."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    options = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        size = images.train.nbytes + images.judged.nbytes
        ray.init(
            num_cpus=max(provenance.cores() or 1, math.ceil(cpus)),
            include_dashboard=False,
            object_store_memory=_STORE + 2 * size,
            **options,
        )
        return
    try:
        ray.init(address=address, **options)
    except (ConnectionError, RuntimeError, ray.exceptions.RayError) as error:
        raise ConnectionError(
            "There is no Ray cluster at this address that lets us in. Start one by "
            "`ray start --head`, and where it has a token set RAY_AUTH_MODE=token here "
            f"too. Received: {address!r} ({_reason(error)})"
        ) from error


@contextlib.contextmanager
def _sigterm_kept() -> Iterator[None]:
    """What SIGTERM does stays as it is: Ray would have the process abort."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _check_share(cpus: float, gpus: float) -> None:
    for name, value, least in (("cpus", cpus, 0), ("gpus", gpus, 0)):
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ValueError(f"{name} must be a finite number. Received: {value!r}")
        if value < least or (name == "cpus" and value == 0):
            raise ValueError(
                f"{name} must be above 0 for CPUs and at least 0 for GPUs. "
                f"Received: {value!r}"
            )


def _reason(error: BaseException) -> str:
    """What happened, in one line: Ray's messages go on for many."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines)[:400]}"
