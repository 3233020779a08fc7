"""Our ONNX file and torch's of timm's network, both in onnxruntime on the CPU."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from keras_regnet.benchmarks import keras_cases, torch_cases
from keras_regnet.benchmarks.alternation import Builder, Case, alternate
from keras_regnet.benchmarks.comparison import Comparison
from keras_regnet.benchmarks.settings import Setting
from keras_regnet.publishing.onnx_export import export_onnx, session

THREADS = (1, 2)

_VARIANTS = {
    "keras_regnet, NHWC": {},
    "keras_regnet, NCHW": {"layout": "NCHW"},
    "keras_regnet, NHWC, groups as they are": {"channel_block": 1},
}


def onnx_files(
    settings: Sequence[Setting],
    rounds: int,
    peers: Sequence[str] = ("onnxruntime",),
    absent: Mapping[str, str] | None = None,
) -> Iterator[Comparison]:
    """Seconds to the logits of one batch, for one thread and for two.

    Our files have a free batch size, torch's the one that is measured.

    Args:
        settings: Of one network; several batch sizes.
        rounds: How often the cases alternate.
        peers: `"onnxruntime"` for torch.onnx's export of timm's network.
        absent: Peers that are known not to be there, and why.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / f"{n}.onnx" for n, name in enumerate(_VARIANTS)}
        model = keras_cases.network(settings[0])
        for name, arguments in _VARIANTS.items():
            export_onnx(model, paths[name], verbose=False, **arguments)
        del model
        keras_cases.free()
        for setting in settings:
            theirs = Path(folder) / f"timm_{setting.batch_size}.onnx"
            if "onnxruntime" in peers:
                torch_cases.export_onnx(setting, theirs)
            for threads in THREADS:
                builders: dict[str, Builder] = {
                    name: partial(_case, setting, path, threads)
                    for name, path in paths.items()
                }
                columns = {}
                if "onnxruntime" in peers:
                    columns["torch.onnx"] = ["timm, torch.onnx"]
                    builders["timm, torch.onnx"] = partial(
                        torch_cases.onnxruntime, setting, threads, theirs
                    )
                yield alternate(
                    f"onnxruntime, {setting}, {threads} thread{'s' * (threads > 1)}",
                    builders,
                    columns,
                    rounds,
                    absent=absent,
                    setting={
                        **setting.fields("onnx"),
                        "images": setting.batch_size,
                        "threads": threads,
                    },
                )


def _case(setting: Setting, path: Path, threads: int) -> Case:
    running = session(path, threads)
    images = setting.batch()[0]
    (taken,) = running.get_inputs()
    if taken.shape[-1] != 3:
        images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    call: Callable = partial(running.run, None, {taken.name: images})
    return keras_cases.repeated(call, setting.inference_steps)
