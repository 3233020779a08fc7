"""What all workers must know alike, exchanged at agreed moments.

Every method is a collective operation: all workers must call it, in the same order.
With a single worker nothing is exchanged.
"""

import json
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf


class Consensus:
    """Exchanges small things between the workers of a strategy.

    Args:
        strategy: The strategy of the run.

    Attributes:
        workers: The number of workers.
        index: Of this worker. The first one, the chief, writes the files.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self._strategy = strategy
        self.workers, self.index = 1, 0
        resolver = strategy.cluster_resolver
        if resolver is not None and resolver.task_type in ("chief", "worker"):
            cluster = resolver.cluster_spec().as_dict()
            chiefs = len(cluster.get("chief", ()))
            self.workers = chiefs + len(cluster.get("worker", ()))
            self.index = resolver.task_id
            if resolver.task_type == "worker":
                self.index += chiefs

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

    def assign_from_chief(self, variables: Sequence[keras.Variable]) -> None:
        """Gives variables the values that they have on the chief."""
        if self.workers == 1:
            return
        for variable in variables:
            value = variable.numpy()
            # Collectives know a few types; these hold every value of ours.
            wide = np.float64 if value.dtype.kind not in "biu" else np.int64
            own = value.astype(wide) if self.chief else np.zeros(value.shape, wide)
            variable.assign(self._total(own).astype(value.dtype))

    def _total(self, own: np.ndarray) -> np.ndarray:
        # A new graph for each: they are few, and of many shapes.
        sums = tf.function(self._sum_over_workers)(tf.constant(own))
        return self._strategy.experimental_local_results(sums)[0].numpy()

    @tf.autograph.experimental.do_not_convert
    def _sum_over_workers(self, own: tf.Tensor) -> tf.Tensor:
        local = self._strategy.num_replicas_in_sync // self.workers

        def exchange() -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            # One replica of each worker speaks for it.
            speaks = tf.cast(context.replica_id_in_sync_group % local == 0, own.dtype)
            return context.all_reduce("SUM", own * speaks)

        return self._strategy.run(exchange)
