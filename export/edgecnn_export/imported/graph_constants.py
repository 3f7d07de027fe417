"""What a graph computes from constants and shapes alone, done once here instead of on the device."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from edgecnn_export.imported.graph import Node

# Stands for the size of the batch wherever a graph computes with shapes, as it does in the target of a Reshape.
BATCH = -1


class UnfitError(Exception):
    """A use of an operator for which there is nothing here; the message says what it should be."""


def computed(node: Node, inputs: Sequence[Any]) -> NDArray[Any] | list[NDArray[Any]]:
    """Compute a node whose inputs are arrays, or the shape of a tensor; a list where it divides its input.

    Raises:
        UnfitError: an operator that is not known here, or values that do not fit it.
    """
    if node.operator == "Shape":
        return np.array([BATCH if size is None else size for size in inputs[0].shape])
    try:
        if node.operator in _PLAIN:
            return np.asarray(_PLAIN[node.operator](*inputs))
        if node.operator in _OF_NODE:
            outcome = _OF_NODE[node.operator](node, *inputs)
            return list(outcome) if isinstance(outcome, tuple) else np.asarray(outcome)
    except (TypeError, ValueError, IndexError) as error:
        raise UnfitError(str(error)) from error
    raise UnfitError("not among those known here for constants")


def _strided_slice(node: Node, x: Any, begin: Any, end: Any, strides: Any) -> Any:
    """Slice along each axis as numpy does, with the bit masks of the operator."""
    masks = {name: int(node.attributes[f"{name}_mask"]) for name in ("begin", "end", "shrink_axis")}
    if node.attributes["ellipsis_mask"] or node.attributes["new_axis_mask"]:
        raise UnfitError("expected a slice without ellipsis")
    index: list[Any] = []
    for axis in range(len(begin)):
        if masks["shrink_axis"] >> axis & 1:
            index.append(int(begin[axis]))
            continue
        first = None if masks["begin"] >> axis & 1 else int(begin[axis])
        last = None if masks["end"] >> axis & 1 else int(end[axis])
        index.append(slice(first, last, int(strides[axis])))
    return x[tuple(index)]


def _product(node: Node, x: Any, axes: Any) -> Any:
    outcome = np.prod(x, axis=tuple(np.ravel(axes).tolist()), keepdims=node.attributes["keep_dims"])
    # The size of the batch times anything is as unknown as before.
    return np.where(outcome < 0, BATCH, outcome)


def _stacked(node: Node, *parts: Any) -> Any:
    return np.stack(parts, int(node.attributes["axis"]))


def _squeezed(node: Node, x: Any) -> Any:
    return np.squeeze(x, tuple(node.attributes["squeeze_dims"]) or None)


def _joined(*parts: Any) -> Any:
    *values, axis = parts
    return np.concatenate([np.atleast_1d(value) for value in values], int(axis))


def _cast(node: Node, x: Any) -> Any:
    return x.astype(node.attributes["DstT"])


def _convolution(node: Node, x: Any, kernel: Any) -> Any:
    """Convolve, as a recurrent layer does with the zeros it begins with."""
    strides, padding = node.attributes["strides"][1:3], str(node.attributes["padding"]).lower()
    return ops.conv(x.astype(np.float32), kernel.astype(np.float32), strides=tuple(strides), padding=padding)


def _product_of_matrices(node: Node, first: Any, second: Any) -> Any:
    left = first.T if node.attributes["transpose_a"] else first
    return left @ (second.T if node.attributes["transpose_b"] else second)


def _reduced(node: Node, x: Any, axes: Any) -> Any:
    return _REDUCTIONS[node.operator](x, axis=tuple(np.ravel(axes).tolist()), keepdims=node.attributes["keep_dims"])


def _unpacked(node: Node, x: Any) -> tuple[Any, ...]:
    return tuple(np.moveaxis(x, int(node.attributes["axis"]), 0))


def _divided(node: Node, axis: Any, x: Any) -> tuple[Any, ...]:
    return tuple(np.split(x, int(node.attributes["num_split"]), int(axis)))


def _filled(shape: Any, value: Any) -> Any:
    """Fill a shape; along the batch one is enough, as it is repeated where it meets images."""
    return np.full(np.where(np.asarray(shape) == BATCH, 1, shape), value)


_REDUCTIONS: Mapping[str, Callable[..., Any]] = {
    "All": np.all,
    "Any": np.any,
    "Max": np.max,
    "Mean": np.mean,
    "Min": np.min,
    "Sum": np.sum,
}

# Functions of the arrays.
_PLAIN: Mapping[str, Callable[..., Any]] = {
    "Abs": np.abs,
    "Add": np.add,
    "AddV2": np.add,
    "BiasAdd": np.add,
    "ConcatV2": _joined,
    "Equal": np.equal,
    "ExpandDims": lambda x, axis: np.expand_dims(x, int(axis)),
    "Fill": _filled,
    "FloorDiv": np.floor_divide,
    "FloorMod": np.mod,
    "GatherV2": lambda x, indices, axis: np.take(x, indices, int(axis)),
    "Greater": np.greater,
    "GreaterEqual": np.greater_equal,
    "Less": np.less,
    "LessEqual": np.less_equal,
    "LogicalAnd": np.logical_and,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "Mul": np.multiply,
    "Neg": np.negative,
    "Range": np.arange,
    "RealDiv": np.divide,
    "Reshape": np.reshape,
    "ResourceGather": lambda table, indices: np.take(table, indices, 0),
    "Rsqrt": lambda x: 1 / np.sqrt(x),
    "Sqrt": np.sqrt,
    "Square": np.square,
    "Sub": np.subtract,
    "Transpose": np.transpose,
    "ZerosLike": np.zeros_like,
}

# Functions of the node, for its attributes, and the arrays.
_OF_NODE: Mapping[str, Callable[..., Any]] = {
    "Cast": _cast,
    "Conv2D": _convolution,
    "MatMul": _product_of_matrices,
    "Pack": _stacked,
    "Prod": _product,
    "Split": _divided,
    "Squeeze": _squeezed,
    "StridedSlice": _strided_slice,
    "Unpack": _unpacked,
    **dict.fromkeys(_REDUCTIONS, _reduced),
}
