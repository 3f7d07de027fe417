"""Operators that LiteRT computes with integers and its quantizer leaves in float32: activation functions, mostly.

The quantizer then writes int8 -> DEQUANTIZE -> LEAKY_RELU -> QUANTIZE -> int8. The kernels of LiteRT and of
TFLite-Micro take the integers themselves, so the two conversions go, as they do in the TensorFlow converter.
"""

import copy
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgecnn_export.tflite.flatbuffer import operator_name

_INT8, _INT16, _FLOAT32 = schema.TensorType.INT8, schema.TensorType.INT16, schema.TensorType.FLOAT32
# The types that the kernels take and give, the same on both sides (kernels/activations.cc of TFLite).
_RESCALING = {"LEAKY_RELU": (_INT8, _INT16), "ELU": (_INT8,), "RELU6": (_INT8,)}
# The same, for kernels that give some of the numbers that they take, so that these keep their scale.
_SELECTING = {"REDUCE_MAX": (_INT8, _INT16), "REVERSE_V2": (_INT8, _INT16), "TILE": (_INT8, _INT16)}
# Operators that divide one of their inputs, and which of them that is.
_DIVIDING = {"SPLIT": 1, "SPLIT_V": 0, "UNPACK": 0}
# As the first, on LiteRT's reference kernels, slower than in float32 with the conversions. For processors that know
# integers only.
_SLOW_RESCALING = {"PRELU": (_INT8,)}


def make_integer(
    model: Any,
    ranges: Mapping[str, tuple[float, float]],
    *,
    integers_only: bool,
    but: Collection[str] = (),
    last: Collection[str] = (),
) -> None:
    """Let operators between a DEQUANTIZE and a QUANTIZE take and give the integers themselves.

    Args:
        model: the `ModelT` of a quantized file; it is changed.
        ranges: of the float32 activations, by name.
        integers_only: also where a CPU is quicker in float32.
        but: the outputs of operators that are to stay float32.
        last: those of them that end the network; operators in front of these take and give integers, too.
    """
    rescaling = _RESCALING | (_SLOW_RESCALING if integers_only else {})
    able = {"QUANTIZE", *rescaling, *_SELECTING}
    graph = model.subgraphs[0]
    dequantized = {each.outputs[0]: each for each in graph.operators if operator_name(model, each) == "DEQUANTIZE"}
    for operator in list(graph.operators):
        kind, old = operator_name(model, operator), operator.outputs[0]
        name = graph.tensors[old].name.decode()
        readers = [each for each in graph.operators if old in each.inputs]
        kinds = {operator_name(model, each) for each in readers}
        inner = {
            operator_name(model, each) for each in readers if graph.tensors[each.outputs[0]].name.decode() not in last
        }
        if operator.inputs[0] not in dequantized or name in but or not readers or not inner <= able:
            continue
        conversion = dequantized[operator.inputs[0]]
        given = conversion.inputs[0]
        integers = graph.tensors[given].type
        if integers in _SELECTING.get(kind, ()):
            new = _add_integer(model, old, integers, graph.tensors[given].quantization)
        elif integers in rescaling.get(kind, ()):
            new = _rescaled(model, old, readers, integers, ranges[name])
        else:
            continue
        rest = [
            _constant_int8(model, number) if graph.tensors[number].type == _FLOAT32 else number
            for number in operator.inputs[1:]
        ]
        operator.inputs, operator.outputs = np.array([given, *rest], np.int32), np.array([new], np.int32)
        for reader in readers:
            if reader.outputs[0] == new:
                graph.operators.remove(reader)
            elif operator_name(model, reader) == "QUANTIZE":  # from integer to integer
                reader.inputs = np.array([new], np.int32)
        if kinds != {"QUANTIZE"}:  # the turn of the other readers comes
            dequantized[old] = _same_operator(conversion, new, old)
            graph.operators.insert(graph.operators.index(operator) + 1, dequantized[old])
    _divide_integers(model)
    for number, conversion in dequantized.items():
        if number not in graph.outputs and not any(number in each.inputs for each in graph.operators):
            graph.operators.remove(conversion)


def _divide_integers(model: Any) -> None:
    """Let an operator that divides integers give integers only: the quantizer passes over a part that nobody reads."""
    tensors = model.subgraphs[0].tensors
    for operator in model.subgraphs[0].operators:
        kind = operator_name(model, operator)
        if kind not in _DIVIDING:
            continue
        given = tensors[operator.inputs[_DIVIDING[kind]]]
        for number in operator.outputs if given.type in (_INT8, _INT16) else ():
            tensors[number].type, tensors[number].quantization = given.type, given.quantization


def _same_operator(operator: Any, given: int, wanted: int) -> Any:
    """Return an operator of one input once more, for other tensors."""
    again = copy.copy(operator)
    again.inputs, again.outputs = np.array([given], np.int32), np.array([wanted], np.int32)
    return again


def _rescaled(model: Any, number: int, readers: Sequence[Any], integers: int, limits: tuple[float, float]) -> int:
    """Return the tensor that takes the place of a float32 one: what its finest QUANTIZE gives, or one in its range."""
    tensors = model.subgraphs[0].tensors
    alike = [each.outputs[0] for each in readers if tensors[each.outputs[0]].type == integers]
    if alike:
        finest: int = min(alike, key=lambda each: float(tensors[each].quantization.scale[0]))
        return finest
    low, high = min(limits[0], 0.0), max(limits[1], 0.0)
    if integers == _INT16:
        return _add_integer(model, number, _INT16, _quantization((max(-low, high) or 1.0) / 32767, 0))
    scale = (high - low or 1.0) / 255
    return _add_integer(model, number, _INT8, _quantization(scale, round(-128 - low / scale)))


def _constant_int8(model: Any, number: int) -> int:
    """Add a constant float32 tensor once more, rounded symmetrically; return its number."""
    values = np.frombuffer(bytes(model.buffers[model.subgraphs[0].tensors[number].buffer].data), np.float32)
    scale = float(np.abs(values).max()) / 127 or 1.0  # all of them may be 0
    return _add_integer(model, number, _INT8, _quantization(scale, 0), np.round(values / scale).astype(np.int8))


def _quantization(scale: float, zero_point: int) -> Any:
    quantization = schema.QuantizationParametersT()
    quantization.scale = np.array([scale], np.float32)
    quantization.zeroPoint = np.array([zero_point], np.int64)
    return quantization


def _add_integer(
    model: Any, number: int, kind: int, quantization: Any, constant: NDArray[np.int8] | None = None
) -> int:
    """Add an integer tensor in the shape of another; return its number."""
    tensors, like = model.subgraphs[0].tensors, model.subgraphs[0].tensors[number]
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.shapeSignature = like.name + b"/integer", like.shape, like.shapeSignature
    tensor.type, tensor.quantization = kind, quantization
    if constant is not None:
        buffer = schema.BufferT()
        buffer.data = constant.view(np.uint8)
        model.buffers.append(buffer)
        tensor.buffer = len(model.buffers) - 1
    tensors.append(tensor)
    return len(tensors) - 1
