"""What edgecnn and others append to a TFLite file, read without an interpreter."""

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.manifest import MOST_BYTES, TFLITE_FILE
from edgecnn_runtime.model_files.appended_files import appended_files

if TYPE_CHECKING:
    from edgecnn_runtime.model_files.graph_facts import GraphFacts

# The comment of the zip begins with it; its length is in the last two bytes before.
SIGNATURE_FRAME = b"edgecnn_signature="


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
    """Read one of the files that TFLite Metadata appends to a model as a zip; None if it is absent or damaged.

    Raises:
        ModelError: it says that it is larger than what describes a model; it is not unpacked.
    """
    file = BytesIO(content)
    try:
        appended = appended_files(file)[name]
        unpacked = appended.read(file) if appended.size <= MOST_BYTES else None
    except (KeyError, ValueError, OverflowError, struct.error, zlib.error):
        return None
    if unpacked is None:
        raise ModelError(
            f"expected a file {name} of at most {MOST_BYTES >> 20} MiB in it, got one of "
            f"{appended.size >> 20:,} MiB; no tool writes so much about a model"
        )
    return unpacked
