"""A TFLite model as the objects of its schema, and back to bytes."""

from collections.abc import Mapping
from typing import Any

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema


def unpack(content: bytes) -> Any:
    """Return the `ModelT` of a TFLite file; what is appended to the flatbuffer is not in it."""
    return schema.ModelT.InitFromPackedBuf(content, 0)


def pack(model: Any) -> bytes:
    """Return the flatbuffer of a `ModelT`, its weights aligned to 16 bytes."""
    builder = _AlignedBuilder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def operator_names(model: Any) -> tuple[str, ...]:
    """Return the names of the operators that a `ModelT` uses, such as `CONV_2D`, each once, sorted.

    A custom operator has the name that the file gives it.
    """
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    used = {operator.opcodeIndex for subgraph in model.subgraphs for operator in subgraph.operators}
    return tuple(sorted({_operator_name(model.operatorCodes[index], names) for index in used}))


def _operator_name(code: Any, names: Mapping[int, str]) -> str:
    if code.customCode:
        return str(code.customCode.decode())
    # Numbers above 126 stand only in the newer of the two fields; the older one then holds 127.
    return names[max(code.builtinCode, code.deprecatedBuiltinCode)]


class _AlignedBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """Aligns weights to 16 bytes as the TFLite schema asks (`force_align: 16`); the Python packer forgets to."""

    def CreateNumpyVector(self, x: Any) -> Any:  # noqa: N802 (the name is flatbuffers')
        """Write a vector; byte vectors, which hold the weights, start at a multiple of 16."""
        if x.dtype != np.uint8:
            return super().CreateNumpyVector(x)
        self.StartVector(1, x.size, 16)
        length = x.size
        self.head = self.Head() - length
        self.Bytes[self.Head() : self.Head() + length] = x.tobytes()
        self.vectorNumElems = x.size
        return self.EndVector()
