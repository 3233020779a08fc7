"""The best networks of a space by the numbers that make them, and who failed."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Any

from keras_regnet.architecture import RegNetParameters
from keras_regnet.design_space.records import Record
from keras_regnet.design_space.report.properties import number
from keras_regnet.design_space.results import PopulationResults
from keras_regnet.training.report.html import table
from keras_regnet.training.report.wording import percent

_COSTS = ("flops", "parameters", "activations", "e_fit")


def best_networks_table(results: PopulationResults, count: int = 5) -> ET.Element:
    """The best networks: error, costs, and the numbers that make them."""
    order = results.order()[:count]
    making = [numbers(results, int(row)) for row in order]
    names = list(dict.fromkeys(name for each in making for name in each))
    rows = [
        [
            place,
            percent(results.errors[row]),
            *(number(name, results.table[name][row]) for name in _COSTS),
            *(made.get(name, "") for name in names),
        ]
        for place, (row, made) in enumerate(zip(order, making, strict=True), start=1)
    ]
    head = ["rank", "error", *_COSTS, *names]
    return table(
        f"{results.name}: the best {len(rows)} of {len(results)}",
        head,
        rows,
        numbers=range(len(head)),
    )


def numbers(results: PopulationResults, row: int) -> dict[str, str]:
    """The numbers that make a network: of a RegNet the rule's, of others per stage."""
    network = results.networks[row]
    subject = results.space.family.subject(network)
    made: dict[str, str] = {}
    if isinstance(network, RegNetParameters):
        made |= {
            "d": str(network.depth),
            "w0": str(network.w0),
            "wa": f"{network.wa:.6g}",
            "wm": f"{network.wm:.6g}",
            "b": f"{network.bottleneck_ratio:g}",
            "g": str(network.group_width),
        }
    made |= {"depths": _per_stage(subject.depths), "widths": _per_stage(subject.widths)}
    if "b" not in made and subject.bottleneck_ratios is not None:
        made["b"] = _per_stage(subject.bottleneck_ratios)
        made["g"] = _per_stage(subject.group_widths)
    return made


def failed_table(records: Sequence[Record]) -> ET.Element | None:
    """The networks that failed, and why; None where there is none."""
    if not records:
        return None
    rows = [
        [record.space, record.id, record.seed, record.reason or "unknown"]
        for record in records
    ]
    head = ["space", "number in the file", "seed", "reason"]
    return table("Networks that failed", head, rows, numbers=(1, 2))


def _per_stage(values: Sequence[Any]) -> str:
    return ", ".join(f"{value:g}" for value in values)
