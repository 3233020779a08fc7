"""A training step: ours through `compile` and `fit`, timm's in eager torch."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from keras_regnet.benchmarks import fresh_process, keras_cases, torch_cases
from keras_regnet.benchmarks.alternation import alternate
from keras_regnet.benchmarks.comparison import Comparison
from keras_regnet.benchmarks.resident_memory import peak_memory, resident_memory
from keras_regnet.benchmarks.settings import Setting


def training_step(
    setting: Setting,
    rounds: int,
    peers: Sequence[str] = ("timm",),
    absent: Mapping[str, str] | None = None,
    *,
    jit_compile: bool = False,
    stock_layers: bool = False,
    kind: str = "train",
) -> Comparison:
    """Seconds of a training step of one network, SGD with Nesterov momentum.

    Compiling is not counted: every case is warmed up.

    Args:
        setting: The network, image and batch size, and precision.
        rounds: How often the cases alternate.
        peers: `"timm"` for eager torch in both layouts, `"compile"` for torch.compile.
        absent: Peers that are known not to be there, and why.
        jit_compile: Whether `compile(jit_compile=True)` is a case too.
        stock_layers: Whether the same network on `keras.layers.Conv2D(groups=...)` and
            `keras.layers.BatchNormalization` is a case too. On a CPU it takes minutes.
        kind: Goes into the comparison's setting.
    """
    builders = {"keras_regnet, fit": partial(keras_cases.fit, setting)}
    optional = []
    if jit_compile:
        builders["keras_regnet, fit, jit_compile=True"] = partial(
            keras_cases.fit, setting, jit_compile=True
        )
    if stock_layers:
        # A subject of comparison, but no peer: it is to be seen how slow it is.
        builders["stock Keras layers, fit"] = partial(keras_cases.stock_fit, setting)
    columns = {}
    if "timm" in peers:
        columns["eager torch"] = [f"timm, {layout}" for layout in torch_cases.LAYOUTS]
        for layout in torch_cases.LAYOUTS:
            builders[f"timm, {layout}"] = partial(torch_cases.training, setting, layout)
    if "compile" in peers:
        columns["torch.compile"] = optional = ["timm, torch.compile"]
        builders["timm, torch.compile"] = partial(
            torch_cases.training, setting, "channels_last", compiled=True
        )
    try:
        return alternate(
            f"training step, {setting}",
            builders,
            columns,
            rounds,
            optional=optional,
            absent=absent,
            setting={**setting.fields(kind), "images": setting.batch_size},
        )
    finally:
        keras_cases.free()
        if columns:
            torch_cases.free()


def training_step_apart(
    setting: Setting,
    rounds: int,
    peers: Sequence[str],
    absent: Mapping[str, str] | None = None,
    **options: Any,
) -> tuple[Comparison, int, int]:
    """`training_step` in a process of its own, and what memory it took.

    Returns:
        The comparison; and in bytes what was resident before the networks were built,
        and at the peak.

    Raises:
        FreshProcessError: The process failed or was killed.
    """
    answer = fresh_process.call(
        "keras_regnet.benchmarks.training_step:_answer",
        {
            "setting": setting.to_dict(),
            "rounds": rounds,
            "peers": list(peers),
            "absent": dict(absent or {}),
            **options,
        },
    )
    return Comparison.from_dict(answer[0]), answer[1], answer[2]


def _answer(setting: dict, **arguments: Any) -> tuple[dict, int, int]:
    made = Setting(**setting)
    before = resident_memory()
    comparison = training_step(made, **arguments)
    return comparison.to_dict(), before, peak_memory()
