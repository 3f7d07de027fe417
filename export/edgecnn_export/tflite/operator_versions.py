"""Operator versions and the oldest runtime, by TFLite's own rules.

An interpreter refuses a version of an operator that it does not know, rather than compute something else: beside
float32 activations, the int8 weights of a dense layer have one scale in version 3 and one per channel in version 12.
LiteRT's quantizer leaves all versions at 1.
"""

from typing import Any

from ai_edge_litert import schema_py_generated as schema

from edgecnn_export.tflite.flatbuffer import operator_name, pack, unpack

_OLDEST_RUNTIME = b"min_runtime_version"
# Of operators with 16-bit activations and 64-bit biases, as TensorFlow's converter writes them, and the first release
# that has them all. The exporter narrows such biases to 32 bits, and gives the versions for these, of 2023.
_WITH_WIDE_BIAS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4, "TRANSPOSE_CONV": 3}
_SIXTEEN_BITS_SINCE = b"2.4.0"


def versioned(content: bytes) -> bytes:
    """Return a TFLite file with the versions that TensorFlow's exporter gives its operators."""
    # It reads a file and writes it again, and makes dense weights sparse where the file asks for it; none does.
    from tensorflow.lite.python.convert import mlir_sparsify

    model, again = unpack(content), unpack(mlir_sparsify(content))
    versions = {operator_name(again, operator): _code(again, operator).version for operator in _operators(again)}
    metadata = {each.name: each.buffer for each in again.metadata}
    oldest = bytes(again.buffers[metadata[_OLDEST_RUNTIME]].data).rstrip(b"\0")
    if any(_has_wide_bias(model, operator) for operator in _operators(model)):
        versions |= {name: version for name, version in _WITH_WIDE_BIAS.items() if name in versions}
        oldest = _SIXTEEN_BITS_SINCE
    for operator in _operators(model):
        code = _code(model, operator)
        code.version = versions.get(operator_name(model, operator), code.version)
    for each in model.metadata or []:
        if each.name == _OLDEST_RUNTIME:
            model.buffers[each.buffer].data = list(oldest.ljust(16, b"\0"))
    return pack(model)


def _operators(model: Any) -> Any:
    return model.subgraphs[0].operators


def _code(model: Any, operator: Any) -> Any:
    return model.operatorCodes[operator.opcodeIndex]


def _has_wide_bias(model: Any, operator: Any) -> bool:
    if operator_name(model, operator) not in _WITH_WIDE_BIAS or len(operator.inputs) < 3:
        return False
    tensors = model.subgraphs[0].tensors
    return bool(tensors[operator.inputs[-1]].type == schema.TensorType.INT64)
