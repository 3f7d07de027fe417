"""Is an exported file still the one that was exported? Its manifest carries a checksum of all the rest.

A CRC-32, because it is damage that is looked for (a bad card, a broken transfer): it finds every changed bit of such a
file, takes 0.5 ms for a MB, and who changes a file on purpose could change the checksum as well.
"""

import json
import zipfile
import zlib
from pathlib import Path

from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.manifest import ONNX_KEY, TFLITE_FILE
from edgecnn_runtime.model_files.protobuf import fields
from edgecnn_runtime.model_files.tflite_graph import read_associated_file

_CHECKSUM = "content_crc32"
_METADATA = 14  # of onnx.proto3's ModelProto


def checksum_of_onnx(content: bytes) -> int:
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
    manifest, computed = (_tflite if path.suffix.lower() == ".tflite" else _onnx)(path, content)
    if manifest is None:
        # The name of the manifest stands in the file twice, so that one bit does not make it a stranger's.
        if (TFLITE_FILE if path.suffix.lower() == ".tflite" else ONNX_KEY).encode() in content:
            raise ModelError(f"{path}: a whole file expected, got one with a damaged manifest; copy or export it again")
        return None
    try:
        expected = json.loads(manifest).get(_CHECKSUM)
    except (ValueError, AttributeError, RecursionError):
        expected = None  # who reads the manifest will say what is wrong with it
    if expected is not None and expected != computed:
        raise ModelError(
            f"{path}: the file as it was exported expected, got one that was damaged or changed since: its checksum is "
            f"{computed}, that in its manifest {expected}; copy or export it again"
        )
    return manifest


def _tflite(path: Path, content: bytes) -> tuple[bytes | None, int | None]:
    manifest = read_associated_file(path, TFLITE_FILE)
    if manifest is None:
        return None, None
    with zipfile.ZipFile(path) as archive:
        end = min(entry.header_offset for entry in archive.infolist())
    return manifest, zlib.crc32(memoryview(content)[:end])


def _onnx(path: Path, content: bytes) -> tuple[bytes | None, int | None]:
    del path
    manifest = None
    try:
        for field in fields(content):
            if field.number == _METADATA:
                parts = {
                    part.number: content[part.start : part.end] for part in fields(content, field.start, field.end)
                }
                if parts.get(1) == ONNX_KEY.encode():
                    manifest = parts.get(2, b"")
        return manifest, None if manifest is None else checksum_of_onnx(content)
    except ValueError:
        return None, None
