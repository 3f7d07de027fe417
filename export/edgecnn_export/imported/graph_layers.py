"""Rebuild a graph of TensorFlow's operators from layers that Keras ships.

The rebuilt network is a Keras model like any other: it is saved without the file it came from, explained layer by
layer, and converted with static shapes. What is no layer is an operation of Keras (`graph_operations`); an operator
that is neither is refused by its name.
"""

import contextlib
import copy
import dataclasses
import hashlib
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edgecnn_export.imported.graph import Node, Output, Part, TensorFlowGraph
from edgecnn_export.imported.graph_constants import BATCH, UnfitError, computed
from edgecnn_export.imported.graph_operations import in_small_letters, operation
from edgecnn_export.imported.graph_values import (
    LIST_OPERATORS,
    ONE,
    ZERO,
    Deferred,
    Floats,
    InBatches,
    Rows,
    axes_of,
    per_channel,
    scale_and_offset,
)
from edgecnn_export.imported.untrusted_config import optimization_of
from edgecnn_runtime.errors import InputError, ModelError


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


class _Rebuilding:
    """Rebuilds one graph, and the parts of it that are loops and branches."""

    def __init__(self, graph: TensorFlowGraph, path: Path) -> None:
        self._graph, self._path = graph, path
        self._names = {"image"}
        # By kind, arguments and weights: steps of a loop share theirs.
        self._weighted: dict[tuple[Any, ...], Any] = {}
        # Of the part that is being rebuilt, by node: how many read it, and an array, a Keras tensor, a layer that is
        # not built yet, or a list of those.
        self._readers: Counter[int] = Counter()
        self._values: dict[int, Any] = {}

    def model(self, imgsz: int | None) -> keras.Model:
        """Build the layers, in the order of the nodes."""
        shape = self._graph.input_shape
        if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)):
            raise ModelError(
                f"{self._path}: expected an input of images (N, height, width, channels), grey or RGB, got {shape}"
            )
        if imgsz is None and None in shape[1:3]:
            raise InputError(
                f"{self._path}: expected the size of its images, as it takes any; add --imgsz with the one it was "
                "trained on"
            )
        pixels = keras.Input((*(size or imgsz for size in shape[1:3]), *shape[3:]), name="image")
        return keras.Model(pixels, self._computed(self._graph.whole, [pixels])[0], name="graph")

    def _computed(self, part: Part, arguments: Sequence[Any]) -> list[Any]:
        """Compute a part: what the whole graph gives, or one round of a loop."""
        inner = copy.copy(self)
        read = [value for node in part.nodes for value in node.inputs]
        inner._readers = Counter(value.node for value in (*read, *part.outputs) if isinstance(value, Output))
        inner._values = dict(enumerate(arguments))
        needed = _needed(part)
        for number, node in enumerate(part.nodes):
            if number in needed and number not in inner._values:
                inner._values[number] = inner._value(node)
        return [inner._built(value) if isinstance(value, Output) else value for value in part.outputs]

    def _value(self, node: Node) -> Any:
        if node.operator == "Neg":
            node = dataclasses.replace(node, operator="Mul", inputs=(*node.inputs, np.array(-1, np.float32)))
        try:
            known = [self._given(value) if isinstance(value, Output) else value for value in node.inputs]
            if node.operator in _ARITHMETIC and sum(isinstance(value, np.ndarray) for value in known) == 1:
                with contextlib.suppress(UnfitError):
                    return self._affine(node, known)
            inputs = [self._built(value) if isinstance(value, Output) else value for value in node.inputs]
            if node.operator in LIST_OPERATORS:
                return LIST_OPERATORS[node.operator](*inputs)
            if node.operator in ("While", "StatelessWhile"):
                return self._loop(node, inputs)
            if node.operator in ("If", "StatelessIf"):
                return self._branch(node, inputs)
            if node.operator == "Shape" or all(isinstance(value, np.ndarray) for value in inputs):
                return computed(node, inputs)
            if node.operator in _LAYERS:
                try:
                    return _LAYERS[node.operator](self, node, inputs)
                except UnfitError as reason:
                    unfit = reason
                with contextlib.suppress(UnfitError):
                    return operation(node, inputs)
                raise unfit
            return operation(node, inputs)
        except UnfitError as reason:
            optimized = optimization_of(node.name, node.operator)
            if optimized is not None:
                what, instead = optimized
                raise ModelError(f"{self._path}: expected a plain float model, got one of {what}; {instead}") from None
            raise ModelError(
                f"{self._path}: expected operators of a convolutional classifier, got {node.operator} in "
                f"{node.name!r}: {reason}; save the model without it, or as a .keras file"
            ) from None
        except ModelError:
            raise  # from inside a loop
        # What Keras says of shapes that do not fit together, and what a node without its inputs or attributes leads to.
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"{self._path}: expected operators that fit together, got {node.operator} in {node.name!r}: {error}"
            ) from error

    def _given(self, output: Output) -> Any:
        """Return what a node gives, as it is."""
        value = self._values[output.node]
        if isinstance(value, list):
            return value[output.index]
        if output.index:
            raise UnfitError("it reads the second output of another")
        return value

    def _built(self, output: Output) -> Any:
        """Return what a node gives, its layer built."""
        value = self._given(output)
        if isinstance(value, Deferred):
            value = self._values[output.node] = value.build(value.scale, value.offset)
        return value

    def _loop(self, node: Node, inputs: Sequence[Any]) -> list[Any]:
        """Go round a loop whose number of rounds does not depend on the image, as that of a recurrent layer."""
        values = list(inputs)
        for _ in range(_MAX_ROUNDS):
            (goes_on,) = self._computed(node.attributes["cond"], values)
            if not isinstance(goes_on, np.ndarray):
                break
            if not goes_on:
                return values
            values = self._computed(node.attributes["body"], values)
        raise UnfitError(f"expected a loop of a fixed number of rounds, at most {_MAX_ROUNDS:,}")

    def _branch(self, node: Node, inputs: Sequence[Any]) -> list[Any]:
        """Take the branch of a condition that does not depend on the image."""
        condition, *arguments = inputs
        if not isinstance(condition, np.ndarray):
            raise UnfitError("expected a condition that does not depend on the image")
        return self._computed(node.attributes["then_branch" if condition else "else_branch"], arguments)

    def _affine(self, node: Node, known: Sequence[Any]) -> Deferred:
        """Multiply by, divide by, add or take off a constant."""
        first = isinstance(known[0], np.ndarray)
        constant, other = (known[0], node.inputs[1]) if first else (known[1], node.inputs[0])
        assert isinstance(other, Output)
        if self._readers[other.node] > 1:
            self._built(other)
        value = self._given(other)
        if not isinstance(value, Deferred):
            value = self._standing_alone(node, value)
        vector = per_channel(constant, value.channels)
        scale, offset = scale_and_offset(node.operator, vector, first=first)
        return Deferred(value.build, value.channels, value.scale * scale, value.offset * scale + offset)

    def _standing_alone(self, node: Node, x: Any) -> Deferred:
        """Begin an affine layer that no convolution takes in."""
        if isinstance(x, InBatches | Rows) or not x.shape[-1]:
            raise UnfitError("expected a feature map")

        def build(scale: Floats, offset: Floats) -> Any:
            if not scale.shape and not offset.shape:
                return self.layer(keras.layers.Rescaling, node, scale=float(scale), offset=float(offset))(x)
            # A batch norm of mean 0 and variance 1.
            epsilon = 1e-3
            ones = np.ones(int(x.shape[-1]), np.float32)
            weights = [ones * scale, ones * offset, ones * 0, ones * np.float32(1 - epsilon)]
            return self.weighted(keras.layers.BatchNormalization, node, x, weights, epsilon=epsilon)

        return Deferred(build, int(x.shape[-1]), ONE, ZERO)

    def layer(self, kind: Callable[..., Any], node: Node, **arguments: Any) -> Any:
        """Make a layer that is named after its node: "serving/model/conv1/Conv2D" is conv1."""
        parts = [part for part in node.name.replace(":", "_").split("/") if part]
        name = parts[-2] if len(parts) > 1 else parts[-1]
        # Keras names its operations itself, einsum, einsum_1, and wants no name twice.
        if hasattr(keras.ops, re.sub(r"_\d+$", "", name)):
            name = f"{name}_layer"
        taken = (name if count == 1 else f"{name}_{count}" for count in itertools.count(1))
        free = next(one for one in taken if one not in self._names)
        self._names.add(free)
        return kind(name=free, **arguments)

    def weighted(self, kind: Callable[..., Any], node: Node, x: Any, weights: Sequence[Any], **arguments: Any) -> Any:
        """Call a layer with these weights: that of the step before, where a loop comes by again."""
        floats = [np.ascontiguousarray(array, np.float32) for array in weights]
        digest = hashlib.sha256(b"".join(array.tobytes() for array in floats)).digest()
        key = kind, repr(sorted(arguments.items())), int(x.shape[-1]), digest
        if key in self._weighted:
            return self._weighted[key](x)
        layer = self._weighted[key] = self.layer(kind, node, **arguments)
        outcome = layer(x)
        layer.set_weights(floats)
        return outcome

    def convolution(self, node: Node, inputs: Sequence[Any]) -> Any:
        """Conv2D, also in groups: kernels (rows, columns, channels / groups, filters)."""
        x, kernel = _with_kernel(inputs)
        settings = _window_settings(node)
        if isinstance(x, InBatches):
            return self._dilated(node, x, self.convolution, kernel)
        x = self._padded(node, x)

        def build(scale: Floats, offset: Floats) -> Any:
            return self.weighted(
                keras.layers.Conv2D,
                node,
                x,
                [kernel * scale, *_bias(offset, kernel.shape[3])],
                filters=kernel.shape[3],
                kernel_size=kernel.shape[:2],
                groups=int(x.shape[-1]) // kernel.shape[2],
                use_bias=bool(offset.any()),
                **settings,
            )

        return Deferred(build, kernel.shape[3], ONE, ZERO)

    def depthwise(self, node: Node, inputs: Sequence[Any]) -> Any:
        """DepthwiseConv2D: kernels (rows, columns, channels, multiplier)."""
        x, kernel = _with_kernel(inputs)
        settings = _window_settings(node)
        if isinstance(x, InBatches):
            return self._dilated(node, x, self.depthwise, kernel)
        x = self._padded(node, x)
        channels = kernel.shape[2] * kernel.shape[3]

        def build(scale: Floats, offset: Floats) -> Any:
            scaled = kernel * (scale.reshape(kernel.shape[2:]) if scale.shape else scale)
            return self.weighted(
                keras.layers.DepthwiseConv2D,
                node,
                x,
                [scaled, *_bias(offset, channels)],
                kernel_size=kernel.shape[:2],
                depth_multiplier=kernel.shape[3],
                use_bias=bool(offset.any()),
                **settings,
            )

        return Deferred(build, channels, ONE, ZERO)

    def dense(self, node: Node, inputs: Sequence[Any]) -> Any:
        """Dense: kernels (values, units)."""
        x, kernel = _with_kernel(inputs)
        if node.attributes.get("transpose_a") or node.attributes.get("adj_x") or kernel.ndim != 2 or not x.shape[-1]:
            raise UnfitError("expected a product of (N, …, values) and a (values, units) matrix")
        turned = node.attributes.get("transpose_b") or node.attributes.get("adj_y")
        weights = kernel.T if turned else kernel
        if isinstance(x, Rows):
            product = self.dense(node, [x.images, kernel])
            return dataclasses.replace(x, images=product, shape=(*x.shape[:-1], product.channels))

        def build(scale: Floats, offset: Floats) -> Any:
            units = weights.shape[1]
            every = [weights * scale, *_bias(offset, units)]
            return self.weighted(keras.layers.Dense, node, x, every, units=units, use_bias=bool(offset.any()))

        return Deferred(build, weights.shape[1], ONE, ZERO)

    def _padded(self, node: Node, x: Any) -> Any:
        """Pad by hand where the operator says how much."""
        if node.attributes["padding"] != "EXPLICIT":
            return x
        rows, columns = np.reshape(node.attributes["explicit_paddings"], (4, 2)).tolist()[1:3]
        return keras.layers.ZeroPadding2D((tuple(rows), tuple(columns)))(x)

    def space_to_batch(self, node: Node, inputs: Sequence[Any]) -> InBatches:
        """SpaceToBatchND, in front of a convolution with gaps."""
        del node
        x, block, padding = inputs
        if len(x.shape) != 4 or len(block) != 2:
            raise UnfitError("expected blocks of rows and columns")
        (top, bottom), (left, right) = np.reshape(padding, (2, 2)).tolist()
        return InBatches(x, (int(block[0]), int(block[1])), ((top, bottom), (left, right)))

    def batch_to_space(self, node: Node, inputs: Sequence[Any]) -> "Deferred":
        """BatchToSpaceND, behind a convolution with gaps."""
        x, block, crops = inputs
        if not isinstance(x, InBatches) or x.convolved is None or tuple(int(size) for size in block) != x.block:
            raise UnfitError("expected a convolution between SpaceToBatchND and this")
        # What is cut away behind it has only filled up the blocks.
        padding = [
            (first, last - cut) for (first, last), (zero, cut) in zip(x.padding, np.reshape(crops, (2, 2)), strict=True)
        ]
        if np.reshape(crops, (2, 2))[:, 0].any() or min(map(min, padding)) < 0:
            raise UnfitError("expected nothing cut away above and to the left")
        if not np.any(padding):
            return x.convolved(x.image)
        amounts = tuple((int(first), int(last)) for first, last in padding)
        return x.convolved(self.layer(keras.layers.ZeroPadding2D, node, padding=amounts)(x.image))

    def _dilated(
        self, node: Node, x: InBatches, convolve: Callable[[Node, Sequence[Any]], Any], kernel: Floats
    ) -> InBatches:
        """Convolve with gaps, once it is known what is cut away behind it."""
        if x.convolved is not None or node.attributes["padding"] != "VALID":
            raise UnfitError("expected one convolution without padding between SpaceToBatchND and BatchToSpaceND")
        dilated = dataclasses.replace(node, attributes={**node.attributes, "dilations": [1, *x.block, 1]})
        return dataclasses.replace(x, convolved=lambda image: convolve(dilated, [image, kernel]))

    def transposed_convolution(self, node: Node, inputs: Sequence[Any]) -> Deferred:
        """Conv2DBackpropInput: kernels (rows, columns, filters, channels)."""
        size, kernel, x = inputs
        if not isinstance(kernel, np.ndarray):
            raise UnfitError("expected constant weights")
        settings = _window_settings(node)
        rows, columns = (
            length * stride if settings["padding"] == "same" else length * stride + max(window - stride, 0)
            for length, stride, window in zip(x.shape[1:3], settings["strides"], kernel.shape[:2], strict=True)
        )
        if [rows, columns] != [int(length) for length in size[1:3]]:
            raise UnfitError(f"expected an output of {rows}x{columns}, got {int(size[1])}x{int(size[2])}")

        def build(scale: Floats, offset: Floats) -> Any:
            scaled = kernel * (scale[:, np.newaxis] if scale.shape else scale)
            return self.weighted(
                keras.layers.Conv2DTranspose,
                node,
                x,
                [scaled, *_bias(offset, kernel.shape[2])],
                filters=kernel.shape[2],
                kernel_size=kernel.shape[:2],
                use_bias=bool(offset.any()),
                **settings,
            )

        return Deferred(build, kernel.shape[2], ONE, ZERO)

    def einsum(self, node: Node, inputs: Sequence[Any]) -> Any:
        """Einsum with constant weights, as in attention; in the order of EinsumDense."""
        x, kernel = _with_kernel(inputs)
        given, weights, outcome = re.split(",|->", in_small_letters(node.attributes["equation"]))
        sizes = {**dict(zip(weights, kernel.shape, strict=True)), **dict(zip(given, x.shape, strict=True))}
        return self.weighted(
            keras.layers.EinsumDense,
            node,
            x,
            [kernel],
            equation=f"{given},{weights}->{outcome}",
            output_shape=tuple(sizes[axis] for axis in outcome[1:]),
        )

    def batch_norm(self, node: Node, inputs: Sequence[Any]) -> Any:
        """FusedBatchNorm in inference."""
        x, *weights = inputs
        if isinstance(x, Rows) and node.attributes["is_training"]:
            axes = list(range(-axes_of(x), 0))
            layer = self.layer(
                keras.layers.LayerNormalization,
                node,
                axis=axes,
                epsilon=float(node.attributes["epsilon"]),
                center=False,
                scale=False,
            )
            return dataclasses.replace(x, images=layer(x.images))
        if node.attributes["is_training"] or not all(isinstance(array, np.ndarray) for array in weights):
            raise UnfitError("expected a batch norm in inference")
        return self.weighted(
            keras.layers.BatchNormalization, node, x, weights, epsilon=float(node.attributes["epsilon"])
        )

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
        if isinstance(x, Rows):
            if [int(size) for size in inputs[1]] != [BATCH if size is None else size for size in x.shape]:
                raise UnfitError("expected the rows of each image together again")
            return x.images
        sizes = list(x.shape[1:])
        if node.operator == "Reshape":
            wanted = [int(size) for size in inputs[1]]
            # (1, rows, size, 1) is what Keras 2 normalizes.
            if [*wanted[:2], *wanted[3:]] == [1, BATCH, 1] or (
                wanted == [BATCH, sizes[-1]] and math.prod(sizes) > sizes[-1]
            ):
                return Rows(x, x.shape, wanted[2 if len(wanted) == 4 else 1])
        if x.shape[0] is not None:
            raise UnfitError("expected the batch in front")
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
        one, other = sorted((math.prod(target), math.prod(sizes)))
        if node.operator == "Reshape" and int(inputs[1][0]) == BATCH and 0 < one < other and other % one == 0:
            # All steps of all images as images of their own, or back, as Keras 2's TimeDistributed has them.
            return keras.ops.reshape(x, (-1, *target))
        if one != other or not target:
            raise UnfitError("expected a new form of each image, not of the batch")
        if len(target) == 1:
            return x if target == sizes else self.layer(keras.layers.Flatten, node)(x)
        return self.layer(keras.layers.Reshape, node, target_shape=tuple(target))(x)

    def transpose(self, node: Node, inputs: Sequence[Any]) -> Any:
        """Exchange axes, not the batch's."""
        x, order = inputs
        if int(order[0]) != 0 or x.shape[0] is not None:
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

    def cast(self, node: Node, inputs: Sequence[Any]) -> Any:
        """Cast: all is float32 here, so that only what cuts digits off is done."""
        wanted = node.attributes["DstT"]
        if wanted is None or "float8" in wanted.name:
            raise UnfitError("expected numbers of 16 bits or more")
        if wanted.kind in "iu" and node.attributes["SrcT"].kind == "f":
            return keras.ops.cast(keras.ops.cast(inputs[0], "int32"), "float32")
        if wanted.kind == "f" and node.attributes["SrcT"].kind == "b":
            return keras.ops.cast(inputs[0], "float32")
        return inputs[0]


def _needed(part: Part) -> set[int]:
    """Find the nodes that the outputs depend on."""
    needed: set[int] = set()
    waiting = [value.node for value in part.outputs if isinstance(value, Output)]
    while waiting:
        number = waiting.pop()
        if number not in needed:
            needed.add(number)
            waiting += [value.node for value in part.nodes[number].inputs if isinstance(value, Output)]
    return needed


def _with_kernel(inputs: Sequence[Any]) -> tuple[Any, Floats]:
    x, kernel = inputs
    if not isinstance(kernel, np.ndarray):
        raise UnfitError("expected constant weights")
    return x, kernel.astype(np.float32)


def _bias(offset: Floats, channels: int) -> list[Floats]:
    """Return the bias as a list for a layer's weights: none of zeros."""
    return [np.broadcast_to(offset, (channels,))] if offset.any() else []


def _window_settings(node: Node) -> dict[str, Any]:
    """Return stride, dilation and padding of a sliding window, in Keras's words."""
    if node.attributes["data_format"] != "NHWC":
        raise UnfitError("expected channels last")
    strides = node.attributes["strides"][1:3]
    dilations = node.attributes.get("dilations", [1, 1, 1, 1])[1:3]
    padding = "same" if node.attributes["padding"] == "SAME" else "valid"
    return {"strides": tuple(strides), "dilation_rate": tuple(dilations), "padding": padding}


# More than any image has rows, which is what a recurrent layer goes through.
_MAX_ROUNDS = 4096

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
    "BatchMatMulV2": _Rebuilding.dense,
    "BatchMatMulV3": _Rebuilding.dense,
    "BatchToSpaceND": _Rebuilding.batch_to_space,
    "Conv2D": _Rebuilding.convolution,
    "Conv2DBackpropInput": _Rebuilding.transposed_convolution,
    "Einsum": _Rebuilding.einsum,
    "SpaceToBatchND": _Rebuilding.space_to_batch,
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
    "Cast": _Rebuilding.cast,
    **dict.fromkeys(_MERGES, _Rebuilding.merge),
    **dict.fromkeys(_ACTIVATIONS, _Rebuilding.activation),
}
