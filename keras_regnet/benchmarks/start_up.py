"""What is waited for before training runs: construction and the first step."""

import time
from collections.abc import Mapping, Sequence
from functools import partial

from keras_regnet.benchmarks import fresh_process
from keras_regnet.benchmarks.alternation import alternate, take_turns
from keras_regnet.benchmarks.comparison import Comparison
from keras_regnet.benchmarks.settings import Setting

_HERE = "keras_regnet.benchmarks.start_up"


def construction(
    network: str,
    rounds: int,
    peers: Sequence[str] = ("timm",),
    absent: Mapping[str, str] | None = None,
) -> Comparison:
    """Seconds until a network stands with random weights."""
    from keras_regnet.benchmarks import keras_cases, torch_cases

    setting = Setting(network)

    def ours() -> float:
        start = time.perf_counter()
        keras_cases.network(setting)
        seconds = time.perf_counter() - start
        keras_cases.free()
        return seconds

    def theirs() -> float:
        start = time.perf_counter()
        torch_cases.network(setting)
        return time.perf_counter() - start

    builders = {"keras_regnet": lambda: ours}
    if "timm" in peers:
        builders["timm"] = lambda: theirs
    fields = {"kind": "build", "network": setting.network}
    return alternate(
        f"construction, {setting.network}",
        builders,
        {"eager torch": ["timm"]},
        rounds,
        absent=absent,
        setting=fields,
    )


def first_step(
    setting: Setting,
    rounds: int,
    peers: Sequence[str] = ("timm",),
    absent: Mapping[str, str] | None = None,
    *,
    jit_compile: bool = False,
) -> Comparison:
    """Seconds from the imports to the end of the first training step.

    Each in a process of its own: the network is built, compiled and trained for one
    step. Nothing is warmed up.

    Args:
        setting: The network, image and batch size.
        rounds: How often the cases alternate.
        peers: `"timm"` for eager torch, `"compile"` for torch.compile.
        absent: Peers that are known not to be there, and why.
        jit_compile: Whether the compilers are cases too: XLA, and torch.compile with
            its cache on the disk switched off. They take minutes.
    """
    fields = {**setting.to_dict(), "steps": 1}

    def ours(**arguments: bool) -> float:
        return fresh_process.call(
            f"{_HERE}:keras_first_step", {"setting": fields, **arguments}
        )

    def theirs(**arguments: bool | str) -> float:
        return fresh_process.call(
            f"{_HERE}:torch_first_step", {"setting": fields, **arguments}, lean=True
        )

    cases = {"keras_regnet, fit": ours}
    if jit_compile:
        cases["keras_regnet, fit, jit_compile=True"] = partial(ours, jit_compile=True)
    columns = {}
    if "timm" in peers:
        columns["eager torch"] = ("timm, contiguous", "timm, channels_last")
        for layout in ("contiguous", "channels_last"):
            cases[f"timm, {layout}"] = partial(theirs, layout=layout)
    if jit_compile and "compile" in peers:
        columns["torch.compile"] = ("timm, torch.compile",)
        cases["timm, torch.compile"] = partial(
            theirs, layout="channels_last", compiled=True
        )
    return Comparison(
        f"first training step, {setting}",
        take_turns(cases, rounds),
        columns,
        setting=setting.fields("build"),
        absent=dict(absent or {}),
    )


def keras_first_step(setting: dict, jit_compile: bool = False) -> float:
    """Builds, compiles and trains for one step; the imports have been done."""
    import tensorflow  # noqa: F401

    from keras_regnet.benchmarks import keras_cases

    made = Setting(**setting)
    start = time.perf_counter()
    keras_cases.fit(made, **({"jit_compile": True} if jit_compile else {}))()
    return time.perf_counter() - start


def torch_first_step(setting: dict, layout: str, compiled: bool = False) -> float:
    """The same in torch."""
    from keras_regnet.benchmarks import peers, torch_cases

    peers.timm()
    if compiled:
        import torch._inductor.config

        torch._inductor.config.force_disable_caches = True
    made = Setting(**setting)
    start = time.perf_counter()
    torch_cases.training(made, layout, compiled)()
    return time.perf_counter() - start
