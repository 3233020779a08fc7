"""What came out of the populations of a study, ready for statistics and figures."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from keras_regnet.design_space.error_distribution import ErrorDistribution
from keras_regnet.design_space.networks import KINDS, AnyNetwork, decode
from keras_regnet.design_space.plan import SamplingPlan
from keras_regnet.design_space.properties import properties
from keras_regnet.design_space.records import DONE, FAILED, Record
from keras_regnet.design_space.space import Space
from keras_regnet.design_space.study_file import StudyFile


@dataclasses.dataclass(frozen=True)
class Variances:
    """How much errors vary, in squared percentage points.

    Attributes:
        networks: Between networks, without the part that the seeds make; it can come
            out below 0 where there is none.
        seeds: Between seeds of one network.
    """

    networks: float
    seeds: float

    @property
    def ratio(self) -> float:
        """How many times the networks' variance is the seeds'."""
        return self.networks / self.seeds if self.seeds else float("inf")


@dataclasses.dataclass(frozen=True, eq=False)
class PopulationResults:
    """The networks of one space that are done with all their seeds.

    Attributes:
        name: The space's name in the study.
        space: The space.
        networks: The networks, in the order of the sampling.
        records: The records of each, one per seed.
        failed: How many networks failed, with any of their seeds.
        left: How many are not done yet.
    """

    name: str
    space: Space
    networks: tuple[AnyNetwork, ...]
    records: tuple[tuple[Record, ...], ...]
    failed: int
    left: int

    def __len__(self) -> int:
        return len(self.networks)

    @cached_property
    def errors(self) -> np.ndarray:
        """The error of each network after the last epoch, the mean over its seeds."""
        return np.array([np.mean([r.error for r in each]) for each in self.records])

    @property
    def distribution(self) -> ErrorDistribution:
        """The distribution of the errors."""
        return ErrorDistribution(self.errors)

    @cached_property
    def table(self) -> dict[str, np.ndarray]:
        """Each of `properties`, a value per network."""
        rows = [properties(network, self.space) for network in self.networks]
        return {name: np.array([row[name] for row in rows]) for name in rows[0]}

    def order(self) -> np.ndarray:
        """The places of the networks, the best first."""
        return np.argsort(self.errors, kind="stable")

    def curves(self) -> np.ndarray:
        """Errors after each epoch, (networks, epochs), the mean over seeds."""
        return np.array(
            [np.mean([r.errors for r in each], axis=0) for each in self.records]
        )

    def variances(self) -> Variances | None:
        """Variance between networks and between seeds; None with a single seed.

        The one-way analysis of variance with random effects, of equally many seeds.
        """
        if not self.records or len(self.records[0]) < 2 or len(self) < 2:
            return None
        errors = 100 * np.array([[r.error for r in each] for each in self.records])
        seeds = errors.var(axis=1, ddof=1).mean()
        means = errors.mean(axis=1).var(ddof=1)
        return Variances(float(means - seeds / errors.shape[1]), float(seeds))


def results_of(
    study: StudyFile,
    names: Sequence[str] | None = None,
    kinds: Mapping[str, type] = KINDS,
) -> list[PopulationResults]:
    """What came out of each space of a study, in the study's order.

    Args:
        study: The study, finished or not.
        names: Of these spaces alone.
        kinds: See `networks.encode`.

    Raises:
        ValueError: A space is not in the study, or none of its networks is done.
    """
    return [_results(study, name, kinds) for name in done_networks(study, names)]


def done_networks(
    study: StudyFile, names: Sequence[str] | None = None
) -> dict[str, int]:
    """How many networks of each space are done with all their seeds.

    Args:
        study: The study, finished or not.
        names: Of these spaces alone.

    Raises:
        ValueError: A space is not in the study.
    """
    there = study.spaces()
    if unknown := sorted(set(names or ()) - set(there)):
        raise ValueError(
            f"{study.path} has the spaces {', '.join(there)}. Received: {unknown}"
        )
    counts = {}
    for name in there:
        if not names or name in names:
            statuses: dict[str, set[str]] = {}
            for record in study.records(space=name):
                statuses.setdefault(record.network, set()).add(record.status)
            counts[name] = sum(found == {DONE} for found in statuses.values())
    return counts


def plan_of(study: StudyFile, name: str) -> SamplingPlan:
    """How the networks of a space of a study were sampled."""
    sampling = dict(study.fact(f"space:{name}"))
    sampling.pop("seeds")
    return SamplingPlan.from_dict(sampling)


def _results(
    study: StudyFile, name: str, kinds: Mapping[str, type]
) -> PopulationResults:
    by_network: dict[str, list[Record]] = {}
    for record in study.records(space=name):
        by_network.setdefault(record.network, []).append(record)
    statuses = [{r.status for r in each} for each in by_network.values()]
    done = {t: e for t, e in by_network.items() if {r.status for r in e} == {DONE}}
    failed = sum(FAILED in found for found in statuses)
    if not done:
        raise ValueError(
            f"No network of this space is done yet in {study.path}: train them first. "
            f"Received: {name!r} ({failed} failed, {len(by_network) - failed} left)"
        )
    return PopulationResults(
        name,
        plan_of(study, name).make_space(),
        tuple(decode(text, kinds) for text in done),
        tuple(map(tuple, done.values())),
        failed,
        len(by_network) - len(done) - failed,
    )
