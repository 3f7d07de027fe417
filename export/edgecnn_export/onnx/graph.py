"""The float32 ONNX model that the integer file is made of."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from edgecnn_export.int8.quantizable import FloatOperator
from edgecnn_export.onnx.names import layer_of

# Of the output channels, in the weights of operators that have some.
_CHANNEL_AXIS = {"Conv": 0, "Gemm": 1, "MatMul": 1}


@dataclass(frozen=True)
class OnnxGraph:
    """A float32 ONNX model with one input and one output, prepared for quantization: a `QuantizableGraph`."""

    model: onnx.ModelProto

    @cached_property
    def pixels(self) -> str:
        """The name of the input."""
        return str(self.model.graph.input[0].name)

    @cached_property
    def operators(self) -> tuple[FloatOperator, ...]:
        """The nodes in the order in which they run."""
        return tuple(self._nodes)

    def node(self, operator: FloatOperator) -> onnx.NodeProto:
        """The node of an operator; ONNX Runtime's quantizer knows it by its name."""
        return self._nodes[operator]

    def readers(self, tensor: str) -> tuple[FloatOperator, ...]:
        """The operators that read an activation."""
        return tuple(operator for operator in self.operators if tensor in operator.inputs)

    def constant(self, name: str) -> NDArray[Any] | None:
        """The values of a constant; None where a tensor is computed."""
        return onnx.numpy_helper.to_array(self._constants[name]) if name in self._constants else None

    def activations(self, images: NDArray[np.uint8]) -> Iterator[Mapping[str, NDArray[np.float32]]]:
        """Run images; see `QuantizableGraph`."""
        import onnxruntime

        observed = onnx.ModelProto()
        observed.CopyFrom(self.model)
        seen = {output.name for output in observed.graph.output}
        names = [name for operator in self.operators for name in operator.outputs]
        observed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in seen)
        options = onnxruntime.SessionOptions()
        # What is observed is to be computed as it stands.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(
            observed.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        for image in images:
            pixels = image[np.newaxis].astype(np.float32)
            values = dict(zip(names, session.run(names, {self.pixels: pixels}), strict=True))
            yield {self.pixels: pixels} | {name: _channels_last(array) for name, array in values.items()}

    def weights(self, operator: FloatOperator) -> NDArray[np.float32]:
        """The weights of an operator, `(output channels, positions, input channels)`."""
        node = self._nodes[operator]
        values = self._values(node.input[1])
        if node.op_type == "Conv":
            # (outputs, inputs of the group, height, width)
            return np.moveaxis(values.reshape(*values.shape[:2], -1), 1, 2)
        return (values if _transposed(node) else values.T)[:, np.newaxis]

    def bias(self, operator: FloatOperator) -> NDArray[np.float32] | None:
        """The biases of an operator, `(output channels,)`."""
        node = self._nodes[operator]
        return self._values(node.input[2]) if len(node.input) > 2 and node.input[2] in self._constants else None

    def changed(
        self, weights: Mapping[FloatOperator, NDArray[np.float32]], biases: Mapping[FloatOperator, NDArray[np.float32]]
    ) -> "OnnxGraph":
        """The same graph with other constants."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        constants = {entry.name: entry for entry in model.graph.initializer}
        for operator, values in weights.items():
            node = self._nodes[operator]
            entry = constants[node.input[1]]
            if node.op_type == "Conv":
                stored = np.moveaxis(values, 2, 1)
            else:
                stored = values[:, 0] if _transposed(node) else values[:, 0].T
            shape = tuple(entry.dims)
            entry.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(stored.reshape(shape)), entry.name))
        for operator, values in biases.items():
            entry = constants[self._nodes[operator].input[2]]
            entry.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), entry.name))
        return OnnxGraph(model)

    @cached_property
    def _constants(self) -> dict[str, onnx.TensorProto]:
        return {entry.name: entry for entry in self.model.graph.initializer}

    @cached_property
    def _nodes(self) -> dict[FloatOperator, onnx.NodeProto]:
        nodes = {}
        for node in self.model.graph.node:
            weighted = node.op_type in ("Conv", "Gemm", "MatMul") and node.input[1] in self._constants
            group = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
            # A grouped convolution that is not depthwise mixes the channels of a group: left uncorrected.
            depthwise = weighted and node.op_type == "Conv" and group > 1
            operator = FloatOperator(
                kind=node.op_type,
                label=layer_of(node.output[0]),
                inputs=tuple(name for name in node.input if name and name not in self._constants),
                outputs=tuple(name for name in node.output if name),
                weighted=weighted,
                depthwise=depthwise,
            )
            nodes[operator] = node
        return nodes

    def _values(self, name: str) -> NDArray[np.float32]:
        values: NDArray[np.float32] = onnx.numpy_helper.to_array(self._constants[name])
        return values


def kernels(content: bytes) -> list[tuple[str, NDArray[Any]]]:
    """Return the name and the values of the kernels of convolutions and dense layers, output channels first."""
    graph = onnx.load_from_string(content).graph
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    # In an int8 file the weights pass through a DequantizeLinear.
    sources = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    found = []
    for node in graph.node:
        if node.op_type not in _CHANNEL_AXIS:
            continue
        name = sources.get(node.input[1], node.input[1])
        if name not in values or values[name].ndim < 2:
            continue
        axis = _CHANNEL_AXIS[node.op_type]
        depthwise = any(attribute.name == "group" and attribute.i > 1 for attribute in node.attribute)
        if not depthwise:
            found.append((name, np.moveaxis(values[name], 0 if _transposed(node) else axis, 0)))
    return found


def _transposed(node: Any) -> bool:
    return any(attribute.name == "transB" and attribute.i for attribute in node.attribute)


def _channels_last(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring NCHW to NHWC; what has fewer axes stays."""
    return np.moveaxis(values, 1, -1) if values.ndim == 4 else values
