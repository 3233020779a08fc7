"""Resident memory of a process that trains: ours beside torch's."""

from collections.abc import Mapping, Sequence
from functools import partial

from keras_regnet.benchmarks import fresh_process
from keras_regnet.benchmarks.alternation import take_turns
from keras_regnet.benchmarks.comparison import Comparison
from keras_regnet.benchmarks.resident_memory import peak_memory, resident_memory
from keras_regnet.benchmarks.settings import Setting

_GB = 1e9
_STEPS = 2


def memory(
    setting: Setting,
    rounds: int,
    peers: Sequence[str] = ("timm",),
    absent: Mapping[str, str] | None = None,
) -> list[Comparison]:
    """Peak resident memory, in GB of 10^9 bytes, of two training steps.

    Each number is of a process of its own, that imports one framework only.

    Args:
        setting: The network, image and batch size, and precision.
        rounds: How often the cases alternate.
        peers: `"timm"` for eager torch in both layouts.
        absent: Peers that are known not to be there, and why.

    Returns:
        The peak; and what was resident before the network was built.
    """
    fields = {**setting.to_dict(), "steps": _STEPS}
    here = "keras_regnet.benchmarks.memory"
    cases = {
        "keras_regnet, fit": partial(
            fresh_process.call, f"{here}:keras_process", {"setting": fields}
        )
    }
    columns = {}
    if "timm" in peers:
        columns["eager torch"] = ("timm, contiguous", "timm, channels_last")
        for layout in ("contiguous", "channels_last"):
            cases[f"timm, {layout}"] = partial(
                fresh_process.call,
                f"{here}:torch_process",
                {"setting": fields, "layout": layout},
                lean=True,
            )
    results = take_turns(cases, rounds)

    def comparison(kind: str, title: str, index: int) -> Comparison:
        numbers = {
            name: [pair[index] / _GB for pair in pairs]
            for name, pairs in results.items()
        }
        fields = setting.fields(kind)
        title = f"{title}, {setting}"
        return Comparison(title, numbers, columns, "GB", fields, dict(absent or {}))

    return [
        comparison("memory", "peak memory of training", 1),
        comparison("memory before", "memory before the network is built", 0),
    ]


def keras_process(setting: dict) -> tuple[int, int]:
    """Bytes before the network is built and at the peak of training, here and now."""
    import tensorflow as tf

    from keras_regnet.benchmarks import keras_cases

    made = Setting(**setting)
    tf.constant(made.batch()[0])  # starts the runtime
    before = resident_memory()
    keras_cases.fit(made)()
    return before, peak_memory()


def torch_process(setting: dict, layout: str) -> tuple[int, int]:
    """The same of timm's network; for a process without TensorFlow."""
    from keras_regnet.benchmarks import peers, torch_cases

    made = Setting(**setting)
    peers.timm()
    made.batch()
    before = resident_memory()
    torch_cases.training(made, layout)()
    return before, peak_memory()
