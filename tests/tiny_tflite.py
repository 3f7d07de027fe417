"""TFLite files made operator by operator, without TensorFlow: whatever a test wants to see read or judged."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray


@dataclass(frozen=True)
class TinyTensor:
    """One tensor; with `data` a constant, else live."""

    shape: tuple[int, ...]
    dtype: str = "int8"
    data: NDArray[Any] | None = None
    scales: Sequence[float] = ()
    axis: int = 0
    signature: tuple[int, ...] | None = None  # with -1 for an open size
    zero_point: int = 0
    variable: bool = False  # keeps its value from one run to the next


@dataclass(frozen=True)
class TinyOperator:
    """One operator; a kind that the schema does not have becomes a custom one. Tensors are told by number."""

    kind: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: Any = None  # an object of the schema, such as Pool2DOptionsT
    fields: dict[str, int] = field(default_factory=dict)  # set on the options


def constant(*shape: int, dtype: str = "int8", scales: Sequence[float] = (0.1,), axis: int = 0) -> TinyTensor:
    """Return a stored tensor of ones."""
    scales = scales if dtype in ("int8", "uint8", "int32") else ()
    return TinyTensor(shape, dtype, np.ones(shape, dtype), scales, axis)


def live(*shape: int, dtype: str = "int8") -> TinyTensor:
    """Return an activation."""
    return TinyTensor(shape, dtype, scales=(0.1,) if dtype in ("int8", "uint8") else ())


def numbers(*values: int) -> TinyTensor:
    """Return a stored list of axes, paddings or sizes."""
    return TinyTensor((len(values),), "int32", np.array(values, np.int32))


def tiny_tflite(
    path: Path,
    tensors: Sequence[TinyTensor],
    operators: Sequence[TinyOperator],
    *,
    inputs: Sequence[int] = (0,),
    outputs: Sequence[int] | None = None,
) -> Path:
    """Write a model of one graph; its output is that of the last operator unless it is given."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.description = 3, "tiny"
    model.buffers, graph.tensors, graph.operators, model.operatorCodes = [schema.BufferT()], [], [], []
    for number, tensor in enumerate(tensors):
        graph.tensors.append(_tensor(model, tensor, f"tensor_{number}"))
    kinds = list(dict.fromkeys(operator.kind for operator in operators))
    for kind in kinds:
        code = schema.OperatorCodeT()
        builtin = getattr(schema.BuiltinOperator, kind, schema.BuiltinOperator.CUSTOM)
        code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), 1
        if builtin == schema.BuiltinOperator.CUSTOM:
            code.customCode = kind
        model.operatorCodes.append(code)
    for operator in operators:
        packed = schema.OperatorT()
        packed.opcodeIndex = kinds.index(operator.kind)
        packed.inputs, packed.outputs = np.array(operator.inputs, np.int32), np.array(operator.outputs, np.int32)
        if operator.options is not None:
            for name, value in operator.fields.items():
                setattr(operator.options, name, value)
            packed.builtinOptions = operator.options
            packed.builtinOptionsType = getattr(
                schema.BuiltinOptions, type(operator.options).__name__.removesuffix("T")
            )
        graph.operators.append(packed)
    graph.inputs = np.array(inputs, np.int32)
    graph.outputs = np.array(operators[-1].outputs if outputs is None else outputs, np.int32)
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def _tensor(model: Any, tensor: TinyTensor, name: str) -> Any:
    packed = schema.TensorT()
    packed.name, packed.shape = name, np.array(tensor.shape, np.int32)
    packed.isVariable = tensor.variable
    packed.type = getattr(schema.TensorType, tensor.dtype.upper())
    if tensor.signature is not None:
        packed.shapeSignature = np.array(tensor.signature, np.int32)
    if tensor.data is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(tensor.data.tobytes(), np.uint8)
        packed.buffer = len(model.buffers)
        model.buffers.append(buffer)
    if tensor.scales:
        quantization = schema.QuantizationParametersT()
        quantization.scale = np.array(tensor.scales, np.float32)
        quantization.zeroPoint = np.full(len(tensor.scales), tensor.zero_point, np.int64)
        quantization.quantizedDimension = tensor.axis
        packed.quantization = quantization
    return packed


def convolution(path: Path, *, dtype: str = "int8", weights: str | None = None, channels: int = 2) -> Path:
    """Write a model that LiteRT runs: 1x8x8x2 -> a 3x3 convolution of 4 filters -> a dense layer of 3.

    With one channel it is a classifier of grey images.
    """
    stored = weights or dtype
    bias = "int32" if dtype in ("int8", "uint8") else "float32"
    tensors = [
        live(1, 8, 8, channels, dtype=dtype),
        constant(4, 3, 3, channels, dtype=stored, scales=(0.1, 0.2, 0.3, 0.4) if stored == "int8" else (0.1,)),
        constant(4, dtype=bias, scales=(0.01, 0.02, 0.03, 0.04) if stored == "int8" else (0.01,)),
        live(1, 6, 6, 4, dtype=dtype),
        numbers(1, 144),
        live(1, 144, dtype=dtype),
        constant(3, 144, dtype=stored),
        live(1, 3, dtype=dtype),
    ]
    padding = {"padding": schema.Padding.VALID, "strideW": 1, "strideH": 1}
    operators = [
        TinyOperator("CONV_2D", (0, 1, 2), (3,), schema.Conv2DOptionsT(), padding),
        TinyOperator("RESHAPE", (3, 4), (5,), schema.ReshapeOptionsT()),
        TinyOperator("FULLY_CONNECTED", (5, 6, -1), (7,), schema.FullyConnectedOptionsT()),
    ]
    return tiny_tflite(path, tensors, operators)
