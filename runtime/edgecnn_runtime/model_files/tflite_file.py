"""What edgecnn and others append to a TFLite file, read without an interpreter."""

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn_runtime.manifest import TFLITE_FILE
from edgecnn_runtime.model_files.appended_files import appended_files

if TYPE_CHECKING:
    from edgecnn_runtime.model_files.graph_facts import GraphFacts


def read_manifest(content: bytes) -> tuple[bytes | None, int]:
    """Return the manifest, and the CRC-32 of what comes before the appended files."""
    manifest = read_associated_file(content, TFLITE_FILE)
    if manifest is None:
        return None, 0
    end = min(appended.start for appended in appended_files(BytesIO(content)).values())
    return manifest, zlib.crc32(memoryview(content)[:end])


def read_facts(content: bytes) -> "GraphFacts":
    """Return how the graph begins and ends, and what the TFLite Metadata says."""
    from edgecnn_runtime.model_files.tflite_graph import read_tflite_facts

    return read_tflite_facts(content)


def companion_files(_: Path) -> tuple[Path, ...]:
    """Return nothing: a TFLite model is one file."""
    return ()


def read_associated_file(content: bytes, name: str) -> bytes | None:
    """Read one of the files that TFLite Metadata appends to a model as a zip; None if it is absent or damaged."""
    try:
        file = BytesIO(content)
        return appended_files(file)[name].read(file)
    except (KeyError, ValueError, OverflowError, struct.error, zlib.error):
        return None
