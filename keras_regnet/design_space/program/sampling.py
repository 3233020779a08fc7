"""The command `sample`: networks of a space, to look at or to build from a file."""

import json
from collections.abc import Sequence
from typing import Any

from keras_regnet.architecture import AnyNetParameters, RegNetParameters
from keras_regnet.design_space.networks import encode
from keras_regnet.design_space.program import flags
from keras_regnet.design_space.sample import Sample
from keras_regnet.files import local_path, write_text
from keras_regnet.text_table import text_table
from keras_regnet.training.report.wording import short
from keras_regnet.training.run_directory import naming

RULE = ("d", "w0", "wa", "wm", "b", "g")


def run(values: Any) -> None:
    """Draws networks, prints some and writes all."""
    if values.show < 0:
        raise ValueError(f"--show must be at least 0. Received: {values.show}")
    plan = flags.plan(values, values.space)
    print(plan.make_space())
    sample = plan.sample(values.n)
    print(f"\n{sample}\n")
    if values.show:
        print(table(sample, values.show))
    if values.output:
        path = local_path(values.output, "output")
        with naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, "".join(f"{line}\n" for line in lines(sample)))
        print(f"\nAll {len(sample)} networks: {path}")


def table(sample: Sample, count: int) -> str:
    """The first networks of a sample."""
    costs = zip(sample.flops, sample.parameters, sample.activations, strict=True)
    head, rows = None, []
    for network, cost in list(zip(sample, costs, strict=True))[:count]:
        names, numbers = described(network)
        head = (*names, "flops", "parameters", "activations")
        rows.append((*numbers, *map(short, cost)))
    return text_table(head, rows, numbers=range(len(head)))


def described(network: Any) -> tuple[Sequence[str], Sequence[str]]:
    """What a network is made of: headings, and a text for each."""
    if isinstance(network, RegNetParameters):
        stages = network.anynet()
        return (*RULE, "depths", "widths"), (
            *rule_numbers(network),
            _series(stages.depths),
            _series(stages.widths),
        )
    names, texts = ("depths", "widths"), [network.depths, network.widths]
    if isinstance(network, AnyNetParameters) and network.block in ("x", "y"):
        names += ("bottlenecks", "group widths")
        texts.append([stage.bottleneck_ratio for stage in network.stages])
        texts.append([s.bottleneck_width // s.groups for s in network.stages])
    return names, [_series(each) for each in texts]


def rule_numbers(network: RegNetParameters) -> tuple[str, ...]:
    """The six numbers of a RegNet, as `RULE` calls them."""
    numbers = (network.depth, network.w0, network.wa, network.wm)
    numbers += (network.bottleneck_ratio, network.group_width)
    return tuple(f"{each:g}" for each in numbers)


def lines(sample: Sample) -> list[str]:
    """A line of JSON for each network: as studies write it, and its costs."""
    costs = zip(sample.flops, sample.parameters, sample.activations, strict=True)
    names = ("flops", "parameters", "activations")
    return [
        json.dumps(
            {
                "network": json.loads(encode(network)),
                **dict(zip(names, map(int, cost), strict=True)),
            }
        )
        for network, cost in zip(sample, costs, strict=True)
    ]


def _series(values: Sequence[Any]) -> str:
    return ",".join(f"{value:g}" for value in values)
