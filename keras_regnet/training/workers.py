"""Workers that are alike, and what to say where one is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras

from keras_regnet.training.consensus import Consensus
from keras_regnet.training.rendezvous import LostWorkerError
from keras_regnet.training.run_directory import OF_EACH_MACHINE, differing

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf


def agree(consensus: Consensus, configuration: Mapping[str, Any]) -> None:
    """Checks that all workers were given the same configuration; all call it.

    Args:
        consensus: Between the workers.
        configuration: This worker's (JSON types).

    Raises:
        ValueError: They differ; on every worker, with who has what.
    """
    first, *others = consensus.from_all(configuration)
    found: dict[str, list[str]] = {}
    for index, other in enumerate(others, start=1):
        words = ("on worker 0", "on worker")
        for difference in differing(
            first, other, words=words, may_differ=OF_EACH_MACHINE
        ):
            found.setdefault(difference, []).append(str(index))
    if found:
        raise ValueError(
            "All workers must be given the same configuration. Received: "
            + "; ".join(f"{what} {', '.join(who)}" for what, who in found.items())
        )


def chief_first(consensus: Consensus, work: Callable[[], None]) -> None:
    """Lets the chief do what can fail, and all workers fail where it does.

    Args:
        consensus: Between the workers.
        work: What the chief does.

    Raises:
        ValueError: `work` raised a ValueError or an OSError on the chief, which raises
            that one itself.
    """
    error = None
    if consensus.chief:
        try:
            work()
        except (ValueError, OSError) as caught:
            error = caught
    told = consensus.from_chief(None if error is None else str(error))
    if error is not None:
        raise error
    if told is not None:
        raise ValueError(f"Worker 0 stopped. {told}")


@contextmanager
def naming_lost_workers(consensus: Consensus) -> Iterator[None]:
    """Turns what TensorFlow raises when another worker is gone into a message.

    A worker that died is noticed at once while it is talked to, and otherwise within
    about ten seconds, by TensorFlow's own heartbeat.

    Raises:
        LostWorkerError: Another worker died, or left because of an error.
    """
    try:
        yield
    except Exception as error:
        if consensus.workers == 1 or not isinstance(error, _lost()):
            raise
        raise LostWorkerError(
            f"Worker {consensus.index} (of {consensus.workers}, from 0) lost another "
            f"one, which died or stopped. TensorFlow says: {_reason(error.message)}"
        ) from error


def _lost() -> tuple[type[Exception], ...]:
    """What TensorFlow raises when another worker died or gave up."""
    return (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
    )


def _reason(message: str) -> str:
    """The lines of TensorFlow's message that say what happened."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    start = next((i for i, line in enumerate(lines) if "Collective ops" in line), 0)
    return " ".join(lines[start : start + 3])[:400]
