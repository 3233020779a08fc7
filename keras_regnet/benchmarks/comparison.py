"""The outcome of one benchmark: numbers of our cases beside those of peers."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from keras_regnet.text_table import text_table


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Numbers of our cases and of peers', taken in alternation. Less is better.

    Attributes:
        title: What was measured.
        values: Per case a number for each round.
        peers: Per column the names of the cases that are one kind of peer, for example
            `{"eager torch": ("timm, contiguous", "timm, channels_last")}`. Ratios are
            taken, round by round, to the fastest of a column in that round. A case
            that is in no column is ours.
        unit: Of the values.
        setting: What the numbers belong to: `kind` (`"train"`, ...), the network,
            image and batch size. Plain JSON types.
        absent: Peers that were left out, and why.
    """

    title: str
    values: Mapping[str, Sequence[float]]
    peers: Mapping[str, Sequence[str]]
    unit: str = "s"
    setting: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    absent: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def ours(self) -> list[str]:
        """The cases that are not a peer's."""
        peers = {name for names in self.peers.values() for name in names}
        return [name for name in self.values if name not in peers]

    def median(self, name: str) -> float:
        """The median of a case's rounds."""
        return statistics.median(self.values[name])

    def ratios(self, name: str, column: str | None = None) -> list[float]:
        """A case over the best peer of a column, a number for each round.

        Args:
            name: The case.
            column: A key of `peers`; the first by default.

        Returns:
            The ratios; none where there is no peer.
        """
        column = column or next(iter(self.peers), None)
        if column is None:
            return []
        peers = [self.values[peer] for peer in self.peers[column]]
        best = (min(numbers) for numbers in zip(*peers, strict=True))
        return [ours / peer for ours, peer in zip(self.values[name], best, strict=True)]

    def images_per_second(self, name: str) -> float | None:
        """The median rate of a case, where the values are seconds for `images`."""
        images = self.setting.get("images")
        return images / self.median(name) if images and self.unit == "s" else None

    def share_of_peak(self, name: str) -> float | None:
        """The median rate of a case over the device's `peak`, where that is known."""
        work = self.setting.get("flops")
        return work / self.median(name) / self.setting["peak"] if work else None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; `from_dict` takes them back."""
        return {
            "title": self.title,
            "unit": self.unit,
            "setting": dict(self.setting),
            "values": {name: list(numbers) for name, numbers in self.values.items()},
            "peers": {column: list(names) for column, names in self.peers.items()},
            "ratios": {
                column: {name: self.ratios(name, column) for name in self.values}
                for column in self.peers
            },
            "absent": dict(self.absent),
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Comparison":
        """Builds a comparison from what `to_dict` gave."""
        keys = ("title", "values", "peers", "unit", "setting", "absent")
        return cls(**{key: fields[key] for key in keys})

    def to_markdown(self) -> str:
        """A table of its own, a row for each of our cases."""
        return markdown_table([self])

    def __str__(self) -> str:
        header = ["case", f"median {self.unit}"]
        rates = "images" in self.setting and self.unit == "s"
        header += ["images/s"] if rates else []
        header += ["of peak"] if "peak" in self.setting else []
        header += [f"over {column}" for column in self.peers]
        rows = []
        for name in self.values:
            row = [name, f"{self.median(name):.4f}"]
            row += [f"{self.images_per_second(name):.1f}"] if rates else []
            if "peak" in self.setting:
                row.append(f"{self.share_of_peak(name):.3f}")
            rows.append(row + [_spread(self.ratios(name, c)) for c in self.peers])
        numbers = range(1, len(header))
        lines = [self.title, text_table(header, rows, numbers, indent=2)]
        lines += [f"  left out: {name} ({why})" for name, why in self.absent.items()]
        if not self.peers:
            lines.append("  no peer to compare with")
        return "\n".join(lines)


def markdown_table(comparisons: Sequence[Comparison]) -> str:
    """One Markdown table, a row for each of our cases in each comparison.

    Args:
        comparisons: What to show; all columns of peers that any of them has become
            columns of the table.

    Returns:
        The table, with a line feed at its end.
    """
    columns = list(dict.fromkeys(c for each in comparisons for c in each.peers))
    header = ["measured", "case", "median", *(f"over {column}" for column in columns)]
    rows = [header, ["---", "---", *["---:"] * (len(columns) + 1)]]
    for each in comparisons:
        for name in each.ours:
            cells = [
                _spread(each.ratios(name, column)) if column in each.peers else ""
                for column in columns
            ]
            median = f"{each.median(name):.3g} {each.unit}"
            rows.append([each.title, name, median, *cells])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _spread(ratios: Sequence[float]) -> str:
    """Median, least and greatest."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
