"""Read a TFLite file into a graph, through the schema's own reader in the package ai-edge-litert.

Not TensorFlow's copy of that reader: importing TensorFlow takes seconds. The file may be anybody's, so every number in
it is checked before it is used.
"""

import re
import struct
from pathlib import Path
from typing import Any

from edgecnn_export.model_graph import (
    Graph,
    Operator,
    Quantization,
    Tensor,
    TensorShape,
    convolution_macs,
    inner_size,
    matrix_product_macs,
    transposed_convolution_macs,
)
from edgecnn_runtime.errors import MissingExtraError, ModelError

_IDENTIFIER = b"TFL3"
_RELEASE = re.compile(rb"\d+\.\d+(\.\d+)?")
# Sizes beyond this are those of a damaged file.
_LARGEST = 2**31 - 1
# Bytes of a constant that is kept by value: axes, paddings and sizes have no more.
_SHORT = 64


def read_tflite(path: Path) -> Graph:
    """Read the main graph of a `.tflite` file.

    Raises:
        ModelError: not a TFLite file, or a damaged one.
        MissingExtraError: ai-edge-litert is not installed.
    """
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ImportError as error:
        raise MissingExtraError("Reading TFLite", package="ai-edge-litert", extra="litert") from error
    content = path.read_bytes()
    if content[4:8] != _IDENTIFIER:
        raise ModelError(f"{path}: expected a TFLite file ('TFL3' at its fifth byte), got another or a damaged file")
    try:
        return _Reader(schema, content).graph()
    # What flatbuffers, numpy and struct raise at offsets that lead out of the file.
    except (struct.error, IndexError, ValueError, TypeError, AttributeError, OverflowError, MemoryError) as error:
        raise ModelError(f"{path}: expected a whole TFLite file, got a damaged one ({error})") from error


class _Reader:
    """One file, being read."""

    def __init__(self, schema: Any, content: bytes) -> None:
        self._schema, self._length = schema, len(content)
        self._model = schema.Model.GetRootAs(content, 0)
        self._tensor_types = {
            value: name.lower().removesuffix("_e4m3fn").removesuffix("_e5m2")
            for name, value in vars(schema.TensorType).items()
            if isinstance(value, int)
        }
        self._operators = {
            value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)
        }
        self._activations = {
            value: name for name, value in vars(schema.ActivationFunctionType).items() if isinstance(value, int)
        }

    def graph(self) -> Graph:
        graphs = self._count(self._model.SubgraphsLength())
        if graphs == 0:
            raise ValueError("no graph in it")
        subgraph = self._model.Subgraphs(0)
        tensors = tuple(
            self._tensor(subgraph.Tensors(number)) for number in range(self._count(subgraph.TensorsLength()))
        )
        codes = [self._model.OperatorCodes(number) for number in range(self._count(self._model.OperatorCodesLength()))]
        operators = tuple(
            self._operator(number, subgraph.Operators(number), codes, tensors)
            for number in range(self._count(subgraph.OperatorsLength()))
        )
        return Graph(
            version=f"schema {self._model.Version()}",
            tensors=tensors,
            operators=operators,
            inputs=self._numbers(subgraph.InputsAsNumpy(), tensors),
            outputs=self._numbers(subgraph.OutputsAsNumpy(), tensors),
            other_graphs=graphs - 1,
            oldest_release=self._oldest_release(),
        )

    def _oldest_release(self) -> str | None:
        """Return what the converter has written: by the versions of the operators, in TensorFlow's numbers."""
        for number in range(self._count(self._model.MetadataLength())):
            entry = self._model.Metadata(number)
            if entry.Name() == b"min_runtime_version" and self._stored(entry.Buffer()):
                text = bytes(self._model.Buffers(entry.Buffer()).DataAsNumpy()).rstrip(b"\0")
                return text.decode() if _RELEASE.fullmatch(text) else None
        return None

    def _count(self, length: int) -> int:
        """Return a vector's length, which cannot be more than the file has bytes."""
        if length > self._length:
            raise ValueError(f"a list of {length} in a file of {self._length} bytes")
        return length

    def _numbers(self, values: Any, tensors: tuple[Tensor, ...]) -> tuple[int, ...]:
        numbers = tuple(int(value) for value in values) if not isinstance(values, int) else ()
        for number in numbers:
            if not 0 <= number < len(tensors):
                raise ValueError(f"tensor {number} of {len(tensors)}")
        return numbers

    def _tensor(self, tensor: Any) -> Tensor:
        shape = () if tensor.ShapeIsNone() else tuple(int(size) for size in tensor.ShapeAsNumpy())
        signature = shape if tensor.ShapeSignatureIsNone() else tuple(int(s) for s in tensor.ShapeSignatureAsNumpy())
        if any(not 0 <= size <= _LARGEST for size in shape):
            raise ValueError(f"shape {shape}")
        stored = self._stored(tensor.Buffer())
        dtype = self._tensor_types.get(tensor.Type(), f"type {tensor.Type()}")
        values: tuple[int, ...] = ()
        if dtype in ("int32", "int64") and 0 < stored <= _SHORT:
            data = self._model.Buffers(tensor.Buffer()).DataAsNumpy()
            values = tuple(int(value) for value in data.view(dtype)) if not isinstance(data, int) else ()
        return Tensor(
            name=(tensor.Name() or b"").decode("utf-8", "replace"),
            dtype=dtype,
            shape=shape,
            constant=stored > 0 and not tensor.IsVariable(),
            static=all(size >= 0 for size in signature[1:]),
            quantization=_quantization(tensor.Quantization()),
            stored=stored,
            values=values,
        )

    def _stored(self, number: int) -> int:
        if not 0 <= number < self._model.BuffersLength():
            raise ValueError(f"buffer {number} of {self._model.BuffersLength()}")
        buffer = self._model.Buffers(number)
        # Models above 2 GB keep their weights behind the flatbuffer: then an offset and a size stand here.
        return self._count(buffer.Size() if buffer.Offset() > 1 else buffer.DataLength())

    def _operator(self, number: int, operator: Any, codes: list[Any], tensors: tuple[Tensor, ...]) -> Operator:
        code = codes[operator.OpcodeIndex()]
        # The old field has 8 bits; newer operators stand in the new one, older files have only the old one.
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        custom = builtin == self._schema.BuiltinOperator.CUSTOM
        kind = self._operators.get(builtin, f"operator {builtin}")
        if custom:
            kind = (code.CustomCode() or b"CUSTOM").decode("utf-8", "replace")
        raw = () if operator.InputsIsNone() else operator.InputsAsNumpy()
        inputs = tuple(None if value == -1 else self._numbers([value], tensors)[0] for value in raw)
        outputs = () if operator.OutputsIsNone() else self._numbers(operator.OutputsAsNumpy(), tensors)
        options = self._options(operator)
        activation = self._activations.get(getattr(options, "FusedActivationFunction", lambda: 0)(), "NONE")
        return Operator(
            number=number,
            kind=kind,
            name=tensors[outputs[0]].name if outputs else "",
            inputs=inputs,
            outputs=outputs,
            macs=_macs(kind, options, [None if i is None else tensors[i].shape for i in inputs], outputs, tensors),
            custom=custom,
            activation=None if activation == "NONE" else activation,
            dilation=(
                getattr(options, "DilationHFactor", lambda: 1)(),
                getattr(options, "DilationWFactor", lambda: 1)(),
            ),
            axis=getattr(options, "Axis", lambda: None)(),
            plain_weights=getattr(options, "WeightsFormat", lambda: 0)() == 0,
        )

    def _options(self, operator: Any) -> Any:
        """Return the operator's table of options as its own class, None where there is none."""
        table = operator.BuiltinOptions()
        names = {value: name for name, value in vars(self._schema.BuiltinOptions).items() if isinstance(value, int)}
        name = names.get(operator.BuiltinOptionsType())
        if table is None or name in (None, "NONE"):
            return None
        options = getattr(self._schema, str(name))()
        options.Init(table.Bytes, table.Pos)
        return options


def _quantization(parameters: Any) -> Quantization | None:
    if parameters is None or parameters.ScaleIsNone() or parameters.ScaleLength() == 0:
        return None
    scales = tuple(float(scale) for scale in parameters.ScaleAsNumpy())
    zeros = () if parameters.ZeroPointIsNone() else tuple(int(zero) for zero in parameters.ZeroPointAsNumpy())
    return Quantization(
        scales=scales,
        zero_points=zeros or (0,) * len(scales),
        axis=parameters.QuantizedDimension() if len(scales) > 1 else None,
    )


def _macs(
    kind: str, options: Any, inputs: list[TensorShape], outputs: tuple[int, ...], tensors: tuple[Tensor, ...]
) -> int | None:
    """Count by the layouts of the schema: filters are (out, height, width, in), depthwise (1, height, width, out)."""
    output = tensors[outputs[0]].shape if outputs else None
    weights = inputs[1] if len(inputs) > 1 else None
    match kind:
        case "CONV_2D":
            return convolution_macs(output, kernel=None if weights is None else weights[1:])
        case "DEPTHWISE_CONV_2D":
            return convolution_macs(output, kernel=None if weights is None else weights[1:3])
        case "TRANSPOSE_CONV":
            kernel = None if weights is None else (weights[0], *weights[1:3])
            return transposed_convolution_macs(inputs[2] if len(inputs) > 2 else None, kernel=kernel)
        case "FULLY_CONNECTED":
            return matrix_product_macs(output, inner=inner_size(weights))
        case "BATCH_MATMUL":
            transposed = options is not None and bool(options.AdjX())
            return matrix_product_macs(output, inner=inner_size(inputs[0], transposed=transposed))
        case _:
            return 0
