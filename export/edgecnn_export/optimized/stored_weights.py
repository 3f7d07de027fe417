"""Zeros and distinct values among the weights that a finished file holds, and how small the file packs."""

import dataclasses
import gzip
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Operators that have weights, and at which input; per channel means along axis 0 in each of them.
_TFLITE_KERNELS = ("CONV_2D", "FULLY_CONNECTED")
_ONNX_KERNELS = {"Conv": 0, "Gemm": 1, "MatMul": 1}  # and the axis of the output channels


@dataclass(frozen=True)
class StoredWeights:
    """The kernel of one convolution or dense layer as a file holds it."""

    tensor: str
    weights: int
    zeros: int
    distinct: int
    # The most that one output channel has; a file with a scale a channel, or with batch norms folded into the weights,
    # multiplies the distinct values of a layer by its channels.
    distinct_in_channel: int


@dataclass(frozen=True)
class Packed:
    """What became of the weights in one file."""

    gzip_bytes: int
    kernels: tuple[StoredWeights, ...]

    @property
    def sparsity(self) -> float:
        """The share of zeros among all weights of all kernels, 0…1."""
        return sum(kernel.zeros for kernel in self.kernels) / max(1, sum(kernel.weights for kernel in self.kernels))

    @property
    def distinct_in_channel(self) -> int:
        """The most distinct weights that any output channel has."""
        return max((kernel.distinct_in_channel for kernel in self.kernels), default=0)

    def to_document(self) -> dict[str, Any]:
        """Return what `export.json` says of it."""
        return {
            "gzip_bytes": self.gzip_bytes,
            "sparsity": round(self.sparsity, 4),
            "kernels": [dataclasses.asdict(kernel) for kernel in self.kernels],
        }


def packed(content: bytes, suffix: str) -> Packed:
    """Look into a finished `.tflite` or `.onnx` file."""
    found = _in_tflite(content) if suffix == ".tflite" else _in_onnx(content)
    return Packed(len(gzip.compress(content, 9)), tuple(_count(name, values) for name, values in found))


def _count(name: str, values: NDArray[Any]) -> StoredWeights:
    channels = values.reshape(len(values), -1)
    return StoredWeights(
        tensor=name,
        weights=values.size,
        zeros=int(np.count_nonzero(values == 0)),
        distinct=len(np.unique(values)),
        distinct_in_channel=max(len(np.unique(channel)) for channel in channels),
    )


def _in_tflite(content: bytes) -> list[tuple[str, NDArray[Any]]]:
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    (graph, *_) = model.subgraphs
    kinds = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    dtypes = {
        schema.TensorType.FLOAT32: np.float32,
        schema.TensorType.FLOAT16: np.float16,
        schema.TensorType.INT8: np.int8,
    }
    writers = {output: operator for operator in graph.operators for output in operator.outputs}
    found = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        if kinds[max(code.builtinCode, code.deprecatedBuiltinCode)] not in _TFLITE_KERNELS:
            continue
        index = operator.inputs[1]
        # In a float16 file the weights pass through a DEQUANTIZE.
        if graph.tensors[index].buffer and model.buffers[graph.tensors[index].buffer].data is None and index in writers:
            index = writers[index].inputs[0]
        tensor = graph.tensors[index]
        data = model.buffers[tensor.buffer].data
        if data is not None and tensor.type in dtypes:
            values = np.frombuffer(np.asarray(data, np.uint8).tobytes(), dtypes[tensor.type]).reshape(tensor.shape)
            found.append((tensor.name.decode(errors="replace"), values))
    return found


def _in_onnx(content: bytes) -> list[tuple[str, NDArray[Any]]]:
    import onnx

    graph = onnx.load_from_string(content).graph
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    # In an int8 file the weights pass through a DequantizeLinear.
    sources = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    found = []
    for node in graph.node:
        if node.op_type not in _ONNX_KERNELS:
            continue
        name = sources.get(node.input[1], node.input[1])
        if name not in values or values[name].ndim < 2:
            continue
        axis = _ONNX_KERNELS[node.op_type]
        transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        depthwise = any(attribute.name == "group" and attribute.i > 1 for attribute in node.attribute)
        if not depthwise:
            found.append((name, np.moveaxis(values[name], 0 if transposed else axis, 0)))
    return found
