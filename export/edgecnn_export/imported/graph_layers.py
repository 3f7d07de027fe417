"""Rebuild a graph of TensorFlow's operators from layers that Keras ships.

The rebuilt network is a Keras model like any other: it is saved without the file it came from, explained layer by
layer, and converted with static shapes. An operator that is not in `_LAYERS` is refused by its name.
"""

import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import keras
import numpy as np
from numpy.typing import NDArray

from edgecnn_export.imported.graph import Node, Output, TensorFlowGraph
from edgecnn_export.imported.graph_constants import UnfitError, computed
from edgecnn_runtime.errors import InputError, ModelError

_Floats: TypeAlias = NDArray[np.float32]
_ONE, _ZERO = np.ones((), np.float32), np.zeros((), np.float32)


def keras_model_of(graph: TensorFlowGraph, path: Path, *, imgsz: int | None = None) -> keras.Model:
    """Rebuild a graph as a functional Keras model with the same weights.

    Args:
        graph: one image in, one outcome out.
        path: where it comes from, for messages.
        imgsz: height and width of the images, where the graph takes any.

    Raises:
        InputError: it takes images of any size, and none is given.
        ModelError: an operator, or a use of one, that has no layer here.
    """
    return _Rebuilding(graph, path).model(imgsz)


@dataclass(eq=False)
class _Deferred:
    """A layer that is not built yet, because what follows may go into its weights: `x * scale + offset` per channel.

    A bias goes into the convolution before it, and so does a batch norm that the graph holds as its arithmetic.
    """

    build: Callable[[_Floats, _Floats], Any]  # (scale, offset), each () or (channels,), to the outcome
    channels: int
    scale: _Floats
    offset: _Floats


class _Rebuilding:
    """Rebuilds one graph."""

    def __init__(self, graph: TensorFlowGraph, path: Path) -> None:
        self._graph, self._path = graph, path
        self._readers = Counter(
            value.node for node in graph.nodes for value in node.inputs if isinstance(value, Output)
        )
        self._readers[graph.output.node] += 1
        # By node: an array, a Keras tensor, or a layer that is not built yet.
        self._values: dict[int, Any] = {}
        self._names = {"image"}

    def model(self, imgsz: int | None) -> keras.Model:
        """Build the layers, in the order of the nodes."""
        shape = self._graph.input_shape
        if len(shape) != 4 or shape[3] not in (1, 3):
            raise ModelError(
                f"{self._path}: expected an input of images (N, height, width, channels), grey or RGB, got {shape}"
            )
        if imgsz is None and None in shape[1:3]:
            raise InputError(
                f"{self._path}: expected the size of its images, as it takes any; add --imgsz with the one it was "
                "trained on"
            )
        pixels = keras.Input((*(size or imgsz for size in shape[1:3]), shape[3]), name="image")
        self._values[0] = pixels
        needed = self._needed()
        for number, node in enumerate(self._graph.nodes):
            if number in needed and number != 0:
                self._values[number] = self._value(node)
        return keras.Model(pixels, self._built(self._graph.output.node), name="graph")

    def _needed(self) -> set[int]:
        """Find the nodes that the output depends on."""
        needed: set[int] = set()
        waiting = [self._graph.output.node]
        while waiting:
            number = waiting.pop()
            if number not in needed:
                needed.add(number)
                waiting += [value.node for value in self._graph.nodes[number].inputs if isinstance(value, Output)]
        return needed

    def _value(self, node: Node) -> Any:
        if node.operator == "Neg":
            node = dataclasses.replace(node, operator="Mul", inputs=(*node.inputs, np.array(-1, np.float32)))
        try:
            if any(isinstance(value, Output) and value.index for value in node.inputs):
                raise UnfitError("it reads the second output of another")
            known = [self._values[value.node] if isinstance(value, Output) else value for value in node.inputs]
            if node.operator in _ARITHMETIC and sum(isinstance(value, np.ndarray) for value in known) == 1:
                return self._affine(node, known)
            inputs = [self._built(value.node) if isinstance(value, Output) else value for value in node.inputs]
            if node.operator == "Shape" or all(isinstance(value, np.ndarray) for value in inputs):
                return computed(node, inputs)
            if node.operator not in _LAYERS:
                raise UnfitError("not among those known here")
            return _LAYERS[node.operator](self, node, inputs)
        except UnfitError as reason:
            raise ModelError(
                f"{self._path}: expected operators of a convolutional classifier, got {node.operator} in "
                f"{node.name!r}: {reason}; save the model without it, or as a .keras file"
            ) from None
        # What Keras says of shapes that do not fit together, and what a node without its inputs or attributes leads to.
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"{self._path}: expected operators that fit together, got {node.operator} in {node.name!r}: {error}"
            ) from error

    def _built(self, number: int) -> Any:
        """Return what a node gives, its layer built."""
        value = self._values[number]
        if isinstance(value, _Deferred):
            value = self._values[number] = value.build(value.scale, value.offset)
        return value

    def _affine(self, node: Node, known: Sequence[Any]) -> _Deferred:
        """Multiply by, divide by, add or take off a constant."""
        first = isinstance(known[0], np.ndarray)
        constant, other = (known[0], node.inputs[1]) if first else (known[1], node.inputs[0])
        assert isinstance(other, Output)
        if self._readers[other.node] > 1:
            self._built(other.node)
        value = self._values[other.node]
        if not isinstance(value, _Deferred):
            value = self._standing_alone(node, value)
        vector = _per_channel(constant, value.channels)
        scale, offset = _scale_and_offset(node.operator, vector, first=first)
        return _Deferred(value.build, value.channels, value.scale * scale, value.offset * scale + offset)

    def _standing_alone(self, node: Node, x: Any) -> _Deferred:
        """Begin an affine layer that no convolution takes in."""

        def build(scale: _Floats, offset: _Floats) -> Any:
            if not scale.shape and not offset.shape:
                return self.layer(keras.layers.Rescaling, node, scale=float(scale), offset=float(offset))(x)
            # A batch norm of mean 0 and variance 1.
            epsilon = 1e-3
            layer = self.layer(keras.layers.BatchNormalization, node, epsilon=epsilon)
            outcome = layer(x)
            channels = int(x.shape[-1])
            ones = np.ones(channels, np.float32)
            layer.set_weights([ones * scale, ones * offset, ones * 0, ones * np.float32(1 - epsilon)])
            return outcome

        return _Deferred(build, int(x.shape[-1]), _ONE, _ZERO)

    def layer(self, kind: Callable[..., Any], node: Node, **arguments: Any) -> Any:
        """Make a layer that is named after its node: "serving/model/conv1/Conv2D" is conv1."""
        parts = [part for part in node.name.replace(":", "_").split("/") if part]
        name = parts[-2] if len(parts) > 1 else parts[-1]
        taken = (name if count == 1 else f"{name}_{count}" for count in itertools.count(1))
        free = next(one for one in taken if one not in self._names)
        self._names.add(free)
        return kind(name=free, **arguments)

    def convolution(self, node: Node, inputs: Sequence[Any]) -> _Deferred:
        """Conv2D, also in groups: kernels (rows, columns, channels / groups, filters)."""
        x, kernel = _with_kernel(inputs)
        settings = _window_settings(node)
        x = self._padded(node, x)

        def build(scale: _Floats, offset: _Floats) -> Any:
            layer = self.layer(
                keras.layers.Conv2D,
                node,
                filters=kernel.shape[3],
                kernel_size=kernel.shape[:2],
                groups=int(x.shape[-1]) // kernel.shape[2],
                use_bias=bool(offset.any()),
                **settings,
            )
            return _weighted(layer, x, kernel * scale, offset, channels=kernel.shape[3])

        return _Deferred(build, kernel.shape[3], _ONE, _ZERO)

    def depthwise(self, node: Node, inputs: Sequence[Any]) -> _Deferred:
        """DepthwiseConv2D: kernels (rows, columns, channels, multiplier)."""
        x, kernel = _with_kernel(inputs)
        settings = _window_settings(node)
        x = self._padded(node, x)
        channels = kernel.shape[2] * kernel.shape[3]

        def build(scale: _Floats, offset: _Floats) -> Any:
            layer = self.layer(
                keras.layers.DepthwiseConv2D,
                node,
                kernel_size=kernel.shape[:2],
                depth_multiplier=kernel.shape[3],
                use_bias=bool(offset.any()),
                **settings,
            )
            scaled = kernel * (scale.reshape(kernel.shape[2:]) if scale.shape else scale)
            return _weighted(layer, x, scaled, offset, channels=channels)

        return _Deferred(build, channels, _ONE, _ZERO)

    def dense(self, node: Node, inputs: Sequence[Any]) -> _Deferred:
        """Dense: kernels (values, units)."""
        x, kernel = _with_kernel(inputs)
        if node.attributes["transpose_a"] or len(x.shape) != 2 or kernel.ndim != 2:
            raise UnfitError("expected a product of a (N, values) and a (values, units) matrix")
        weights = kernel.T if node.attributes["transpose_b"] else kernel

        def build(scale: _Floats, offset: _Floats) -> Any:
            layer = self.layer(keras.layers.Dense, node, units=weights.shape[1], use_bias=bool(offset.any()))
            return _weighted(layer, x, weights * scale, offset, channels=weights.shape[1])

        return _Deferred(build, weights.shape[1], _ONE, _ZERO)

    def _padded(self, node: Node, x: Any) -> Any:
        """Pad by hand where the operator says how much."""
        if node.attributes["padding"] != "EXPLICIT":
            return x
        rows, columns = np.reshape(node.attributes["explicit_paddings"], (4, 2)).tolist()[1:3]
        return keras.layers.ZeroPadding2D((tuple(rows), tuple(columns)))(x)

    def batch_norm(self, node: Node, inputs: Sequence[Any]) -> Any:
        """FusedBatchNorm in inference."""
        x, *weights = inputs
        if node.attributes["is_training"] or not all(isinstance(array, np.ndarray) for array in weights):
            raise UnfitError("expected a batch norm in inference")
        layer = self.layer(keras.layers.BatchNormalization, node, epsilon=float(node.attributes["epsilon"]))
        outcome = layer(x)
        layer.set_weights(weights)
        return outcome

    def pool(self, node: Node, inputs: Sequence[Any]) -> Any:
        """MaxPool or AvgPool."""
        kind = keras.layers.MaxPooling2D if node.operator == "MaxPool" else keras.layers.AveragePooling2D
        window = tuple(node.attributes["ksize"][1:3])
        settings = _window_settings(node)
        del settings["dilation_rate"]
        return self.layer(kind, node, pool_size=window, **settings)(inputs[0])

    def reduce(self, node: Node, inputs: Sequence[Any]) -> Any:
        """Mean or Max over the whole feature map."""
        x, axes = inputs
        if len(x.shape) != 4 or sorted(int(axis) % 4 for axis in np.ravel(axes)) != [1, 2]:
            raise UnfitError("expected one over rows and columns")
        mean = node.operator == "Mean"
        kind = keras.layers.GlobalAveragePooling2D if mean else keras.layers.GlobalMaxPooling2D
        return self.layer(kind, node, keepdims=node.attributes["keep_dims"])(x)

    def pad(self, node: Node, inputs: Sequence[Any]) -> Any:
        """Pad with zeros around the image."""
        x, paddings, *value = inputs
        amounts = np.reshape(paddings, (-1, 2)).tolist()
        if len(amounts) != 4 or amounts[0] != [0, 0] or amounts[3] != [0, 0] or (value and value[0] != 0):
            raise UnfitError("expected zeros above, below, left and right")
        return self.layer(keras.layers.ZeroPadding2D, node, padding=(tuple(amounts[1]), tuple(amounts[2])))(x)

    def crop(self, node: Node, inputs: Sequence[Any]) -> Any:
        """StridedSlice that cuts away rows and columns at the border."""
        x, *bounds = inputs
        masks = [node.attributes[f"{name}_mask"] for name in ("shrink_axis", "ellipsis", "new_axis")]
        if any(masks) or len(x.shape) != 4 or set(np.ravel(bounds[2]).tolist()) != {1}:
            raise UnfitError("expected a cut along rows and columns")
        cuts = [(0, 0)] * 4
        for axis, (begin, end) in enumerate(zip(*(bound.tolist() for bound in bounds[:2]), strict=True)):
            size = x.shape[axis]
            first = 0 if node.attributes["begin_mask"] >> axis & 1 else begin
            if size is None:
                # Of the batch, which has no size yet, everything.
                cuts[axis] = (first, 0 if node.attributes["end_mask"] >> axis & 1 else 1)
                continue
            last = size if node.attributes["end_mask"] >> axis & 1 else end
            cuts[axis] = (first % size, size - (last if last > 0 else size + last))
        if cuts[0] != (0, 0) or cuts[3] != (0, 0) or min(min(cut) for cut in cuts) < 0:
            raise UnfitError("expected a cut along rows and columns")
        return self.layer(keras.layers.Cropping2D, node, cropping=(cuts[1], cuts[2]))(x)

    def reshape(self, node: Node, inputs: Sequence[Any]) -> Any:
        """Reshape, Squeeze or ExpandDims; the batch stays in front."""
        x = inputs[0]
        sizes = list(x.shape[1:])
        if node.operator == "Squeeze":
            rank = len(x.shape)
            axes = [axis % rank for axis in node.attributes["squeeze_dims"]] or [
                axis for axis in range(1, rank) if x.shape[axis] == 1
            ]
            target = [size for axis, size in enumerate(x.shape) if axis and axis not in axes]
        elif node.operator == "ExpandDims":
            axis = int(inputs[1]) % (len(x.shape) + 1)
            target = [*sizes[: axis - 1], 1, *sizes[axis - 1 :]] if axis else []
        else:
            target = [int(size) for size in inputs[1]][1:]
            if target.count(-1) == 1:
                known = -math.prod(target)
                target[target.index(-1)] = math.prod(sizes) // max(1, known)
        if math.prod(target) != math.prod(sizes) or not target:
            raise UnfitError("expected a new form of each image, not of the batch")
        if len(target) == 1:
            return x if target == sizes else self.layer(keras.layers.Flatten, node)(x)
        return self.layer(keras.layers.Reshape, node, target_shape=tuple(target))(x)

    def transpose(self, node: Node, inputs: Sequence[Any]) -> Any:
        """Exchange axes, not the batch's."""
        x, order = inputs
        if int(order[0]) != 0:
            raise UnfitError("expected the batch in front")
        return self.layer(keras.layers.Permute, node, dims=tuple(int(axis) for axis in order[1:]))(x)

    def concatenate(self, node: Node, inputs: Sequence[Any]) -> Any:
        """ConcatV2 of feature maps."""
        *parts, axis = inputs
        if any(isinstance(part, np.ndarray) for part in parts):
            raise UnfitError("expected feature maps alone, no constants")
        return self.layer(keras.layers.Concatenate, node, axis=int(axis))(parts)

    def merge(self, node: Node, inputs: Sequence[Any]) -> Any:
        """Add, multiply, subtract or compare two feature maps, of which a small one is repeated; or cut one off."""
        if node.operator in _BOUNDS and isinstance(inputs[1], np.ndarray) and inputs[1].size == 1:
            return _BOUNDS[node.operator](inputs[0], float(inputs[1].item()))
        if any(isinstance(value, np.ndarray) for value in inputs):
            raise UnfitError("expected two feature maps")
        return self.layer(_MERGES[node.operator], node)(list(inputs))

    def activation(self, node: Node, inputs: Sequence[Any]) -> Any:
        """Relu and its like."""
        return self.layer(keras.layers.Activation, node, activation=_ACTIVATIONS[node.operator])(inputs[0])

    def leaky_relu(self, node: Node, inputs: Sequence[Any]) -> Any:
        """LeakyRelu with its slope."""
        slope = float(node.attributes["alpha"])
        return self.layer(keras.layers.LeakyReLU, node, negative_slope=slope)(inputs[0])

    def passing(self, node: Node, inputs: Sequence[Any]) -> Any:
        """Return what comes in: a cast, since all is float32 here."""
        del node
        return inputs[0]


def _with_kernel(inputs: Sequence[Any]) -> tuple[Any, _Floats]:
    x, kernel = inputs
    if not isinstance(kernel, np.ndarray):
        raise UnfitError("expected constant weights")
    return x, kernel.astype(np.float32)


def _weighted(layer: Any, x: Any, kernel: _Floats, offset: _Floats, *, channels: int) -> Any:
    """Call a layer and give it its weights."""
    outcome = layer(x)
    bias = [np.broadcast_to(offset, (channels,)).astype(np.float32)] if layer.use_bias else []
    layer.set_weights([kernel.astype(np.float32), *bias])
    return outcome


def _window_settings(node: Node) -> dict[str, Any]:
    """Return stride, dilation and padding of a sliding window, in Keras's words."""
    if node.attributes["data_format"] != "NHWC":
        raise UnfitError("expected channels last")
    strides = node.attributes["strides"][1:3]
    dilations = node.attributes.get("dilations", [1, 1, 1, 1])[1:3]
    padding = "same" if node.attributes["padding"] == "SAME" else "valid"
    return {"strides": tuple(strides), "dilation_rate": tuple(dilations), "padding": padding}


def _per_channel(constant: NDArray[Any], channels: int) -> _Floats:
    """Return a constant as one value, or as one per channel."""
    floats = constant.astype(np.float32)
    if floats.size == 1:
        return floats.reshape(())
    if floats.size != channels or floats.shape[-1] != channels:
        raise UnfitError(f"expected one constant, or one for each of {channels} channels, got {floats.shape}")
    return floats.reshape(channels)


def _scale_and_offset(operator: str, constant: _Floats, *, first: bool) -> tuple[_Floats, _Floats]:
    """Write an operation with a constant, which may stand first, as `x * scale + offset`."""
    if operator == "Mul":
        return constant, _ZERO
    if operator == "Sub":
        return (-_ONE, constant) if first else (_ONE, -constant)
    if operator in ("RealDiv", "Div"):
        if first:
            raise UnfitError("expected a division by a constant")
        return _ONE / constant, _ZERO
    return _ONE, constant


_ARITHMETIC = frozenset({"Add", "AddV2", "BiasAdd", "Mul", "Sub", "RealDiv", "Div"})

_MERGES = {
    "Add": keras.layers.Add,
    "AddV2": keras.layers.Add,
    "Mul": keras.layers.Multiply,
    "Sub": keras.layers.Subtract,
    "Maximum": keras.layers.Maximum,
    "Minimum": keras.layers.Minimum,
}

_BOUNDS = {"Maximum": keras.ops.maximum, "Minimum": keras.ops.minimum}

_ACTIVATIONS = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Elu": "elu",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Softmax": "softmax",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
    "Exp": "exponential",
}

_LAYERS: Mapping[str, Callable[[_Rebuilding, Node, Sequence[Any]], Any]] = {
    "Conv2D": _Rebuilding.convolution,
    "DepthwiseConv2dNative": _Rebuilding.depthwise,
    "MatMul": _Rebuilding.dense,
    "FusedBatchNorm": _Rebuilding.batch_norm,
    "FusedBatchNormV2": _Rebuilding.batch_norm,
    "FusedBatchNormV3": _Rebuilding.batch_norm,
    "MaxPool": _Rebuilding.pool,
    "AvgPool": _Rebuilding.pool,
    "Mean": _Rebuilding.reduce,
    "Max": _Rebuilding.reduce,
    "Pad": _Rebuilding.pad,
    "PadV2": _Rebuilding.pad,
    "Reshape": _Rebuilding.reshape,
    "StridedSlice": _Rebuilding.crop,
    "Squeeze": _Rebuilding.reshape,
    "ExpandDims": _Rebuilding.reshape,
    "Transpose": _Rebuilding.transpose,
    "ConcatV2": _Rebuilding.concatenate,
    "LeakyRelu": _Rebuilding.leaky_relu,
    "Cast": _Rebuilding.passing,
    **dict.fromkeys(_MERGES, _Rebuilding.merge),
    **dict.fromkeys(_ACTIVATIONS, _Rebuilding.activation),
}
