"""Operator versions and the oldest runtime, by TFLite's own rules.

An interpreter refuses a version of an operator that it does not know, rather than compute something else: beside
float32 activations, the int8 weights of a dense layer have one scale in version 3 and one per channel in version 12.
LiteRT's quantizer leaves all versions at 1.
"""

from edgecnn_export.tflite.flatbuffer import operator_name, pack, unpack

_OLDEST_RUNTIME = b"min_runtime_version"


def versioned(content: bytes) -> bytes:
    """Return a TFLite file with the versions that TensorFlow's exporter gives its operators."""
    # It reads a file and writes it again, and makes dense weights sparse where the file asks for it; none does.
    from tensorflow.lite.python.convert import mlir_sparsify

    model, again = unpack(content), unpack(mlir_sparsify(content))
    versions = {
        operator_name(again, operator): again.operatorCodes[operator.opcodeIndex].version
        for operator in again.subgraphs[0].operators
    }
    for operator in model.subgraphs[0].operators:
        code = model.operatorCodes[operator.opcodeIndex]
        code.version = versions.get(operator_name(model, operator), code.version)
    oldest = next(each for each in again.metadata if each.name == _OLDEST_RUNTIME)
    for each in model.metadata or []:
        if each.name == _OLDEST_RUNTIME:
            model.buffers[each.buffer].data = again.buffers[oldest.buffer].data
    return pack(model)
