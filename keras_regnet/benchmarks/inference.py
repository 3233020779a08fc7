"""Logits of a batch: ours in a graph and through `predict`, the peers' in theirs."""

from collections.abc import Mapping, Sequence
from functools import partial

from keras_regnet.benchmarks import keras_cases, torch_cases
from keras_regnet.benchmarks.alternation import Builder, alternate
from keras_regnet.benchmarks.comparison import Comparison
from keras_regnet.benchmarks.settings import Setting


def inference(
    setting: Setting,
    rounds: int,
    peers: Sequence[str] = ("timm",),
    absent: Mapping[str, str] | None = None,
    *,
    jit_compile: bool = False,
) -> Comparison:
    """Seconds to the logits of one batch.

    Args:
        setting: The network, image and batch size, and precision.
        rounds: How often the cases alternate.
        peers: Of `peers.PEERS`. torchvision and onnxruntime take part in float32.
        absent: Peers that are known not to be there, and why.
        jit_compile: Whether our graph under XLA is a case too.
    """
    absent = dict(absent or {})
    full = setting.precision == "float32"
    if "torchvision" in peers and full:
        try:
            torch_cases.torchvision_network(setting)
        except ValueError as error:
            absent["torchvision"] = str(error)
    builders: dict[str, Builder] = keras_cases.inference_builders(setting, jit_compile)
    columns: dict[str, dict[str, Builder]] = {}
    layouts = torch_cases.LAYOUTS
    case = torch_cases.inference
    if "timm" in peers:
        columns["eager torch"] = {
            f"timm, {layout}": partial(case, setting, layout) for layout in layouts
        }
    if "compile" in peers:
        columns["torch.compile"] = {
            "timm, torch.compile": partial(
                case, setting, "channels_last", compiled=True
            )
        }
    if "torchvision" in peers and "torchvision" not in absent and full:
        columns["torchvision"] = {
            f"torchvision, {layout}": partial(
                case, setting, layout, make=torch_cases.torchvision_network
            )
            for layout in layouts
        }
    if "onnxruntime" in peers and full:
        columns["onnxruntime"] = {
            "timm, onnxruntime": partial(torch_cases.onnxruntime, setting)
        }
    optional = [
        name
        for column, cases in columns.items()
        for name in cases
        if column != "eager torch"
    ]
    for cases in columns.values():
        builders |= cases
    try:
        return alternate(
            f"inference, {setting}",
            builders,
            columns,
            rounds,
            optional=optional,
            absent=absent,
            setting={**setting.fields("infer"), "images": setting.batch_size},
        )
    finally:
        keras_cases.free()
        if columns:
            torch_cases.free()
