"""The scaling of the pixels, folded into the first weights: the camera's byte is the quantized input.

Quantized like any other operator, a scaling rounds the pixels once more, and its constant becomes a quantized scalar,
which not every engine opens. `scale * pixel + offset` is `scale * (pixel - grey)`: the scale goes into the weights, and
the grey that counts as zero is taken off the pixels in float32, where it is another than black.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray

from edgecnn_export.int8.quantizable import FloatOperator
from edgecnn_export.onnx.graph import OnnxGraph
from edgecnn_export.onnx.unused import remove_unused

_ARITHMETIC = frozenset({"Add", "Sub", "Mul", "Div"})
_REORDERING = frozenset({"Reshape", "Transpose", "Squeeze", "Unsqueeze"})


def pixel_operators(graph: OnnxGraph) -> tuple[FloatOperator, ...]:
    """Return what scales and reorders the pixels, one after the other, up to the first operator of another kind."""
    found: list[FloatOperator] = []
    tensor = graph.pixels
    while True:
        readers = graph.readers(tensor)
        if len(readers) != 1 or readers[0].inputs != (tensor,) or readers[0].kind not in _ARITHMETIC | _REORDERING:
            return tuple(found)
        found += readers
        tensor = readers[0].output


def fold_scaling(graph: OnnxGraph) -> OnnxGraph:
    """Return the graph with at most one operator of arithmetic in front of its first weights, a Sub of the zero grey.

    One grey for all channels is rounded to a whole level, so that each level stays a step of 8 bits, and what is left
    of it goes into the biases. That changes nothing but the zeros with which a layer pads, by half a level at most.

    Args:
        graph: float32, prepared for quantization; one in which something else reads the pixels too stays as it is.
    """
    front = pixel_operators(graph)
    scaling = [operator for operator in front if operator.kind in _ARITHMETIC]
    behind = graph.readers(front[-1].output if front else graph.pixels)
    affine = _scale_and_offset(graph, front)
    if not scaling or affine is None or len(behind) != 1 or not behind[0].weighted:
        return graph
    (first,), (scale, offset) = behind, affine
    weights, bias = graph.weights(first), graph.bias(first)
    if not scale.all() or scale.size not in (1, weights.shape[2]):
        return graph
    grey = -offset / scale
    biases = {}
    if bias is not None and np.ptp(np.rint(grey)) == 0:
        grey = np.rint(grey[:1])
        biases[first] = bias + (weights * (scale * grey + offset)).sum(axis=(1, 2))
    model = graph.changed({first: (weights * scale).astype(np.float32)}, biases).model
    _take_out(model.graph, {operator.output: operator.inputs[0] for operator in scaling})
    if grey.any():
        _subtract(model.graph, graph.pixels, grey, layer=scaling[0].label)
    remove_unused(model)
    return OnnxGraph(model)


def _scale_and_offset(
    graph: OnnxGraph, front: tuple[FloatOperator, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Write all of it as `scale * pixel + offset`, `(1,)` or `(channels,)` each; None where that cannot be told."""
    scale, offset = np.ones(1), np.zeros(1)
    reordered = False
    for operator in front:
        if operator.kind in _REORDERING:
            reordered = True
            continue
        left, right = (graph.constant(name) for name in graph.node(operator).input)
        constant = left if right is None else right
        # Channels are the last axis up to the first reordering.
        if constant is None or (constant.size > 1 and (reordered or constant.shape[-1] != constant.size)):
            return None
        value = constant.reshape(-1).astype(np.float64)
        match operator.kind:
            case "Add":
                offset = offset + value
            case "Sub" if right is not None:
                offset = offset - value
            case "Sub":
                scale, offset = -scale, value - offset
            case "Mul":
                scale, offset = scale * value, offset * value
            case "Div" if right is not None and value.all():
                scale, offset = scale / value, offset / value
            case _:
                return None
    scale, offset = np.broadcast_arrays(scale, offset)
    return scale, offset


def _take_out(graph: onnx.GraphProto, sources: Mapping[str, str]) -> None:
    """Remove the nodes with these outputs; who read them reads what they read."""
    for node in [node for node in graph.node if node.output[0] in sources]:
        graph.node.remove(node)
    for node in graph.node:
        for place, name in enumerate(node.input):
            while name in sources:
                name = sources[name]
            node.input[place] = name


def _subtract(graph: onnx.GraphProto, pixels: str, grey: NDArray[np.float64], *, layer: str) -> None:
    """Take a grey, or one per channel, off the pixels before anything else reads them."""
    centred, constant = f"{layer}/centred", f"{layer}/grey"
    for node in graph.node:
        for place, read in enumerate(node.input):
            if read == pixels:
                node.input[place] = centred
    graph.initializer.append(onnx.numpy_helper.from_array(grey.astype(np.float32), constant))
    graph.node.insert(0, onnx.helper.make_node("Sub", [pixels, constant], [centred], name=centred))
