"""Cases in turn, so that a machine whose speed drifts compares fairly."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from keras_regnet.benchmarks.comparison import Comparison

Case = Callable[[], float]
"""Does the work once and returns its seconds."""

Builder = Callable[[], Case]
"""Prepares a case: builds the network, exports it, opens the file."""

_T = TypeVar("_T")


def take_turns(
    cases: Mapping[str, Callable[[], _T]], rounds: int
) -> dict[str, list[_T]]:
    """Calls every case once a round, in turn.

    Args:
        cases: What to call.
        rounds: How often.

    Returns:
        Per case what the calls returned.
    """
    results: dict[str, list[_T]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            results[name].append(case())
    return results


def alternate(
    title: str,
    builders: Mapping[str, Builder],
    peers: Mapping[str, Iterable[str]],
    rounds: int,
    *,
    optional: Iterable[str] = (),
    absent: Mapping[str, str] | None = None,
    setting: Mapping[str, Any] | None = None,
    unit: str = "s",
) -> Comparison:
    """Prepares every case, warms it up with one call, and lets them take turns.

    Args:
        title: What is measured.
        builders: Per case a function that prepares it.
        peers: Per column the cases that are one kind of peer; see `Comparison`.
        rounds: How often each case runs.
        optional: Cases that may fail in preparation or warm-up (a compiler may be
            missing); they are then named in the comparison as absent.
        absent: Peers that are known not to be there, and why.
        setting: Goes into the comparison.
        unit: Of what the cases return.
    """
    absent = dict(absent or {})
    optional = set(optional)
    cases = {}
    for name, builder in builders.items():
        try:
            case = builder()
            case()
        except Exception as error:
            if name not in optional:
                raise
            absent[name] = reason(error)
        else:
            cases[name] = case
    return Comparison(
        title,
        take_turns(cases, rounds),
        present(peers, cases),
        unit,
        dict(setting or {}),
        absent,
    )


def present(
    peers: Mapping[str, Iterable[str]], cases: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """The columns of peers, with the cases that exist."""
    cases = set(cases)
    columns = {
        column: tuple(name for name in names if name in cases)
        for column, names in peers.items()
    }
    return {column: names for column, names in columns.items() if names}


def reason(error: BaseException) -> str:
    """An error as one short line."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:200].removesuffix(": ")
