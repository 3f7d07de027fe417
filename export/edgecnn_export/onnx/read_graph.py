"""Read an ONNX file into a graph; shapes that it does not give are inferred for a batch of 1."""

from collections.abc import Sequence
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

_DEFAULT_DOMAINS = frozenset({"", "ai.onnx"})
# The first release of ONNX Runtime with an opset and with a version of the format, by its table of compatibility
# (onnxruntime.ai/docs/reference/compatibility.html). What is newer than these, it is not told.
_RELEASE_OF_OPSET = {13: 6, 14: 8, 15: 9, 16: 11, 17: 12, 18: 14, 19: 15, 20: 17, 21: 18}
_RELEASE_OF_IR = {7: 5, 8: 10, 9: 15, 10: 18}
_DTYPE_NAMES = {"float": "float32", "double": "float64"}


def read_onnx(path: Path) -> tuple[Graph, dict[str, str]]:
    """Read an `.onnx` file: its graph, and its `metadata_props`.

    Raises:
        ModelError: not an ONNX file, or a damaged one.
        MissingExtraError: the package onnx is not installed.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise MissingExtraError("Reading ONNX", package="onnx", extra="export") from error
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, ValueError, RuntimeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: expected an ONNX file, got another or a damaged file ({error})") from error
    if not model.graph.node or not model.opset_import:
        raise ModelError(f"{path}: expected an ONNX file, got one without operators or opset")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    try:
        _close_batch(model)
        # Not strict: an operator of somebody's own has no shapes, and that is all.
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=False, data_prop=True)
        return _Reader(onnx, inferred).graph(), metadata
    except (onnx.shape_inference.InferenceError, ValueError, KeyError, IndexError, TypeError, RuntimeError) as error:
        raise ModelError(f"{path}: expected a whole ONNX file, got a damaged one ({error})") from error


def _oldest_release(opset: int, ir_version: int) -> str | None:
    if opset > max(_RELEASE_OF_OPSET) or ir_version > max(_RELEASE_OF_IR):
        return None
    return f"1.{max(_RELEASE_OF_OPSET.get(opset, 6), _RELEASE_OF_IR.get(ir_version, 5))}"


def _close_batch(model: Any) -> None:
    """Set the open first size of each input to 1."""
    constants = {initializer.name for initializer in model.graph.initializer}
    for value in model.graph.input:
        sizes = value.type.tensor_type.shape.dim
        if value.name not in constants and len(sizes) and not sizes[0].dim_value:
            sizes[0].dim_value = 1
    for value in model.graph.output:  # else they contradict what is inferred
        sizes = value.type.tensor_type.shape.dim
        if len(sizes) and sizes[0].dim_param:
            sizes[0].ClearField("dim_param")


class _Reader:
    """One model, being read: its tensors get numbers in the order in which they appear."""

    def __init__(self, onnx: Any, model: Any) -> None:
        self._onnx, self._model = onnx, model
        graph = model.graph
        self._initializers = {initializer.name: initializer for initializer in graph.initializer}
        self._initializers |= {
            node.output[0]: attribute.t
            for node in graph.node
            if node.op_type == "Constant"
            for attribute in node.attribute
            if attribute.name == "value"
        }
        self._nodes = [node for node in graph.node if node.output[:1] != [] and node.op_type != "Constant"]
        self._values = {value.name: value for value in (*graph.input, *graph.value_info, *graph.output)}
        self._quantizations = self._find_quantizations()
        names = dict.fromkeys(
            [
                *(value.name for value in graph.input if value.name not in self._initializers),
                *(name for node in self._nodes for name in (*node.input, *node.output) if name),
                *(value.name for value in graph.output),
            ]
        )
        self._numbers = {name: number for number, name in enumerate(names)}
        self._tensors = tuple(self._tensor(name) for name in names)

    def graph(self) -> Graph:
        graph = self._model.graph
        opset = next((entry.version for entry in self._model.opset_import if entry.domain in _DEFAULT_DOMAINS), None)
        return Graph(
            version=f"opset {opset}" if opset else "no opset of ONNX's own",
            tensors=self._tensors,
            operators=tuple(self._operator(number, node) for number, node in enumerate(self._nodes)),
            inputs=tuple(self._numbers[v.name] for v in graph.input if v.name not in self._initializers),
            outputs=tuple(self._numbers[value.name] for value in graph.output),
            other_graphs=sum(attribute.HasField("g") for node in self._nodes for attribute in node.attribute),
            oldest_release=_oldest_release(opset or 0, self._model.ir_version),
        )

    def _tensor(self, name: str) -> Tensor:
        initializer = self._initializers.get(name)
        quantization = self._quantizations.get(name)
        if initializer is not None:
            dtype = self._dtype(initializer.data_type)
            tensor = Tensor(name, dtype, tuple(initializer.dims), constant=True, quantization=quantization)
            return Tensor(name, dtype, tensor.shape, constant=True, quantization=quantization, stored=tensor.size or 0)
        value = self._values.get(name)
        if value is None:
            return Tensor(name, "unknown", None, static=False, quantization=quantization)
        kind = value.type.tensor_type
        sizes = [size.dim_value if size.HasField("dim_value") else None for size in kind.shape.dim]
        known = kind.HasField("shape") and all(size is not None and size >= 0 for size in sizes)
        return Tensor(
            name=name,
            dtype=self._dtype(kind.elem_type),
            shape=tuple(int(size or 0) for size in sizes) if known else None,
            static=known,
            quantization=quantization,
        )

    def _operator(self, number: int, node: Any) -> Operator:
        attributes = {attribute.name: attribute for attribute in node.attribute}
        inputs = tuple(self._numbers[name] if name else None for name in node.input)
        shapes = [None if index is None else self._tensors[index].shape for index in inputs]
        outputs = tuple(self._numbers[name] for name in node.output if name)
        domain = node.domain
        dilations = tuple(attributes["dilations"].ints) if "dilations" in attributes else ()
        return Operator(
            number=number,
            kind=node.op_type if domain in _DEFAULT_DOMAINS else f"{domain}:{node.op_type}",
            name=node.name or node.output[0],
            inputs=inputs,
            outputs=outputs,
            macs=_macs(node.op_type, attributes, shapes, self._tensors[outputs[0]].shape if outputs else None),
            custom=domain not in _DEFAULT_DOMAINS,
            dilation=(int(dilations[0]), int(dilations[1])) if len(dilations) == 2 else (1, 1),
        )

    def _find_quantizations(self) -> dict[str, Quantization]:
        """Scales and zero points stand beside the tensor: as inputs of the operators that quantize it."""
        found = {}
        for node in self._nodes:
            if node.op_type not in ("QuantizeLinear", "DequantizeLinear") or len(node.input) < 2:
                continue
            scale = self._initializers.get(node.input[1])
            if scale is None:
                continue
            scales = self._onnx.numpy_helper.to_array(scale).reshape(-1)
            zero = self._initializers.get(node.input[2]) if len(node.input) > 2 else None
            zeros = [0] * len(scales) if zero is None else self._onnx.numpy_helper.to_array(zero).reshape(-1)
            axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
            quantized = node.output[0] if node.op_type == "QuantizeLinear" else node.input[0]
            found[quantized] = Quantization(
                tuple(float(value) for value in scales),
                tuple(int(value) for value in zeros),
                axis=int(axis) if len(scales) > 1 else None,
            )
        return found

    def _dtype(self, number: int) -> str:
        name: str = self._onnx.TensorProto.DataType.Name(number).lower()
        return _DTYPE_NAMES.get(name, "float8" if name.startswith("float8") else name)


def _macs(kind: str, attributes: Any, shapes: Sequence[TensorShape], output: TensorShape) -> int | None:
    """Count by ONNX's layouts: filters are (out, in / group, …), transposed ones (in, out / group, …)."""
    # Quantized operators of the QLinear kind have scale and zero point between their operands.
    right = 3 if kind.startswith("QLinear") else 1
    left_shape = shapes[0] if shapes else None
    right_shape = shapes[right] if len(shapes) > right else None
    match kind:
        case "Conv" | "ConvInteger" | "QLinearConv":
            return convolution_macs(output, kernel=None if right_shape is None else right_shape[1:])
        case "ConvTranspose":
            return transposed_convolution_macs(left_shape, kernel=None if right_shape is None else right_shape[1:])
        case "Gemm":
            transposed = "transA" in attributes and bool(attributes["transA"].i)
            return matrix_product_macs(output, inner=inner_size(left_shape, transposed=transposed))
        case "MatMul" | "MatMulInteger" | "QLinearMatMul":
            return matrix_product_macs(output, inner=inner_size(left_shape))
        case _:
            return 0
