"""A network as an ONNX file, compared with its Keras model in onnxruntime."""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_regnet.files import replacing
from keras_regnet.logs import errors_only
from keras_regnet.optional import require
from keras_regnet.publishing import onnx_graph
from keras_regnet.publishing.agreement import check
from keras_regnet.publishing.exported import ExportedFile
from keras_regnet.publishing.group_blocks import block_groups
from keras_regnet.publishing.preparation import check_target, prepare, set_export_form
from keras_regnet.publishing.trial import try_out

LAYOUTS = ("NHWC", "NCHW")
OPSETS = range(13, 19)


def export_onnx(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    layout: str = "NHWC",
    activation: str | None = None,
    opset: int = 18,
    channel_block: int = 16,
    tolerance: float = 1e-4,
    metadata: Mapping[str, Any] | None = None,
    images: Iterable[np.ndarray] | None = None,
    verbose: bool = True,
) -> ExportedFile:
    """Writes a network as ONNX: float32, for inference, with the weights inside.

    The batch normalisations are folded into the convolutions. The file has one `Conv`
    for each convolution of the network and, with the layout NHWC, one `Transpose` at
    the input. The batch size is free, and so are the height and the width where they
    are in the model. The file appears only after onnxruntime has given the model's
    outputs, on batches of several sizes.

    Args:
        model: A built functional or sequential Keras model. A model that computes in
            another precision is exported, and compared, as it computes in float32.
        path: The file to write, or to replace; its folder must exist.
        layout: `"NHWC"` for images (and feature maps) with the channels last, as the
            Keras model has them, or `"NCHW"`.
        activation: `"logits"` or `"softmax"` for a classifier to end so, whether or not
            the model does; None for the model as it is.
        opset: Version of ONNX's operators, 13 to 18.
        channel_block: What the channels of a narrow group are to be a multiple of, by
            groups merged with zeros across (`group_blocks.py`), since onnxruntime's
            fast convolutions need it: 16 with AVX-512, 8 with AVX2. RegNetY-400MF then
            takes about 0.8 times as long (two cores with AVX-512). Convolutions stay
            grouped. 1 leaves the groups as the network has them.
        tolerance: The largest difference from the model's outputs that is allowed,
            relative to their largest magnitude.
        metadata: Entries of the file's metadata; values that are not strings as JSON.
        images: Batches to compare on, as the model takes them; by default random ones.
        verbose: Whether to print a line about the file.

    Returns:
        What was written, and how far it agrees. The input is called `images`; the
        output `logits`, `probabilities`, `features` or `feature_map`, or as the keys of
        the model's dictionary.

    Raises:
        ValueError: An argument is impossible, or the model cannot be exported.
        DisagreementError: The outputs differ by more than the tolerance. No file is
            written.
        ImportError: The extra `export` is not installed.
    """
    path = Path(path)
    _check(path, layout, opset, channel_block)
    size, reference, names, network = prepare(model, activation)
    if channel_block > 1:
        network = block_groups(network, channel_block)
    proto = _convert(network, names, layout, opset)
    onnx_graph.tidy(proto, keras.tree.flatten(names), layout, size)
    proto.producer_name = "keras_regnet"
    for key, value in (metadata or {}).items():
        entry = proto.metadata_props.add()
        entry.key = str(key)
        entry.value = value if isinstance(value, str) else json.dumps(value)
    require("onnx", "export").checker.check_model(proto, full_check=True)

    with replacing(path) as temporary:
        temporary.write_bytes(proto.SerializeToString())
        agreement = try_out(runner(temporary, names, layout), reference, images)
        check(agreement, tolerance, "onnxruntime's outputs")
        written = temporary.stat().st_size
    exported = ExportedFile(
        path,
        "onnx",
        "float32",
        written,
        ("images", (None, *size) if layout == "NHWC" else (None, size[2], *size[:2])),
        tuple(keras.tree.flatten(names)),
        agreement,
    )
    if verbose:
        print(exported)
    return exported


def session(path: str | os.PathLike[str], threads: int | None = None) -> Any:
    """An onnxruntime session on the CPU that says nothing but errors.

    Args:
        path: An ONNX file.
        threads: Within an operator; None for onnxruntime's choice.
    """
    runtime = require("onnxruntime", "export")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or 0
    return runtime.InferenceSession(
        os.fspath(path), options, providers=["CPUExecutionProvider"]
    )


def runner(
    path: str | os.PathLike[str],
    names: Mapping[str, str] | str,
    layout: str = "NHWC",
    threads: int | None = None,
) -> Callable[[np.ndarray], Any]:
    """A function from images, channels last, to what the Keras model would give.

    Args:
        path: A file that `export_onnx` wrote.
        names: `output_names` of the model.
        layout: Of the file.
        threads: See `session`.
    """
    running = session(path, threads)
    turned = layout == "NCHW"

    def back(output: np.ndarray) -> np.ndarray:
        return np.moveaxis(output, 1, -1) if turned and output.ndim == 4 else output

    def run(images: np.ndarray) -> Any:
        feed = np.ascontiguousarray(np.moveaxis(images, -1, 1)) if turned else images
        wanted = keras.tree.flatten(names)
        outputs = dict(zip(wanted, running.run(wanted, {"images": feed}), strict=True))
        return keras.tree.map_structure(lambda name: back(outputs[name]), names)

    return run


def _check(path: Path, layout: str, opset: int, channel_block: int) -> None:
    """Refuses what cannot work, before minutes of work."""
    check_target(path, ".onnx", "export_onnx")
    if layout not in LAYOUTS:
        raise ValueError(f"`layout` must be one of {LAYOUTS}. Received: {layout!r}")
    if opset not in OPSETS:
        raise ValueError(
            f"`opset` must be from {OPSETS[0]} to {OPSETS[-1]}. Received: {opset!r}"
        )
    if not isinstance(channel_block, int) or channel_block < 1:
        raise ValueError(
            "`channel_block` must be a positive integer; 1 merges nothing. Received: "
            f"channel_block={channel_block!r}"
        )
    require("onnx", "export")
    require("onnxruntime", "export")
    require("tf2onnx", "export")


def _convert(
    network: keras.Model, names: Mapping[str, str] | str, layout: str, opset: int
) -> Any:
    """The network's graph in ONNX's operators, as tf2onnx writes it."""
    import tensorflow as tf

    tf2onnx = require("tf2onnx", "export")
    set_export_form(network)

    @tf.function
    def images_to_outputs(images: Any) -> dict[str, Any]:
        outputs = keras.tree.flatten(network(images, training=False))
        return dict(zip(keras.tree.flatten(names), outputs, strict=True))

    maps = [
        name
        for name, output in zip(keras.tree.flatten(names), network.outputs, strict=True)
        if len(output.shape) == 4
    ]
    nchw = layout == "NCHW"
    with errors_only("tf2onnx", "tensorflow"):  # both tell of every conversion
        proto, _ = tf2onnx.convert.from_function(
            images_to_outputs,
            [tf.TensorSpec(network.inputs[0].shape, tf.float32, "images")],
            opset=opset,
            inputs_as_nchw=["images"] if nchw else None,
            outputs_as_nchw=maps if nchw else None,
        )
    return proto
