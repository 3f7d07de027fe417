"""The files that a model consists of: PyTorch, for one, writes the weights of an ONNX model beside it."""

import contextlib
import os
from pathlib import Path

from edgecnn_runtime.model_files.protobuf import fields

# Field numbers of `onnx.proto3`: of a model, a graph, a tensor, and an entry of what a tensor says of another file.
_GRAPH, _INITIALIZER, _EXTERNAL, _KEY, _VALUE = 7, 5, 13, 1, 2


def model_parts(path: Path) -> tuple[Path, ...]:
    """Return the model file, and the files beside it that hold weights of it.

    Files that are not there, cannot be read, or are not below the model's folder, are left out; ONNX Runtime refuses
    such a model.
    """
    if path.suffix.lower() != ".onnx":
        return (path,)
    folder = path.parent.resolve()
    parts = {path: None}
    for location in _locations(path.read_bytes()):
        part = path.parent / location
        with contextlib.suppress(OSError):  # of a name that no file can have
            if part.is_file() and part.resolve().is_relative_to(folder) and os.access(part, os.R_OK):
                parts[part] = None
    return tuple(parts)


def model_bytes(path: Path) -> int:
    """Return the size of a model, all of its files together."""
    return sum(part.stat().st_size for part in model_parts(path))


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
