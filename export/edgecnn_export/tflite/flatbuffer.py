"""A TFLite model as the objects of its schema, and back to bytes."""

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

# Operators with weights that have an output channel per position of axis 0.
_KERNELS = ("CONV_2D", "FULLY_CONNECTED")
_DTYPES = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.FLOAT16: np.float16,
    schema.TensorType.INT8: np.int8,
}
# The older of the two fields for an operator's number has a byte; in it 127 says: see the newer one.
_LAST_IN_OLD_FIELD = 127
_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}


def unpack(content: bytes) -> Any:
    """Return the `ModelT` of a TFLite file, all weights in its buffers; files that are appended are not in it.

    LiteRT's quantizer puts the weights of larger models behind the flatbuffer. LiteRT finds them there; TFLite-Micro
    takes such tensors for activations, and computes nonsense.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for buffer in model.buffers:
        # 0 and 1 say that there is nothing behind the flatbuffer.
        if buffer.offset > 1:
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model


def pack(model: Any) -> bytes:
    """Return the flatbuffer of a `ModelT`, its weights aligned to 16 bytes.

    Each operator stands in both fields for it: LiteRT's quantizer fills in the newer one, OpenVINO reads the older one,
    and files of 2020 have only the older one.
    """
    for code in model.operatorCodes:
        code.builtinCode = _operator_number(code)
        code.deprecatedBuiltinCode = min(code.builtinCode, _LAST_IN_OLD_FIELD)
    builder = _Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def operator_name(model: Any, operator: Any) -> str:
    """Return the name of an operator, such as `CONV_2D`; a custom operator has the name that the file gives it."""
    code = model.operatorCodes[operator.opcodeIndex]
    if code.customCode:
        return str(code.customCode.decode())
    name: str = _NAMES[_operator_number(code)]
    return name


def _operator_number(code: Any) -> int:
    """Return the number of an operator; above 126 it stands only in the newer field, and the older one holds 127."""
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def operator_names(model: Any) -> tuple[str, ...]:
    """Return the names of the operators that a `ModelT` uses, each once, sorted."""
    return tuple(sorted({operator_name(model, operator) for graph in model.subgraphs for operator in graph.operators}))


def kernels(content: bytes) -> list[tuple[str, NDArray[Any]]]:
    """Return the name and the values of the kernels of convolutions and dense layers, output channels first."""
    model = unpack(content)
    (graph, *_) = model.subgraphs
    writers = {output: operator for operator in graph.operators for output in operator.outputs}
    found = []
    for operator in graph.operators:
        if operator_name(model, operator) not in _KERNELS:
            continue
        index = operator.inputs[1]
        # In a float16 file, and in the last layer of an int8 one, the weights pass through a DEQUANTIZE.
        if index in writers:
            index = writers[index].inputs[0]
        tensor = graph.tensors[index]
        data = model.buffers[tensor.buffer].data
        if data is not None and tensor.type in _DTYPES:
            values = np.frombuffer(np.asarray(data, np.uint8).tobytes(), _DTYPES[tensor.type]).reshape(tensor.shape)
            found.append((tensor.name.decode(errors="replace"), values))
    return found


class _Builder(flatbuffers.Builder):  # type: ignore[misc]
    """Aligns weights to 16 bytes as the TFLite schema asks (`force_align: 16`); the Python packer forgets to.

    Writes equal vectors once, and points to that one from everywhere. Each quantized weight and bias has a zero point
    of 8 bytes per channel, all of them 0: a tenth of MobileNetV2's int8 file.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: Any) -> Any:  # noqa: N802 (the name is flatbuffers')
        """Write a vector, or return where an equal one is; byte vectors start at a multiple of 16."""
        key = x.dtype.str, x.tobytes()
        if key not in self._written:
            self._written[key] = self._bytes(x) if x.dtype == np.uint8 else super().CreateNumpyVector(x)
        return self._written[key]

    def _bytes(self, x: Any) -> int:
        self.StartVector(1, x.size, 16)
        length = x.size
        self.head = self.Head() - length
        self.Bytes[self.Head() : self.Head() + length] = x.tobytes()
        self.vectorNumElems = x.size
        offset: int = self.EndVector()
        return offset
