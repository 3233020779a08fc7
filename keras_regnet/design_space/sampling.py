"""The loop that draws networks until there are enough, or clearly none."""

from collections import Counter
from typing import Any

import numpy as np

from keras_regnet.architecture import checks
from keras_regnet.design_space.draws import Draws, draw
from keras_regnet.design_space.sample import MEASURES, Sample, Windows
from keras_regnet.design_space.shape import Rule

BATCH = 1 << 14  # draws at once: a constant, so that a seed means the same networks
PATIENCE = 500_000  # draws without a single network, after which there seems to be none


def draw_sample(
    space: Any, n: int, seed: int, windows: Windows, max_draws: int | None
) -> Sample:
    """Draws n different networks of a space; see `Space.sample`."""
    n = checks.integer("n", n, maximum=10_000_000)
    seed = checks.integer("seed", seed, minimum=0, maximum=2**63 - 1)
    patience, most = PATIENCE, max(2_000_000, 5_000 * n)
    if max_draws is not None:
        patience = most = checks.integer("max_draws", max_draws, maximum=10**12)
    generator = np.random.default_rng(seed)
    found = _Found(space, n)
    nearest = _Nearest(windows)
    while not found.enough:
        if found.drawn >= (most if found.networks else patience):
            raise ValueError(
                f"{found.problem()}{nearest} Received: n={n}, {windows}, "
                f"max_draws={max_draws}"
            )
        found.look_through(draw(space.limits, generator, BATCH), windows, nearest)
    return found.sample(seed)


class _Found:
    """What was drawn so far."""

    def __init__(self, space: Any, n: int) -> None:
        self.space, self.n = space, n
        self.networks: list[Any] = []
        self.costs: list[list[int]] = []
        self.keys: set[Any] = set()  # of the networks, as the family tells them apart
        self.known: dict[bytes, str] = {}  # what became of some numbers before
        self.rejected: Counter[str] = Counter()
        self.drawn = self.duplicates = 0

    @property
    def enough(self) -> bool:
        """Whether n networks were found."""
        return len(self.networks) == self.n

    def look_through(self, draws: Draws, windows: Windows, nearest: "_Nearest") -> None:
        """Takes the networks of one batch, up to the last that is needed."""
        family = self.space.family
        arrays = family.arrays(draws, self.space.limits)
        costs = family.costs(arrays)
        reasons = self._quick_reasons(arrays, costs, windows, nearest)
        looked_at = len(reasons)
        rows = arrays.rows()
        for row in np.flatnonzero(reasons == ""):
            numbers = rows[row].tobytes()
            if numbers not in self.known:
                reasons[row] = self._take(draws, arrays, costs, int(row))
                self.known[numbers] = reasons[row]
            elif not self.known[numbers]:
                self.duplicates += 1
            else:
                reasons[row] = self.known[numbers]
            if self.enough:
                looked_at = int(row) + 1
                break
        drawn = int(draws.numbers[looked_at - 1]) + 1 if self.enough else draws.drawn
        self.drawn += drawn
        self.rejected.update(reason for reason in reasons[:looked_at] if reason)
        self.rejected["stages"] += drawn - looked_at

    def _quick_reasons(
        self, arrays: Any, costs: Any, windows: Windows, nearest: "_Nearest"
    ) -> np.ndarray:
        """Why networks are thrown away, as far as arrays tell; `""`: they are not."""
        reasons = np.full(len(costs.parameters), "", dtype=object)
        for constraint in self.space.constraints:
            mask = constraint.mask(arrays, costs)
            if mask is not None:
                reasons[(reasons == "") & ~mask] = constraint.title
        allowed = reasons == ""
        for name, (low, high) in windows.items():
            values = getattr(costs, MEASURES[name])
            nearest.see(name, values[allowed], low, high)
            reasons[(reasons == "") & ((values < low) | (values > high))] = name
        return reasons

    def _take(self, draws: Draws, arrays: Any, costs: Any, row: int) -> str:
        """Keeps one network, or says why not."""
        space, rule = self.space, None
        network = space.family.network(arrays, row, draws, space.limits)
        if draws.rule is not None:
            numbers = draws.rule
            rule = Rule(
                int(numbers.depth[row]),
                int(numbers.w0[row]),
                float(numbers.wa[row]),
                float(numbers.wm[row]),
            )
        failures = space.failures(network, rule)
        if failures:
            return failures[0].constraint
        key = space.family.key(network)
        if key in self.keys:
            self.duplicates += 1
            return ""
        self.keys.add(key)
        self.networks.append(network)
        self.costs.append([int(getattr(costs, c)[row]) for c in MEASURES.values()])
        return ""

    def problem(self) -> str:
        """Why there are too few networks, and what to change."""
        name, drawn = self.space.name, f"{self.drawn:,} draws"
        reasons = ", ".join(
            f"{reason} {count / self.drawn:.1%}"
            for reason, count in self.rejected.most_common(4)
            if count
        )
        if not self.networks:
            return (
                f"No network of {name} was found in {drawn}: widen a window or a range "
                "(`space.replace`), leave a constraint out, or change the size of the "
                f"images. Thrown away for: {reasons}."
            )
        if self.duplicates > self.drawn / 1000:
            return (
                f"Only {len(self.networks)} different networks of {name} were found in "
                f"{drawn}, {self.duplicates:,} times one that was there already: ask "
                "for fewer, or widen a window or a range."
            )
        return (
            f"Only {len(self.networks)} networks of {name} were found in {drawn}: "
            "raise `max_draws`, or widen a window or a range (`space.replace`). Thrown "
            f"away for: {reasons}."
        )

    def sample(self, seed: int) -> Sample:
        """The result."""
        flops, parameters, activations = np.array(self.costs, dtype=np.int64).T
        return Sample(
            self.space.name,
            tuple(self.networks),
            flops,
            parameters,
            activations,
            seed,
            self.drawn,
            self.duplicates,
            {reason: count for reason, count in self.rejected.items() if count},
        )


class _Nearest:
    """The costs nearest to the windows that were seen outside them."""

    def __init__(self, windows: Windows) -> None:
        self.ends = {name: [-np.inf, np.inf] for name, _ in windows.items()}

    def see(self, name: str, values: np.ndarray, low: float, high: float) -> None:
        """Looks at the costs of networks that hold the constraints, as far as seen."""
        ends, values = self.ends[name], values.astype(np.float64)
        ends[0] = max(ends[0], values[values < low].max(initial=-np.inf))
        ends[1] = min(ends[1], values[values > high].min(initial=np.inf))

    def __str__(self) -> str:
        text = ""
        for name, ends in self.ends.items():
            seen = [
                f"{value:,.0f} {side}"
                for value, side in zip(ends, ("below", "above"), strict=True)
                if np.isfinite(value)
            ]
            if seen:
                text += f" The nearest {name} seen: {' and '.join(seen)} the window."
        return text
