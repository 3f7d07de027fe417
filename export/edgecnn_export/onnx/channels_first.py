"""Flattened features in ONNX's own order: no Transpose in front of the dense layer that reads them.

Keras flattens channels last, ONNX computes channels first, and so the converter brings the features back into Keras's
order before it flattens them. The order does not matter to a matrix product whose rows stand in the same order; they
are constants, and are brought into it once, here.
"""

from collections import Counter

import numpy as np
import onnx

# Features channels first, brought to channels last.
_TO_CHANNELS_LAST = [0, 2, 3, 1]


def flatten_channels_first(model: onnx.ModelProto) -> None:
    """Take each Transpose out, in place, that a flattening Reshape and a MatMul by constant weights follow.

    One whose result something else reads too, or that another kind of operator follows, stays.
    """
    graph = model.graph
    shapes = _shapes(model)
    constants = {entry.name: entry for entry in graph.initializer}
    readers = Counter(name for node in graph.node for name in node.input)
    readers.update(output.name for output in graph.output)
    by_input = {node.input[0]: node for node in graph.node if node.input}
    for transpose in [node for node in graph.node if node.op_type == "Transpose"]:
        reshape = by_input.get(transpose.output[0])
        product = by_input.get(reshape.output[0]) if reshape is not None else None
        if reshape is None or product is None or (reshape.op_type, product.op_type) != ("Reshape", "MatMul"):
            continue
        weights = constants.get(product.input[1])
        features = shapes.get(transpose.input[0], [])
        single = [transpose.output[0], reshape.output[0], product.input[1]]
        if (
            weights is None
            or any(readers[name] != 1 for name in single)
            or list(transpose.attribute[0].ints) != _TO_CHANNELS_LAST
            or not all(features[1:])
            or list(weights.dims[:-1]) != [np.prod(features[1:])]
        ):
            continue
        channels, height, width = features[1:]
        rows = onnx.numpy_helper.to_array(weights).reshape(height, width, channels, -1)
        rows = np.ascontiguousarray(np.moveaxis(rows, 2, 0)).reshape(weights.dims)
        weights.CopyFrom(onnx.numpy_helper.from_array(rows, weights.name))
        reshape.input[0] = transpose.input[0]
        graph.node.remove(transpose)


def _shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    """Infer the shape of each tensor; 0 is a size that is open."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    tensors = (*graph.value_info, *graph.input, *graph.output)
    return {tensor.name: [size.dim_value for size in tensor.type.tensor_type.shape.dim] for tensor in tensors}
