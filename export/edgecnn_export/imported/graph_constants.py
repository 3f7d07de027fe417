"""What a graph computes from constants and shapes alone, done once here instead of on the device."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_export.imported.graph import Node

# Stands for the size of the batch wherever a graph computes with shapes, as it does in the target of a Reshape.
BATCH = -1


class UnfitError(Exception):
    """A use of an operator for which there is nothing here; the message says what it should be."""


def computed(node: Node, inputs: Sequence[Any]) -> NDArray[Any]:
    """Compute a node whose inputs are arrays, or the shape of a tensor.

    Raises:
        UnfitError: an operator that is not known here, or values that do not fit it.
    """
    if node.operator == "Shape":
        return np.array([BATCH, *inputs[0].shape[1:]])
    try:
        if node.operator in _PLAIN:
            return np.asarray(_PLAIN[node.operator](*inputs))
        if node.operator in _OF_NODE:
            return np.asarray(_OF_NODE[node.operator](node, *inputs))
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


# Functions of the arrays.
_PLAIN: Mapping[str, Callable[..., Any]] = {
    "Add": np.add,
    "AddV2": np.add,
    "BiasAdd": np.add,
    "Cast": np.asarray,
    "ConcatV2": _joined,
    "ExpandDims": lambda x, axis: np.expand_dims(x, int(axis)),
    "GatherV2": lambda x, indices, axis: np.take(x, indices, int(axis)),
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "Mul": np.multiply,
    "Neg": np.negative,
    "RealDiv": np.divide,
    "Reshape": np.reshape,
    "Rsqrt": lambda x: 1 / np.sqrt(x),
    "Sqrt": np.sqrt,
    "Square": np.square,
    "Sub": np.subtract,
    "Transpose": np.transpose,
}

# Functions of the node, for its attributes, and the arrays.
_OF_NODE: Mapping[str, Callable[..., Any]] = {
    "Pack": _stacked,
    "Prod": _product,
    "Squeeze": _squeezed,
    "StridedSlice": _strided_slice,
}
