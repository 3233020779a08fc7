"""Timing of cases in turn, so that a machine whose speed drifts compares fairly."""

import dataclasses
import statistics
from collections.abc import Callable, Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Seconds of our cases and of peers', taken in alternation.

    Attributes:
        title: What was timed.
        seconds: Per case a number for each round.
        peers: Names of the cases that are peers. Ratios are taken, round by round,
            to the fastest of them in that round.
    """

    title: str
    seconds: Mapping[str, Sequence[float]]
    peers: tuple[str, ...]

    def ratios(self, name: str) -> list[float]:
        """Seconds of a case over the fastest peer's, a number for each round."""
        peers = [self.seconds[peer] for peer in self.peers]
        if not peers:
            return []
        best = (min(times) for times in zip(*peers, strict=True))
        return [
            ours / peer for ours, peer in zip(self.seconds[name], best, strict=True)
        ]

    def to_dict(self) -> dict:
        """Plain JSON types."""
        return {
            "title": self.title,
            "seconds": {name: list(times) for name, times in self.seconds.items()},
            "peers": list(self.peers),
            "ratios": {name: self.ratios(name) for name in self.seconds},
        }

    def __str__(self) -> str:
        lines = [self.title]
        width = max(len(name) for name in self.seconds)
        lines.append(f"  {'case':{width}}  median s   ratio to the best peer")
        for name, times in self.seconds.items():
            ratios = self.ratios(name)
            ratio = (
                f"{statistics.median(ratios):.2f} "
                f"({min(ratios):.2f} to {max(ratios):.2f})"
                if ratios
                else "no peer installed"
            )
            lines.append(f"  {name:{width}}  {statistics.median(times):8.4f}   {ratio}")
        return "\n".join(lines)


def alternate(
    title: str,
    cases: Mapping[str, Callable[[], float]],
    peers: Sequence[str],
    rounds: int,
) -> Comparison:
    """Runs every case once a round, in turn.

    Args:
        title: What is timed.
        cases: Functions that do the work once and return seconds. Each is called once
            before the rounds, to warm up.
        peers: Names of the cases to compare with.
        rounds: How often each case runs.
    """
    for case in cases.values():
        case()
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            seconds[name].append(case())
    return Comparison(title, seconds, tuple(peers))
