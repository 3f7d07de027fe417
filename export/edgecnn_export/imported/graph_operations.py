"""Operators that are no layer of Keras, as its operations: arithmetic of feature maps, attention, cuts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops

from edgecnn_export.imported.graph import Node
from edgecnn_export.imported.graph_constants import BATCH, UnfitError


def operation(node: Node, inputs: Sequence[Any]) -> Any:
    """Return what an operator gives: a Keras tensor, or a list of them from one that divides its input.

    Args:
        node: the operator.
        inputs: Keras tensors and arrays, at least one of them a tensor; the batch is the axis of open size.

    Raises:
        UnfitError: an operator that is not known here, or one that mixes the images of a batch.
    """
    if node.operator in _PLAIN:
        return _PLAIN[node.operator](*map(_float32, inputs))
    if node.operator in _OF_NODE:
        return _OF_NODE[node.operator](node, *inputs)
    raise UnfitError("not among those known here")


def _float32(value: Any) -> Any:
    """Return a constant as what all is computed in here."""
    return value.astype(np.float32) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value


def _axes(x: Any, axes: Any) -> tuple[int, ...]:
    """Return axes of a tensor counted from the front, none of them the batch's."""
    chosen = tuple(sorted(int(axis) % len(x.shape) for axis in np.ravel(axes)))
    if any(x.shape[axis] is None for axis in chosen):
        raise UnfitError("expected each image on its own, got one operation over the batch")
    return chosen


def _reduced(node: Node, x: Any, axes: Any) -> Any:
    return _REDUCTIONS[node.operator](x, axis=_axes(x, axes), keepdims=bool(node.attributes["keep_dims"]))


def _piece(node: Node, x: Any, begin: Any, end: Any, strides: Any) -> Any:
    """Slice along every axis, forwards or backwards."""
    masks = {
        name: int(node.attributes[f"{name}_mask"]) for name in ("begin", "end", "shrink_axis", "ellipsis", "new_axis")
    }
    index: list[Any] = []
    taken = sum(not masks["new_axis"] >> place & 1 for place in range(len(begin)))
    for place in range(len(begin)):
        if masks["ellipsis"] >> place & 1:
            index += [slice(None)] * (len(x.shape) - taken + 1)
        elif masks["new_axis"] >> place & 1:
            index.append(None)
        elif masks["shrink_axis"] >> place & 1:
            index.append(int(begin[place]))
        else:
            first = None if masks["begin"] >> place & 1 else int(begin[place])
            last = None if masks["end"] >> place & 1 else int(end[place])
            index.append(slice(first, last, int(strides[place])))
    axis = 0
    for place, part in enumerate(index):
        if part is None:
            continue
        if x.shape[axis] is None and part not in (slice(None, None, 1), slice(None), slice(0, None, 1)):
            if part not in (slice(0, BATCH, 1), slice(None, BATCH, 1)):
                raise UnfitError("expected all images of the batch")
            index[place] = slice(None)  # up to the size of the batch, which the graph asks for
        axis += 1
    return x[tuple(index)]


def _cut(node: Node, x: Any, begin: Any, size: Any) -> Any:
    """Slice: `size` values from `begin` on; -1 stands for the rest."""
    del node
    pairs = [(int(first), int(count)) for first, count in zip(np.ravel(begin), np.ravel(size), strict=True)]
    return x[tuple(slice(first, None if count == -1 else first + count) for first, count in pairs)]


def _gathered(node: Node, x: Any, indices: Any, axis: Any) -> Any:
    del node
    _axes(x, axis)
    return ops.take(x, np.asarray(indices, np.int32), axis=int(axis))


def _divided(node: Node, *inputs: Any) -> Any:
    """Split and SplitV: their axis stands first and last."""
    if node.operator == "Split":
        axis, x = inputs
        (axis,) = _axes(x, axis)
        return list(ops.split(x, int(node.attributes["num_split"]), axis=axis))
    x, sizes, axis = inputs
    (axis,) = _axes(x, axis)
    return list(ops.split(x, np.cumsum(sizes)[:-1].tolist(), axis=axis))


def _unpacked(node: Node, x: Any) -> Any:
    (axis,) = _axes(x, node.attributes["axis"])
    return list(ops.unstack(x, axis=axis))


def _packed(node: Node, *parts: Any) -> Any:
    return ops.stack(list(map(_float32, parts)), axis=int(node.attributes["axis"]))


def _reversed(node: Node, x: Any, axes: Any) -> Any:
    del node
    chosen = _axes(x, axes)
    return x[tuple(slice(None, None, -1 if axis in chosen else 1) for axis in range(len(x.shape)))]


def _tiled(node: Node, x: Any, multiples: Any) -> Any:
    del node
    times = [int(count) for count in np.ravel(multiples)]
    if any(size is None and count != 1 for size, count in zip(x.shape, times, strict=True)):
        raise UnfitError("expected the batch as it is")
    # Axis by axis, joined: Keras's own tile asks for the size of the batch at run time.
    for axis, count in enumerate(times):
        x = ops.concatenate([x] * count, axis=axis) if count > 1 else x
    return x


def _repeated(node: Node, x: Any, shape: Any) -> Any:
    """BroadcastTo a shape whose batch is open."""
    sizes = [int(size) for size in np.ravel(shape)]
    if len(sizes) != len(x.shape):
        raise UnfitError("expected as many axes as there are")
    return _tiled(node, x, [1 if size in (BATCH, old) else size for size, old in zip(sizes, x.shape, strict=True)])


def _transposed(node: Node, x: Any, order: Any) -> Any:
    del node
    return ops.transpose(x, [int(axis) for axis in order])


def _product(node: Node, first: Any, second: Any) -> Any:
    """BatchMatMul of two tensors, either of them turned."""

    def turned(value: Any, is_turned: Any) -> Any:
        return ops.swapaxes(value, -1, -2) if is_turned else value

    return ops.matmul(turned(first, node.attributes.get("adj_x")), turned(second, node.attributes.get("adj_y")))


def _summed_up(node: Node, *inputs: Any) -> Any:
    return ops.einsum(in_small_letters(node.attributes["equation"]), *map(_float32, inputs))


def in_small_letters(equation: str) -> str:
    """Rename the axes of an Einsum, which Keras knows by small letters only.

    >>> in_small_letters("BSHD,BTHD->BHST")
    'abcd,aecd->acbe'
    """
    names: dict[str, str] = {}
    return "".join(
        names.setdefault(axis, chr(ord("a") + len(names))) if axis.isalpha() else axis
        for axis in equation.replace(" ", "")
    )


def _resized(node: Node, x: Any, size: Any) -> Any:
    """Resize as `tf.image.resize` of TensorFlow 2 does."""
    if not node.attributes["half_pixel_centers"] or node.attributes["align_corners"]:
        raise UnfitError("expected a resize of TensorFlow 2, whose pixels have centres")
    kind = {"ResizeBilinear": "bilinear", "ResizeNearestNeighbor": "nearest", "ResizeBicubic": "bicubic"}
    height, width = (int(length) for length in size)
    if kind[node.operator] == "nearest" and height % x.shape[1] == 0 and width % x.shape[2] == 0:
        for axis, count in ((1, height // x.shape[1]), (2, width // x.shape[2])):
            x = ops.repeat(x, count, axis=axis) if count > 1 else x
        return x
    return ops.image.resize(x, (height, width), interpolation=kind[node.operator])


def _padded(node: Node, x: Any, paddings: Any, *value: Any) -> Any:
    amounts = [[int(count) for count in pair] for pair in np.reshape(paddings, (-1, 2))]
    if any(size is None and amount != [0, 0] for size, amount in zip(x.shape, amounts, strict=True)):
        raise UnfitError("expected no images added to the batch")
    if node.operator == "MirrorPad":
        return ops.pad(x, amounts, mode=str(node.attributes["mode"]).lower())
    return ops.pad(x, amounts, mode="constant", constant_values=float(value[0]) if value else 0.0)


def _clipped(x: Any, low: Any, high: Any) -> Any:
    return ops.minimum(ops.maximum(x, low), high)


_REDUCTIONS: Mapping[str, Callable[..., Any]] = {
    "All": ops.all,
    "Any": ops.any,
    "Max": ops.max,
    "Mean": ops.mean,
    "Min": ops.min,
    "Prod": ops.prod,
    "Sum": ops.sum,
}

# Functions of the inputs.
_PLAIN: Mapping[str, Callable[..., Any]] = {
    "Abs": ops.absolute,
    "Add": ops.add,
    "AddN": lambda *parts: sum(parts[1:], start=parts[0]),
    "AddV2": ops.add,
    "BiasAdd": ops.add,
    "Ceil": ops.ceil,
    "ClipByValue": _clipped,
    "Div": ops.divide,
    "DivNoNan": ops.divide_no_nan,
    "Equal": ops.equal,
    "Erf": ops.erf,
    "Erfc": lambda x: 1.0 - ops.erf(x),
    "Exp": ops.exp,
    "Expm1": ops.expm1,
    "Floor": ops.floor,
    "Greater": ops.greater,
    "GreaterEqual": ops.greater_equal,
    "Inv": ops.reciprocal,
    "Less": ops.less,
    "LessEqual": ops.less_equal,
    "Log": ops.log,
    "Log1p": ops.log1p,
    "LogicalAnd": ops.logical_and,
    "LogicalNot": ops.logical_not,
    "LogicalOr": ops.logical_or,
    "LogSoftmax": ops.log_softmax,
    "Maximum": ops.maximum,
    "Minimum": ops.minimum,
    "Mul": ops.multiply,
    "NotEqual": ops.not_equal,
    "OnesLike": ops.ones_like,
    "Pow": ops.power,
    "RealDiv": ops.divide,
    "Reciprocal": ops.reciprocal,
    "Round": ops.round,
    "Rsqrt": ops.rsqrt,
    "Select": ops.where,
    "SelectV2": ops.where,
    "Sign": ops.sign,
    "Sqrt": ops.sqrt,
    "Square": ops.square,
    "SquaredDifference": lambda first, second: ops.square(ops.subtract(first, second)),
    "Sub": ops.subtract,
    "ZerosLike": ops.zeros_like,
}

# Functions of the node, for its attributes, and the inputs.
_OF_NODE: Mapping[str, Callable[..., Any]] = {
    "BatchMatMulV2": _product,
    "BatchMatMulV3": _product,
    "BroadcastTo": _repeated,
    "Einsum": _summed_up,
    "GatherV2": _gathered,
    "MirrorPad": _padded,
    "Pack": _packed,
    "Pad": _padded,
    "PadV2": _padded,
    "ResizeBicubic": _resized,
    "ResizeBilinear": _resized,
    "ResizeNearestNeighbor": _resized,
    "ReverseV2": _reversed,
    "Slice": _cut,
    "Split": _divided,
    "SplitV": _divided,
    "StridedSlice": _piece,
    "Tile": _tiled,
    "Transpose": _transposed,
    "Unpack": _unpacked,
    **dict.fromkeys(_REDUCTIONS, _reduced),
}
