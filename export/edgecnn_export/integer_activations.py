"""Activation functions that LiteRT computes with integers and its quantizer leaves in float32.

The quantizer then writes int8 -> DEQUANTIZE -> LEAKY_RELU -> QUANTIZE -> int8. The kernels of LiteRT and of
TFLite-Micro take the integers themselves, so the two conversions go, as they do in the TensorFlow converter.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgecnn_export.tflite_flatbuffer import operator_name

_INT8, _INT16 = schema.TensorType.INT8, schema.TensorType.INT16
# The types that the kernels take and give, the same on both sides (kernels/activations.cc of TFLite).
_INTEGER_KERNELS = {"LEAKY_RELU": (_INT8, _INT16), "ELU": (_INT8,)}
# The same on LiteRT's reference kernels, slower than in float32 with the conversions: a network of 96x96 pixels with
# four PReLUs took 1.5 ms with them and 0.32 without. For processors that know integers only.
_SLOW_INTEGER_KERNELS = {"PRELU": (_INT8,)}


def make_integer(
    model: Any, ranges: Mapping[str, tuple[float, float]], *, integers_only: bool, but: Collection[str] = ()
) -> None:
    """Let activation functions between a DEQUANTIZE and a QUANTIZE take and give the integers themselves.

    Args:
        model: the `ModelT` of a quantized file; it is changed.
        ranges: of the float32 activations, by name.
        integers_only: also where a CPU is quicker in float32.
        but: the outputs of operators that are to stay float32.
    """
    kernels = _INTEGER_KERNELS | (_SLOW_INTEGER_KERNELS if integers_only else {})
    graph = model.subgraphs[0]
    dequantized = {each.outputs[0]: each for each in graph.operators if operator_name(model, each) == "DEQUANTIZE"}
    for operator in list(graph.operators):
        types, name = kernels.get(operator_name(model, operator), ()), graph.tensors[operator.outputs[0]].name.decode()
        readers = [each for each in graph.operators if operator.outputs[0] in each.inputs]
        if operator.inputs[0] not in dequantized or name in but:
            continue
        given = dequantized[operator.inputs[0]].inputs[0]
        if graph.tensors[given].type not in types or {operator_name(model, each) for each in readers} != {"QUANTIZE"}:
            continue
        alike = [each for each in readers if graph.tensors[each.outputs[0]].type == graph.tensors[given].type]
        if alike:
            finest = min(alike, key=lambda each: float(graph.tensors[each.outputs[0]].quantization.scale[0]))
            wanted = finest.outputs[0]
            graph.operators.remove(finest)
            readers.remove(finest)
        elif graph.tensors[given].type == _INT8:  # 16 bits from there on
            low, high = min(ranges[name][0], 0.0), max(ranges[name][1], 0.0)
            scale = (high - low) / 255
            wanted = _add_int8(model, operator.outputs[0], scale, zero_point=round(-128 - low / scale))
        else:
            continue
        for reader in readers:  # from integer to integer
            reader.inputs = np.array([wanted], np.int32)
        slopes = [_constant_int8(model, number) for number in operator.inputs[1:]]
        operator.inputs, operator.outputs = np.array([given, *slopes], np.int32), np.array([wanted], np.int32)
    for number, conversion in dequantized.items():
        if number not in graph.outputs and not any(number in each.inputs for each in graph.operators):
            graph.operators.remove(conversion)


def _constant_int8(model: Any, number: int) -> int:
    """Add a constant float32 tensor once more, rounded symmetrically; return its number."""
    values = np.frombuffer(bytes(model.buffers[model.subgraphs[0].tensors[number].buffer].data), np.float32)
    scale = float(np.abs(values).max()) / 127 or 1.0  # all of them may be 0
    return _add_int8(model, number, scale, constant=np.round(values / scale).astype(np.int8))


def _add_int8(
    model: Any, number: int, scale: float, *, zero_point: int = 0, constant: NDArray[np.int8] | None = None
) -> int:
    """Add an int8 tensor in the shape of another; return its number."""
    tensors, like = model.subgraphs[0].tensors, model.subgraphs[0].tensors[number]
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.shapeSignature = like.name + b"/int8", like.shape, like.shapeSignature
    tensor.type, tensor.quantization = _INT8, schema.QuantizationParametersT()
    tensor.quantization.scale = np.array([scale], np.float32)
    tensor.quantization.zeroPoint = np.array([zero_point], np.int64)
    if constant is not None:
        buffer = schema.BufferT()
        buffer.data = constant.view(np.uint8)
        model.buffers.append(buffer)
        tensor.buffer = len(model.buffers) - 1
    tensors.append(tensor)
    return len(tensors) - 1
