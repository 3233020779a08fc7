"""Do N replicas on this machine take the steps of one? And how fast are they?

Everything is compared on the same global batch. A RegNet of two stages is small enough
for a minute, and has all that can go wrong: grouped convolutions, synchronised batch
normalisation, gradients that are added up. Gradients through batch normalisation at
random weights differ by a fifth in float32 when the images of a batch merely change
places, so updates are compared in float64, or with frozen statistics.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from keras_regnet.logs import errors_only
from keras_regnet.models import RegNet
from keras_regnet.training import probe
from keras_regnet.training.consensus import Consensus
from keras_regnet.training.loop import Loop
from keras_regnet.training.losses import cross_entropy
from keras_regnet.training.watchdog import Watchdog
from keras_regnet.training.workers import naming_lost_workers

_IMAGES_PER_REPLICA = 8

# Title, dtype, whether the statistics are frozen, steps, and the greatest differences
# of loss, statistics and updates that rounding explains.
_COMPARISONS = (
    ("float64, SyncBN, 3 steps", "float64", False, 3, (1e-6, 1e-6, 1e-6)),
    ("float32, SyncBN, 1 step", "float32", False, 1, (1e-5, 1e-5, math.inf)),
    ("float32, frozen BN, 3 steps", "float32", True, 3, (1e-5, 1e-5, 1e-3)),
)


@dataclasses.dataclass(frozen=True)
class Report:
    """What a self-check found.

    Attributes:
        lines: What was measured.
        problems: What is wrong; nothing where all is well.
    """

    lines: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def __str__(self) -> str:
        verdict = [f"WRONG: {problem}" for problem in self.problems]
        return "\n".join([*self.lines, *(verdict or ["All is well."])])


def self_check(
    strategy: tf.distribute.Strategy, seconds: float = 10.0, timeout: float = 300.0
) -> Report:
    """Compares one replica with all replicas of a strategy.

    Args:
        strategy: A strategy of several replicas. With several workers all call this.
        seconds: How long to measure the speed, altogether.
        timeout: The process ends with exit code 4 where one part of the check takes
            longer, in seconds; 0 for no limit.

    Returns:
        The report. With several workers the problems are those that any has found.

    Raises:
        ValueError: The strategy has one replica.
        LostWorkerError: Another worker died or stopped.
    """
    replicas = strategy.num_replicas_in_sync
    if replicas < 2:
        raise ValueError(
            "A self-check compares one replica with several; choose a strategy that "
            f"has them (--strategy, --num_gpus). Received: {replicas} replica"
        )
    consensus = Consensus(strategy)
    watchdog = Watchdog(
        timeout,
        f"A part of the self-check took more than {timeout:g} seconds: an exchange "
        "between the replicas hangs. Another --all_reduce may work; otherwise look at "
        "drivers and network.",
    )
    lines = _describe(strategy, consensus)
    problems: list[str] = []
    with naming_lost_workers(consensus), _settings(), watchdog:
        for doing, check in (
            ("adding up known numbers", _check_sums),
            ("the same step on each device", _check_devices),
            ("the same steps with one replica and with all", _check_steps),
        ):
            watchdog.alive(doing)
            found_lines, found = check(strategy, consensus)
            lines += found_lines
            problems += found
        watchdog.alive("measuring the speed")
        lines += _speed(strategy, consensus, seconds)
        everywhere = [p for found in consensus.from_all(problems) for p in found]
    return Report(tuple(lines), tuple(dict.fromkeys(everywhere)))


@contextmanager
def _settings() -> Iterator[None]:
    # Convolutions in TF32 have 3 decimal digits, by another algorithm for each batch.
    tf32 = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        # It warns where several functions are compiled, as they are here on purpose.
        with errors_only("tensorflow"):
            yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(tf32)


def _describe(strategy: tf.distribute.Strategy, consensus: Consensus) -> list[str]:
    devices = strategy.extended.worker_devices
    return [
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}: "
        f"{consensus.workers} worker(s), {strategy.num_replicas_in_sync} replicas"
    ] + [
        f"  worker {index}: {', '.join(names)}"
        for index, names in enumerate(consensus.from_all(list(devices)))
    ]


def _verdict(problems: Sequence[str]) -> str:
    return "WRONG" if problems else "right"


def _check_sums(
    strategy: tf.distribute.Strategy, consensus: Consensus
) -> tuple[list[str], list[str]]:
    """Adds up numbers whose sum is known exactly."""
    problems = []
    count = strategy.num_replicas_in_sync
    for dtype in ("float32", "float64"):
        for size in (1, 100_003):
            pattern = np.arange(1, size + 1) % 97

            def replica(pattern: np.ndarray = pattern, dtype: str = dtype) -> tf.Tensor:
                context = tf.distribute.get_replica_context()
                factor = tf.cast(context.replica_id_in_sync_group + 1, dtype)
                return context.all_reduce("SUM", tf.constant(pattern, dtype) * factor)

            expected = pattern * (count * (count + 1) // 2)
            for device, found in _run(strategy, replica):
                if not np.array_equal(found, expected):
                    problems.append(
                        f"The sum over the replicas (all-reduce) of {size} {dtype} "
                        f"numbers is wrong on worker {consensus.index}, {device}: "
                        f"{found[0]:g} instead of {expected[0]}. Another "
                        "--all_reduce may work; otherwise look at drivers and network."
                    )
    return [f"Sums over {count} replicas: {_verdict(problems)}."], problems


def _check_devices(
    strategy: tf.distribute.Strategy, consensus: Consensus
) -> tuple[list[str], list[str]]:
    """Every device computes the same step by itself, from the same weights."""
    model = probe.small_network(strategy, "float32", synchronized=False)
    batch = probe.make_batch(_IMAGES_PER_REPLICA, "float32")
    images, labels = map(tf.constant, batch)
    loss = cross_entropy()

    def replica() -> tf.Tensor:
        with tf.GradientTape() as tape:
            value = tf.reduce_mean(loss(labels, model(images, training=False)))
        gradients = tape.gradient(value, model.trainable_variables)
        return tf.stack([value, tf.linalg.global_norm(gradients)])

    mine = [(device, values.tolist()) for device, values in _run(strategy, replica)]
    named = [
        (f"Worker {worker}, {device}", values)
        for worker, results in enumerate(consensus.from_all(mine))
        for device, values in results
    ]
    middle = np.median([values for _, values in named], axis=0)
    problems = [
        f"{device} computes other numbers than the other devices from the same weights "
        f"and images: loss {values[0]:.7g} and gradient norm {values[1]:.7g} where all "
        f"together have the median {middle[0]:.7g} and {middle[1]:.7g}."
        for device, values in named
        if not np.allclose(values, middle, rtol=1e-4, atol=0)
    ]
    return [f"The same step on each device alone: {_verdict(problems)}."], problems


def _check_steps(
    strategy: tf.distribute.Strategy, consensus: Consensus
) -> tuple[list[str], list[str]]:
    """One replica and all of them take the same steps."""
    lines, problems = [], []
    replicas = strategy.num_replicas_in_sync
    for title, dtype, frozen, count, limits in _COMPARISONS:
        one, many = (
            probe.take_steps(each, count, _IMAGES_PER_REPLICA * replicas, dtype, frozen)
            for each in (tf.distribute.get_strategy(), strategy)
        )
        distances = {
            "the loss": probe.distance([one.loss], [many.loss]),
            "the running statistics of batch normalisation": probe.distance(
                one.statistics, many.statistics
            ),
            "the updates of the weights": probe.distance(one.updates, many.updates),
        }
        found = [
            f"{title}: {name} of {replicas} replicas differ from one replica's by "
            f"{distance:.1e} of the largest, on worker {consensus.index}; "
            f"{limit:.0e} is allowed."
            for (name, distance), limit in zip(distances.items(), limits, strict=True)
            if distance > limit
        ]
        digests = consensus.from_all(many.digests)
        if len({digest for worker in digests for digest in worker}) > 1:
            found.append(
                f"{title}: the replicas do not have the same weights afterwards. They "
                "were updated by different sums."
            )
        loss, statistics, updates = (f"{d:.0e}" for d in distances.values())
        lines.append(
            f"{title}, {replicas} replicas against one: differences of the loss {loss},"
            f" statistics {statistics}, updates {updates}: {_verdict(found)}."
        )
        problems += found
    return lines, problems


def _speed(
    strategy: tf.distribute.Strategy, consensus: Consensus, seconds: float
) -> list[str]:
    """Training images per second of one replica and of all."""
    on_gpus = "GPU" in strategy.extended.worker_devices[0]
    size, per_replica = (224, 64) if on_gpus else (32, 16)
    rates = []
    for each in (tf.distribute.get_strategy(), strategy):
        with each.scope():
            model = RegNet(
                "RegNetX-200MF",
                input_shape=(size, size, 3),
                classes=probe.CLASSES,
                classifier_activation=None,
            )
        count = per_replica * each.num_replicas_in_sync
        batches = probe.repeated(each, *probe.make_batch(count, "float32", size))
        loop = probe.make_loop(model, each)

        def seconds_of(
            steps: int, loop: Loop = loop, batches: Iterator = batches
        ) -> float:
            begin = time.monotonic()
            for _ in range(steps):
                loop.train(batches, np.zeros(1))
            loop.tally.read()
            # The same on all workers, who must take equally many steps.
            return consensus.total(time.monotonic() - begin)[0] / consensus.workers

        seconds_of(2)
        steps = max(2, round(seconds / seconds_of(2)))
        rates.append(count * steps / seconds_of(steps))
    one, many = rates
    replicas = strategy.num_replicas_in_sync
    lines = [
        f"Training RegNetX-200MF at {size} pixels, {per_replica} images per replica: "
        f"{one:,.0f} images/s with one replica, {many:,.0f} with {replicas}, which is "
        f"{100 * many / one / replicas:.0f} % of {replicas} times as many."
    ]
    if not on_gpus and consensus.workers == 1:
        lines.append(
            "These are logical devices of one CPU: they share its cores, so that no "
            "gain is to be expected."
        )
    return lines


def _run(
    strategy: tf.distribute.Strategy, replica: Callable[[], tf.Tensor]
) -> list[tuple[str, np.ndarray]]:
    """Runs a function on every replica; this worker's devices and their results."""

    @tf.function
    @tf.autograph.experimental.do_not_convert
    def function() -> tf.Tensor:
        return strategy.run(replica)

    results = strategy.experimental_local_results(function())
    devices = strategy.extended.worker_devices
    return [(d, v.numpy()) for d, v in zip(devices, results, strict=True)]
