"""What the official TFLite Metadata of a file says: who made it, its labels, its normalization.

The metadata is a flatbuffer (`metadata_schema.fbs` of TensorFlow Lite Support) in a buffer of the model that is named
TFLITE_METADATA; its associated files are a zip behind the model.
"""

import struct
import zipfile
from pathlib import Path
from typing import Any

from edgecnn_export.model_graph import FileMetadata
from edgecnn_runtime.errors import MissingExtraError

_NAME = b"TFLITE_METADATA"
# Field numbers of the schema's tables.
_MODEL = {"name": 0, "description": 1, "version": 2, "author": 4, "licence": 5}
_SUBGRAPHS, _INPUTS, _PROCESS_UNITS = 3, 2, 4
_UNIT_TYPE, _UNIT_OPTIONS, _MEAN, _STD = 0, 1, 0, 1
_NORMALIZATION_OPTIONS = 1


def read_tflite_metadata(path: Path) -> FileMetadata | None:
    """Read the metadata of a TFLite file; None where it has none, or none that can be read."""
    try:
        from ai_edge_litert import schema_py_generated as schema
        from flatbuffers.table import Table
    except ImportError as error:
        raise MissingExtraError("Reading TFLite", package="ai-edge-litert", extra="litert") from error
    content = path.read_bytes()
    try:
        model = schema.Model.GetRootAs(content, 0)
        entries = [model.Metadata(number) for number in range(min(model.MetadataLength(), len(content)))]
        found = next((entry for entry in entries if entry.Name() == _NAME), None)
        if found is None:
            return None
        packed = model.Buffers(found.Buffer()).DataAsNumpy().tobytes()
        root = Table(packed, struct.unpack_from("<I", packed)[0])
        mean, std = _normalization(root)
        texts = {name: _text(root, number) for name, number in _MODEL.items()}
    # What flatbuffers, numpy and struct raise at offsets that lead out of the buffer.
    except (struct.error, IndexError, ValueError, TypeError, AttributeError, OverflowError):
        return None
    return FileMetadata(**texts, mean=mean, std=std, files=_associated_files(path))


def _associated_files(path: Path) -> tuple[str, ...]:
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, struct.error):
        return ()


def _normalization(root: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    for subgraph in _tables(root, _SUBGRAPHS)[:1]:
        for tensor in _tables(subgraph, _INPUTS)[:1]:
            for unit in _tables(tensor, _PROCESS_UNITS):
                offset = unit.Offset(_slot(_UNIT_TYPE))
                if offset and unit.Bytes[unit.Pos + offset] == _NORMALIZATION_OPTIONS:
                    options = _table(unit, _UNIT_OPTIONS)
                    return _floats(options, _MEAN), _floats(options, _STD)
    return (), ()


def _slot(field: int) -> int:
    """Return where the offset of a field is in a flatbuffer's vtable."""
    return 4 + 2 * field


def _text(table: Any, field: int) -> str | None:
    offset = table.Offset(_slot(field))
    return table.String(table.Pos + offset).decode("utf-8", "replace") if offset else None


def _table(table: Any, field: int) -> Any:
    from flatbuffers.table import Table

    return Table(table.Bytes, table.Indirect(table.Pos + table.Offset(_slot(field))))


def _tables(table: Any, field: int) -> list[Any]:
    from flatbuffers.table import Table

    offset = table.Offset(_slot(field))
    if not offset:
        return []
    start, count = table.Vector(offset), min(table.VectorLen(offset), len(table.Bytes))
    return [Table(table.Bytes, table.Indirect(start + 4 * number)) for number in range(count)]


def _floats(table: Any, field: int) -> tuple[float, ...]:
    from flatbuffers.number_types import Float32Flags

    offset = table.Offset(_slot(field))
    return tuple(float(value) for value in table.GetVectorAsNumpy(Float32Flags, offset)) if offset else ()
