"""The names in an ONNX graph: of layers, of what they hold, and of free sizes."""

import re
from collections.abc import Iterable, Sequence
from typing import Any


def name_sizes(
    graph: Any, outputs: Sequence[str], layout: str, size: Sequence[int | None]
) -> None:
    """Calls what is free by name, and the same everywhere.

    Args:
        graph: An `onnx.GraphProto`, changed in place.
        outputs: The names of its outputs.
        layout: `"NHWC"` or `"NCHW"`.
        size: Height, width and channels of the images; None for what is free.
    """
    images = graph.input[0].type.tensor_type.shape.dim
    height, width, channels = (
        value or name
        for value, name in zip(size, ("height", "width", "channels"), strict=True)
    )
    wanted = [height, width, channels]
    if layout == "NCHW":
        wanted = [channels, height, width]
    for dimension, value in zip(images, ["batch", *wanted], strict=True):
        _set(dimension, value)
    for output, name in zip(graph.output, outputs, strict=True):
        dimensions = output.type.tensor_type.shape.dim
        _set(dimensions[0], "batch")
        for index, dimension in enumerate(dimensions):
            if index and not dimension.dim_value:
                _set(dimension, f"{name}_{index}")


def _set(dimension: Any, value: int | str) -> None:
    dimension.Clear()
    if isinstance(value, str):
        dimension.dim_param = value
    else:
        dimension.dim_value = value


def rename(graph: Any) -> None:
    """Names by layer, `s1_b1/conv1/conv`, in the place of TensorFlow's scopes."""
    constants = {each.name for each in graph.initializer}
    fixed = {each.name for each in (*graph.input, *graph.output)}
    names = {name: name for name in fixed}
    taken = set(fixed)
    for node in graph.node:
        base = _short(node.output[0])
        if node.op_type in ("Conv", "Gemm") and node.input[1] in constants:
            # The layer's name, where TensorFlow says which variable was read.
            layer, _, read = _short(node.input[1]).rpartition("/")
            if read == "ReadVariableOp":
                base = layer.rpartition("/")[0]
            for name, role in zip(node.input[1:], ("kernel", "bias"), strict=False):
                names.setdefault(name, _unique(f"{base}/{role}", taken))
        for name in node.output:
            names.setdefault(name, _unique(base, taken))
        node.name = names[node.output[0]]
        if node.name in fixed:
            node.name += f"/{node.op_type}"
        for tensors in (node.input, node.output):
            for index, old in enumerate(tensors):
                if old not in names and old:
                    names[old] = _unique(_short(old), taken)
                tensors[index] = names.get(old, "")
    for each in graph.initializer:
        each.name = names[each.name]


def _short(name: str) -> str:
    """`net_1/s1_b1_1/conv1_1/conv_1/Conv2D:0` as `s1_b1/conv1/conv/Conv2D`."""
    parts = re.sub(r":\d+$", "", name).split("/")
    parts = parts[1:] if len(parts) > 1 else parts
    return "/".join(re.sub(r"_\d+$", "", part) or part for part in parts)


def _unique(name: str, taken: set[str]) -> str:
    """The name, or the first of `name_1`, `name_2`, ... that is free."""
    free: Iterable[str] = (f"{name}_{n}" for n in range(1, len(taken) + 2))
    found = next(n for n in (name, *free) if n not in taken)
    taken.add(found)
    return found
