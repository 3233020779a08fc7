"""What all workers must know alike, exchanged at agreed moments.

Every method is a collective operation: all workers must call it, in the same order.
With a single worker nothing is exchanged.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

# 64 MiB of float32: what fits beside anything.
_MOST_AT_ONCE = 1 << 24


class Consensus:
    """Exchanges small things between the workers of a strategy.

    Args:
        strategy: The strategy of the run; None where it has none, and one worker.

    Attributes:
        workers: The number of workers.
        index: Of this worker. The first one, the chief, writes the files.
    """

    def __init__(self, strategy: tf.distribute.Strategy | None) -> None:
        self._strategy = strategy
        self.workers, self.index = 1, 0
        resolver = strategy and strategy.cluster_resolver
        if resolver is not None and resolver.task_type in ("chief", "worker"):
            cluster = resolver.cluster_spec().as_dict()
            chiefs = len(cluster.get("chief", ()))
            self.workers = chiefs + len(cluster.get("worker", ()))
            self.index = resolver.task_id
            if resolver.task_type == "worker":
                self.index += chiefs
        self._compiled: dict[np.dtype, Callable[[tf.Tensor], tf.Tensor]] = {}

    @property
    def chief(self) -> bool:
        """Whether this worker writes the files."""
        return self.index == 0

    def total(self, *numbers: float) -> np.ndarray:
        """The sum of each number over all workers, float64."""
        own = np.asarray(numbers, np.float64)
        return own if self.workers == 1 else self._total(own)

    def from_chief(self, value: Any) -> Any:
        """The chief's value, of JSON types; what the others give does not matter."""
        if self.workers == 1:
            return value
        own = json.dumps(value).encode() if self.chief else b""
        length = int(self.total(len(own))[0])
        codes = np.zeros(length, np.int32)
        codes[: len(own)] = np.frombuffer(own, np.uint8)
        return json.loads(self._total(codes).astype(np.uint8).tobytes())

    def from_all(self, value: Any) -> list[Any]:
        """The values of all workers, of JSON types, in their order."""
        if self.workers == 1:
            return [value]
        own = json.dumps(value).encode()
        lengths = np.zeros(self.workers, np.int32)
        lengths[self.index] = len(own)
        lengths = self._total(lengths)
        codes = np.zeros((self.workers, max(lengths)), np.int32)
        codes[self.index, : len(own)] = np.frombuffer(own, np.uint8)
        codes = self._total(codes).astype(np.uint8)
        return [
            json.loads(row[:length].tobytes())
            for row, length in zip(codes, lengths, strict=True)
        ]

    def assign_from_chief(self, variables: Sequence[keras.Variable]) -> None:
        """Gives variables the values that they have on the chief."""
        if self.workers == 1:
            return
        by_type: dict[np.dtype, list[keras.Variable]] = {}
        for variable in variables:
            by_type.setdefault(_exchanged_as(variable), []).append(variable)
        for wide, group in by_type.items():
            own = np.zeros(sum(math.prod(v.shape) for v in group), wide)
            if self.chief:
                own = np.concatenate([v.numpy().astype(wide).ravel() for v in group])
            for begin in range(0, len(own), _MOST_AT_ONCE):
                part = slice(begin, begin + _MOST_AT_ONCE)
                own[part] = self._total(own[part])
            begin = 0
            for variable in group:
                end = begin + math.prod(variable.shape)
                value = own[begin:end].reshape(variable.shape)
                variable.assign(value.astype(variable.numpy().dtype))
                begin = end

    def _total(self, own: np.ndarray) -> np.ndarray:
        """The sum over all workers of an array that has one shape everywhere."""
        if own.dtype not in self._compiled:
            self._compiled[own.dtype] = tf.function(
                tf.autograph.experimental.do_not_convert(self._sum_over_workers),
                input_signature=[tf.TensorSpec([None], tf.as_dtype(own.dtype))],
            )
        return self._compiled[own.dtype](own.ravel()).numpy().reshape(own.shape)

    def _sum_over_workers(self, own: tf.Tensor) -> tf.Tensor:
        local = self._strategy.num_replicas_in_sync // self.workers

        def exchange() -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            # One replica of each worker speaks for it.
            speaks = context.replica_id_in_sync_group % local == 0
            return context.all_reduce("SUM", tf.where(speaks, own, tf.zeros_like(own)))

        sums = self._strategy.run(exchange)
        return self._strategy.experimental_local_results(sums)[0]


def _exchanged_as(variable: keras.Variable) -> np.dtype:
    """A type that collectives know, and that holds every value of the variable."""
    dtype = variable.numpy().dtype
    if dtype.kind in "biu":
        return np.dtype(np.int64)
    return dtype if dtype in (np.float32, np.float64) else np.dtype(np.float32)
