"""What tf2onnx writes, made into the graph that a person would have written.

tf2onnx takes the layout changes out of the body and puts paddings into convolutions by
itself. What it leaves: means over the pixels with a `Reshape` (here a
`GlobalAveragePool`), `Reshape`s that change nothing, feature maps turned to and fro
where they are outputs, the classifier as `MatMul` and `Add` (`Gemm`), zeros padded
before the stem's pool, `auto_pad` where the size is free, names of TensorFlow's scopes,
and a different symbol for the batch size at each tensor, which keeps onnxruntime from
fusing the sum of a block into its convolution.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_regnet.optional import require
from keras_regnet.publishing.onnx_names import name_sizes, rename

_TO_NHWC, _TO_NCHW = [0, 2, 3, 1], [0, 3, 1, 2]


def tidy(
    model: Any, outputs: Sequence[str], layout: str, size: Sequence[int | None]
) -> None:
    """Rewrites a model in place.

    Args:
        model: An `onnx.ModelProto`, of tf2onnx.
        outputs: The names of its outputs.
        layout: `"NHWC"` or `"NCHW"`.
        size: Height, width and channels of the images; None for what is free.
    """
    graph = _Graph(model.graph)
    del model.graph.value_info[:]
    name_sizes(model.graph, outputs, layout, size)
    graph.rewrite("Transpose", _to_and_fro)
    graph.rewrite("ReduceMean", _mean_as_pool)
    graph.rewrite("MaxPool", _padding_into_pool)
    graph.rewrite("Conv", _explicit_padding)
    graph.rewrite("MatMul", _dense)
    _drop_reshapes(model, graph)
    graph.drop_unused()
    rename(model.graph)
    # tf2onnx declares operators of ONNX-ML, of which there are none.
    used = {node.domain for node in model.graph.node}
    for entry in [each for each in model.opset_import if each.domain not in used]:
        model.opset_import.remove(entry)


class _Graph:
    """A graph with what is missing in ONNX's own classes: who makes and takes what."""

    def __init__(self, proto: Any) -> None:
        self.proto = proto
        self.onnx = require("onnx", "export")

    def constant(self, name: str) -> np.ndarray | None:
        """The values of an initializer; None for other tensors."""
        for initializer in self.proto.initializer:
            if initializer.name == name:
                return self.onnx.numpy_helper.to_array(initializer)
        return None

    def maker(self, name: str) -> Any:
        """The node that gives a tensor; None for inputs and constants."""
        return next((n for n in self.proto.node if name in n.output), None)

    def takers(self, name: str) -> list[Any]:
        """The nodes that take a tensor."""
        return [node for node in self.proto.node if name in node.input]

    def is_output(self, name: str) -> bool:
        """Whether the whole graph gives this tensor."""
        return any(name == each.name for each in self.proto.output)

    def attributes(self, node: Any) -> dict[str, Any]:
        """A node's attributes as Python values."""
        return {
            each.name: self.onnx.helper.get_attribute_value(each)
            for each in node.attribute
        }

    def replace(self, node: Any, *others: Any) -> None:
        """Puts nodes in the place of one."""
        nodes = list(self.proto.node)
        place = nodes.index(node)
        nodes[place : place + 1] = others
        del self.proto.node[:]
        self.proto.node.extend(nodes)

    def bypass(self, node: Any) -> None:
        """Removes a node; those that took its output take its first input."""
        source, target = node.input[0], node.output[0]
        for taker in self.takers(target):
            for index, name in enumerate(taker.input):
                if name == target:
                    taker.input[index] = source
        self.proto.node.remove(node)

    def node(self, kind: str, inputs: list, outputs: list, **attributes: Any) -> Any:
        """A new node, named by its first output."""
        return self.onnx.helper.make_node(
            kind, inputs, outputs, name=outputs[0], **attributes
        )

    def rewrite(self, kind: str, rule: Callable[["_Graph", Any], None]) -> None:
        """Applies a rule to every node of a kind."""
        # By name: the nodes are copied where the list is written anew.
        for output in [n.output[0] for n in self.proto.node if n.op_type == kind]:
            node = self.maker(output)
            if node is not None:
                rule(self, node)

    def drop_unused(self) -> None:
        """Removes nodes and constants that nothing takes."""
        while True:
            taken = {name for node in self.proto.node for name in node.input}
            taken |= {each.name for each in self.proto.output}
            dead = [n for n in self.proto.node if not taken & set(n.output)]
            for node in dead:
                self.proto.node.remove(node)
            for each in [i for i in self.proto.initializer if i.name not in taken]:
                self.proto.initializer.remove(each)
            if not dead:
                return


def _to_and_fro(graph: _Graph, node: Any) -> None:
    """What is turned back from channels last is there already."""
    before = graph.maker(node.input[0])
    if (
        before is None
        or before.op_type != "Transpose"
        or graph.is_output(node.output[0])
    ):
        return
    orders = [list(graph.attributes(each)["perm"]) for each in (before, node)]
    if orders == [_TO_NHWC, _TO_NCHW]:
        node.input[0] = before.input[0]
        graph.bypass(node)


def _mean_as_pool(graph: _Graph, node: Any) -> None:
    """A mean over the pixels as the operator that is made for it."""
    attributes = graph.attributes(node)
    axes = attributes.get("axes")
    if axes is None and len(node.input) > 1:
        axes = graph.constant(node.input[1])
    if axes is None:
        return
    axes = sorted(int(axis) % 4 for axis in axes)
    source = node.input[0]
    kept = attributes.get("keepdims", 1)
    if axes == [1, 2]:
        turn = graph.maker(source)
        if kept or turn is None or turn.op_type != "Transpose":
            return
        if list(graph.attributes(turn)["perm"]) != _TO_NHWC:
            return
        source = turn.input[0]
    elif axes != [2, 3]:
        return
    output = node.output[0]
    pooled = output if kept else f"{output}/pool"
    nodes = [graph.node("GlobalAveragePool", [source], [pooled])]
    if not kept:
        # A Reshape to one pixel, which follows in squeeze-and-excitation, takes the
        # pooled pixel as it is.
        takers = graph.takers(output)
        for taker in takers:
            if taker.op_type == "Reshape":
                taker.input[0] = pooled
        if graph.takers(output) or graph.is_output(output):
            nodes.append(graph.node("Flatten", [pooled], [output], axis=1))
    graph.replace(node, *nodes)


def _padding_into_pool(graph: _Graph, node: Any) -> None:
    """Zeros around what is not negative: the pool's own padding does the same."""
    pad = graph.maker(node.input[0])
    if pad is None or pad.op_type != "Pad" or len(graph.takers(pad.output[0])) != 1:
        return
    before = graph.maker(pad.input[0])
    pads = graph.constant(pad.input[1])
    value = graph.constant(pad.input[2]) if len(pad.input) > 2 else np.zeros(1)
    if (
        before is None
        or before.op_type != "Relu"
        or pads is None
        or len(pads) != 8
        or any(pads[[0, 1, 4, 5]])
        or value is None
        or value.any()
        or graph.attributes(pad).get("mode", b"constant") != b"constant"
    ):
        return
    attributes = graph.attributes(node)
    own = attributes.get("pads", [0, 0, 0, 0])
    attributes["pads"] = [
        int(a + b) for a, b in zip(own, pads[[2, 3, 6, 7]], strict=True)
    ]
    attributes.pop("auto_pad", None)  # the Keras layer's own padding is "valid"
    graph.replace(
        node,
        graph.node("MaxPool", [pad.input[0]], list(node.output), **attributes),
    )
    graph.proto.node.remove(graph.maker(pad.output[0]))


def _explicit_padding(graph: _Graph, node: Any) -> None:
    """Numbers instead of `auto_pad`, where they do not depend on the image's size."""
    attributes = graph.attributes(node)
    kernel = attributes["kernel_shape"]
    automatic = attributes.pop("auto_pad", b"NOTSET")
    if automatic == b"SAME_UPPER":
        odd = all(each % 2 for each in kernel)
        if not odd or any(each != 1 for each in attributes.get("strides", [1, 1])):
            return
        dilations = attributes.get("dilations", [1, 1])
        half = [d * (k - 1) // 2 for d, k in zip(dilations, kernel, strict=True)]
        attributes["pads"] = half * 2
    elif automatic == b"VALID":
        attributes["pads"] = [0, 0, 0, 0]
    graph.replace(
        node, graph.node("Conv", list(node.input), list(node.output), **attributes)
    )


def _dense(graph: _Graph, node: Any) -> None:
    """A product with a constant matrix, and the sum with a bias, as one operator."""
    kernel = graph.constant(node.input[1])
    if kernel is None or kernel.ndim != 2:
        return
    inputs, output = list(node.input), node.output[0]
    takers = graph.takers(output)
    add = takers[0] if len(takers) == 1 and takers[0].op_type == "Add" else None
    if add is not None and not graph.is_output(output):
        other = next(name for name in add.input if name != output)
        bias = graph.constant(other)
        if bias is not None and bias.shape == kernel.shape[1:]:
            inputs.append(other)
            output = add.output[0]
            graph.proto.node.remove(add)
    graph.replace(graph.maker(node.output[0]), graph.node("Gemm", inputs, [output]))


def _drop_reshapes(model: Any, graph: _Graph) -> None:
    """Removes what gives a tensor the shape that it has."""
    inferred = graph.onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        each.name: [d.dim_value or d.dim_param for d in each.type.tensor_type.shape.dim]
        for each in (*inferred.value_info, *inferred.input)
    }

    def rule(graph: _Graph, node: Any) -> None:
        wanted = graph.constant(node.input[1])
        shape = shapes.get(node.input[0])
        if wanted is None or shape is None or graph.is_output(node.output[0]):
            return
        wanted = list(wanted)
        # The batch size, which is free, is the -1.
        if len(shape) == len(wanted) and wanted[0] == -1 and shape[1:] == wanted[1:]:
            graph.bypass(node)

    graph.rewrite("Reshape", rule)
