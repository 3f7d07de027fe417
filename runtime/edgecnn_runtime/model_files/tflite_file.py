"""What edgecnn and others append to a TFLite file, read without an interpreter."""

import struct
import zipfile
import zlib
from pathlib import Path

from edgecnn_runtime.manifest import TFLITE_FILE
from edgecnn_runtime.model_files.graph_facts import GraphFacts


def read_manifest(path: Path, content: bytes) -> tuple[bytes | None, int]:
    """Return the manifest, and the CRC-32 of what comes before the appended files."""
    manifest = read_associated_file(path, TFLITE_FILE)
    if manifest is None:
        return None, 0
    with zipfile.ZipFile(path) as archive:
        end = min(entry.header_offset for entry in archive.infolist())
    return manifest, zlib.crc32(memoryview(content)[:end])


def read_facts(path: Path) -> GraphFacts:
    """Return how the graph begins and ends, and what the TFLite Metadata says."""
    from edgecnn_runtime.model_files.tflite_graph import read_tflite_facts

    return read_tflite_facts(path)


def companion_files(_: Path) -> tuple[Path, ...]:
    """Return nothing: a TFLite model is one file."""
    return ()


def read_associated_file(path: Path, name: str) -> bytes | None:
    """Read one of the files that TFLite Metadata appends to a model as a zip; None if it is absent or damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(name)
    # A damaged zip, too, counts as none; zipfile passes on whatever its offsets and its decompressor lead to.
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, RuntimeError, EOFError, struct.error, zlib.error):
        return None
