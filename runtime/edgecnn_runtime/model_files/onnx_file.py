"""What an ONNX file holds beside its graph, read without the package onnx.

Field numbers are those of `onnx.proto3`.
"""

import contextlib
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn_runtime.manifest import ONNX_KEY, SIGNATURE_CHARACTERS
from edgecnn_runtime.model_files.protobuf import fields

if TYPE_CHECKING:
    from edgecnn_runtime.model_files.graph_facts import GraphFacts

_METADATA = 14  # of a model
# Of a model, a graph, a tensor, and an entry of what a tensor says of another file.
_GRAPH, _INITIALIZER, _EXTERNAL, _KEY, _VALUE = 7, 5, 13, 1, 2

# An entry of `metadata_props` as protobuf writes it, up to its value. Its key begins with that of the manifest, since
# entries with that in them are not covered by the checksum, in runtimes of before there were signatures, too.
_SIGNATURE_KEY = f"{ONNX_KEY}_signature".encode()
SIGNATURE_FRAME = bytes(
    [
        _METADATA << 3 | 2,
        4 + len(_SIGNATURE_KEY) + SIGNATURE_CHARACTERS,
        *(_KEY << 3 | 2, len(_SIGNATURE_KEY), *_SIGNATURE_KEY),
        *(_VALUE << 3 | 2, SIGNATURE_CHARACTERS),
    ]
)


def read_manifest(content: bytes) -> tuple[bytes | None, int]:
    """Return the manifest, and the CRC-32 of the rest of the file."""
    manifest = None
    try:
        for field in fields(content):
            if field.number == _METADATA:
                inner = fields(content, field.start, field.end)
                parts = {part.number: content[part.start : part.end] for part in inner}
                if parts.get(_KEY) == ONNX_KEY.encode():
                    manifest = parts.get(_VALUE, b"")
        return manifest, 0 if manifest is None else crc_of_onnx(content)
    except ValueError:
        return None, 0


def crc_of_onnx(content: bytes) -> int:
    """Compute the CRC-32 of an ONNX file without the manifest in it.

    Raises:
        ValueError: no protobuf message.
    """
    crc = 0
    for field in fields(content):
        begin = content[field.start : min(field.end, field.start + 64)]
        if not (field.number == _METADATA and ONNX_KEY.encode() in begin):
            crc = zlib.crc32(memoryview(content)[field.begin : field.end], crc)
    return crc


def read_facts(content: bytes) -> "GraphFacts":
    """Return how the graph begins and ends, and what the `metadata_props` say."""
    from edgecnn_runtime.model_files.onnx_graph import read_onnx_facts

    return read_onnx_facts(content)


def companion_files(path: Path) -> tuple[Path, ...]:
    """Return the files beside it that hold weights of it."""
    return tuple(dict.fromkeys(weight_files(path, path.read_bytes()).values()))


def weight_files(path: Path, content: bytes) -> dict[str, Path]:
    """Find the files beside a model that hold weights of it, by the name it gives them; PyTorch writes such.

    Files that are not there, cannot be read, or are not below the model's folder, are left out; ONNX Runtime refuses
    such a model.
    """
    folder = path.parent.resolve()
    found: dict[str, Path] = {}
    for location in _locations(content):
        part = path.parent / location
        with contextlib.suppress(OSError):  # of a name that no file can have
            if part.is_file() and part.resolve().is_relative_to(folder) and os.access(part, os.R_OK) and part != path:
                found[location] = part
    return found


def _locations(content: bytes) -> list[str]:
    """Return the names of the files that an ONNX model names; of a damaged one, those before the damage."""
    found: dict[str, None] = {}
    try:
        for graph in (field for field in fields(content) if field.number == _GRAPH):
            for tensor in (field for field in fields(content, graph.start, graph.end) if field.number == _INITIALIZER):
                for entry in (one for one in fields(content, tensor.start, tensor.end) if one.number == _EXTERNAL):
                    words = {
                        part.number: content[part.start : part.end] for part in fields(content, entry.start, entry.end)
                    }
                    if words.get(_KEY) == b"location":
                        found[words.get(_VALUE, b"").decode()] = None
    except ValueError:
        pass
    return [name for name in found if name and "\0" not in name]
