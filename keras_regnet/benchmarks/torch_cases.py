"""The peers' side: timm's and torchvision's networks in torch.

Imports torch only when a function is called, and TensorFlow never, so that a process
can measure torch alone.
"""

import contextlib
import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from keras_regnet.architecture import RegNetParameters, variant
from keras_regnet.benchmarks import peers
from keras_regnet.benchmarks.alternation import Case
from keras_regnet.benchmarks.settings import Setting

LAYOUTS = ("contiguous", "channels_last")


def network(setting: Setting) -> Any:
    """Builds timm's network from the same numbers.

    timm's RegNet has four stages; a network with another number of them is put
    together from timm's own parts.
    """
    timm = peers.timm()
    parameters = variant(setting.network)
    if not isinstance(parameters, RegNetParameters):
        return _of_stages(parameters, setting.classes)
    regnet = timm.models.regnet
    config = regnet.RegNetCfg(
        depth=parameters.depth,
        w0=parameters.w0,
        wa=parameters.wa,
        wm=parameters.wm,
        group_size=parameters.group_width,
        se_ratio=parameters.squeeze_excite_ratio,
        group_min_ratio=0.9 if parameters.rounding == "torchvision" else 0.0,
    )
    return regnet.RegNet(config, num_classes=setting.classes)


def _of_stages(parameters: Any, classes: int) -> Any:
    """Any number of stages on timm's ConvNormAct, RegStage and ClassifierHead."""
    import torch
    from timm.layers import ClassifierHead, ConvNormAct
    from timm.models.regnet import RegStage

    width = parameters.stem_width
    layers = [ConvNormAct(3, width, 3, stride=2)]
    for stage in parameters.stages:
        layers.append(
            RegStage(
                stage.depth,
                width,
                stage.width,
                stage.stride,
                1,
                group_size=stage.group_width,
                bottle_ratio=1 / stage.bottleneck_ratio,
                se_ratio=parameters.squeeze_excite_ratio,
            )
        )
        width = stage.width
    return torch.nn.Sequential(*layers, ClassifierHead(width, classes))


def count_parameters(model: Any) -> int:
    """Trainable parameters of a torch module."""
    return sum(parameter.numel() for parameter in model.parameters())


def training(
    setting: Setting, layout: str, compiled: bool = False, device: str = "cpu"
) -> Case:
    """A training step of timm's network, the customary lines; seconds of a step.

    Args:
        setting: What to train; SGD with Nesterov momentum.
        layout: One of `LAYOUTS`.
        compiled: Whether the network goes through torch.compile.
        device: torch's name of the device.
    """
    import torch

    model, inputs, targets = _prepare(network(setting).train(), setting, layout, device)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, nesterov=True)
    forward = torch.compile(model) if compiled else model
    steps = setting.training_steps

    def case() -> float:
        start = time.perf_counter()
        for _ in range(steps):
            optimizer.zero_grad()
            with _autocast(setting.precision, device):
                loss = torch.nn.functional.cross_entropy(forward(inputs), targets)
            loss.backward()
            optimizer.step()
        _wait(device)
        return (time.perf_counter() - start) / steps

    return case


def inference(
    setting: Setting,
    layout: str,
    compiled: bool = False,
    make: Callable[[Setting], Any] = network,
    device: str = "cpu",
) -> Case:
    """Logits of a batch under `inference_mode`; seconds of a call."""
    import torch

    model, inputs, _ = _prepare(make(setting).eval(), setting, layout, device)
    model = torch.compile(model) if compiled else model
    steps = setting.inference_steps

    def case() -> float:
        start = time.perf_counter()
        with torch.inference_mode(), _autocast(setting.precision, device):
            for _ in range(steps):
                model(inputs)
        _wait(device)
        return (time.perf_counter() - start) / steps

    return case


def torchvision_network(setting: Setting) -> Any:
    """Builds torchvision's network of this name, in torchvision's own spelling.

    Raises:
        ValueError: It has none, or one of another width.
    """
    peers.timm()  # declares the operators without which torchvision does not import
    from torchvision.models import regnet

    parts = setting.network.removesuffix("-torchvision").split("-")
    size = parts[-1].lower().replace(".0gf", "gf").replace(".", "_")
    make = getattr(regnet, f"regnet_{parts[0][-1].lower()}_{size}", None)
    model = make() if make else None
    if model is None or count_parameters(model) != count_parameters(network(setting)):
        raise ValueError(
            "torchvision has no network of this name and these widths. "
            f"Received: {setting.network}"
        )
    return model


def export_onnx(setting: Setting, path: Path) -> None:
    """Writes torch.onnx's export of timm's network, for this batch size."""
    import torch

    model, inputs, _ = _prepare(network(setting).eval(), setting, "contiguous")
    with _quiet():
        torch.onnx.export(model, (inputs,), str(path), dynamo=True, verbose=False)


def onnxruntime(
    setting: Setting, threads: int | None = None, path: Path | None = None
) -> Case:
    """Runs torch.onnx's export of timm's network; seconds of a call.

    Args:
        setting: The network and the images.
        threads: Within an operator; None for onnxruntime's choice.
        path: What `export_onnx` wrote; None to export it here.
    """
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        if path is None:
            path = Path(folder) / "network.onnx"
            export_onnx(setting, path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    images = np.ascontiguousarray(setting.batch()[0].transpose(0, 3, 1, 2))
    feed = {session.get_inputs()[0].name: images}
    steps = setting.inference_steps

    def case() -> float:
        start = time.perf_counter()
        for _ in range(steps):
            session.run(None, feed)
        return (time.perf_counter() - start) / steps

    return case


def free() -> None:
    """Gives back what torch.compile keeps."""
    import torch

    torch._dynamo.reset()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the exporter's notes to itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.INFO)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


def _prepare(
    model: Any, setting: Setting, layout: str, device: str = "cpu"
) -> tuple[Any, Any, Any]:
    """Model and inputs in a memory layout, and the targets, on a device."""
    import torch

    memory_format = {
        "contiguous": torch.contiguous_format,
        "channels_last": torch.channels_last,
    }[layout]
    images, labels = setting.batch()
    inputs = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    return (
        model.to(device, memory_format=memory_format),
        inputs.to(device).contiguous(memory_format=memory_format),
        torch.from_numpy(labels).to(device),
    )


def _wait(device: str) -> None:
    """Until the device has done what it was given."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


def _autocast(precision: str, device: str) -> Any:
    if precision == "float32":
        return contextlib.nullcontext()
    import torch

    return torch.autocast(device, torch.bfloat16)
