"""Is an exported file still the one that was exported? Its manifest carries a checksum of all of it.

A CRC-32, because it is damage that is looked for (a bad card, a broken transfer): it finds every changed bit of such a
file, takes 0.5 ms for a MB, and who changes a file on purpose could change the checksum as well.
"""

import re
import zipfile
import zlib
from pathlib import Path

from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.manifest import ONNX_KEY, TFLITE_FILE, Manifest
from edgecnn_runtime.model_files.protobuf import fields
from edgecnn_runtime.model_files.tflite_graph import read_associated_file

# Where the checksum stands in the manifest, last of its fields; as a JSON string quotes would stand behind backslashes.
_EMPTY, _SET = b'"content_crc32": null', re.compile(rb'"content_crc32": (\d+)')
# What stands in a manifest and in no stranger's file: where one of these is left, there was a manifest.
_MARKS = (ONNX_KEY.encode(), b'"content_crc32"', b'"data_fingerprint"')
_METADATA = 14  # of onnx.proto3's ModelProto


def sealed(manifest: Manifest, content_crc: int) -> str:
    """Write a manifest with the checksum of itself and of the rest of its file.

    Args:
        manifest: without a checksum.
        content_crc: the CRC-32 of the rest.
    """
    text = manifest.to_json().encode()
    crc = zlib.crc32(text, content_crc)
    return text.replace(_EMPTY, f'"content_crc32": {crc}'.encode()).decode()


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


def read_whole_manifest(path: Path) -> bytes | None:
    """Return the manifest of edgecnn in a model file, None where there is none.

    Raises:
        ModelError: the file carries one and is damaged: the manifest, or what its checksum covers.
    """
    content = path.read_bytes()
    is_tflite = path.suffix.lower() == ".tflite"
    manifest, crc = _tflite(path, content) if is_tflite else _onnx(content)
    if manifest is None:
        if any(mark in content for mark in _MARKS):
            raise ModelError(f"{path}: expected a whole file, got one with a damaged manifest; copy or export it again")
        return None
    found = _SET.search(manifest)
    # Files of earlier versions have none.
    if found is not None and int(found[1]) != zlib.crc32(_SET.sub(_EMPTY, manifest), crc):
        raise ModelError(
            f"{path}: expected the file as it was exported, got one that was damaged or changed since: its checksum is "
            "not that in its manifest; copy or export it again"
        )
    return manifest


def _tflite(path: Path, content: bytes) -> tuple[bytes | None, int]:
    """Return the manifest, and the CRC-32 of what stands before the appended files."""
    manifest = read_associated_file(path, TFLITE_FILE)
    if manifest is None:
        return None, 0
    with zipfile.ZipFile(path) as archive:
        end = min(entry.header_offset for entry in archive.infolist())
    return manifest, zlib.crc32(memoryview(content)[:end])


def _onnx(content: bytes) -> tuple[bytes | None, int]:
    manifest = None
    try:
        for field in fields(content):
            if field.number == _METADATA:
                inner = fields(content, field.start, field.end)
                parts = {part.number: content[part.start : part.end] for part in inner}
                if parts.get(1) == ONNX_KEY.encode():
                    manifest = parts.get(2, b"")
        return manifest, 0 if manifest is None else crc_of_onnx(content)
    except ValueError:
        return None, 0
