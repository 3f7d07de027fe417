"""The formats of model files: all in which they differ, in one place.

Whatever depends on a file's format asks its row of `MODEL_FORMATS`. The rows of the engines
(`backends/engines.py`) say which formats they run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.model_files.mapped import Content, mapped
from edgecnn_runtime.model_files.whole import check_content

if TYPE_CHECKING:
    from edgecnn_runtime.model_files.graph_facts import GraphFacts


class FormatReader(Protocol):
    """What the module of a format reads from its files without an engine."""

    # What comes before the signature with which a file may end, see `model_files/signature.py`.
    SIGNATURE_FRAME: bytes

    def read_manifest(self, path: Path, content: Content, /) -> tuple[bytes | None, int]:
        """Return edgecnn's manifest, None where there is none, and the CRC-32 of the rest of the file."""

    def read_facts(self, path: Path, /) -> "GraphFacts":
        """Return how the graph begins and ends; nothing is known of a damaged file, which its engine refuses."""

    def companion_files(self, path: Path, /) -> tuple[Path, ...]:
        """Return the files beside it that belong to the model."""


@dataclass(frozen=True)
class ModelFormat:
    """A format of model files."""

    name: str
    suffix: str
    title: str
    # What reads its files, imported when it is called.
    reader: Callable[[], FormatReader]
    # The order of the axes in a third-party model whose input can be read both ways.
    channels_first: bool
    # Its mark in charts.
    glyph: str
    # What the format itself provides for labels and scaling, where it does.
    metadata: str | None = None
    # Whether microcontrollers and NPUs without an operating system run it.
    for_microcontrollers: bool = False


def _tflite() -> FormatReader:
    from edgecnn_runtime.model_files import tflite_file

    return tflite_file


def _onnx() -> FormatReader:
    from edgecnn_runtime.model_files import onnx_file

    return onnx_file


# In the order in which they are listed, and in which a benchmark looks for its reference.
MODEL_FORMATS = {
    "tflite": ModelFormat(
        "tflite",
        ".tflite",
        "TFLite",
        _tflite,
        channels_first=False,
        glyph="●",
        metadata="TFLite Metadata",
        for_microcontrollers=True,
    ),
    "onnx": ModelFormat("onnx", ".onnx", "ONNX", _onnx, channels_first=True, glyph="◆"),
}


def find_format(path: Path) -> ModelFormat | None:
    """Return the format that a file's suffix names, None where it names none."""
    suffix = path.suffix.lower()
    return next((one for one in MODEL_FORMATS.values() if one.suffix == suffix), None)


def format_of(path: Path) -> ModelFormat:
    """Return the format that a file's suffix names.

    Raises:
        ModelError: it names none.
    """
    found = find_format(path)
    if found is None:
        suffixes = " or ".join(one.suffix for one in MODEL_FORMATS.values())
        raise ModelError(f"{path}: expected a model file ({suffixes}), got {path.suffix.lower() or 'no suffix'}")
    return found


def is_model_file(path: Path) -> bool:
    """Tell whether there is a file of one of the formats."""
    return find_format(path) is not None and path.is_file()


def model_parts(path: Path) -> tuple[Path, ...]:
    """Return the model file, and the files beside it that belong to it."""
    found = find_format(path)
    return (path,) if found is None else (path, *found.reader().companion_files(path))


def model_bytes(path: Path) -> int:
    """Return the size of a model, all of its files together."""
    return sum(part.stat().st_size for part in model_parts(path))


def check_signature(path: Path, key: Path) -> None:
    """Check that a model file was signed by the holder of a key, and is as it was then.

    Args:
        path: of a model that is one file.
        key: a PEM file with the Ed25519 public key.

    Raises:
        ModelError: the file is not signed, was signed by another key, was changed since, or is not all of the model.
        InputError: the key is not there, or is none of this kind.
        MissingExtraError: the package cryptography is not installed.
    """
    from edgecnn_runtime.model_files import signature

    reader = format_of(path).reader()
    if not path.is_file():
        raise ModelError(f"{path}: not found; expected a model file")
    signature.check_signature(path, reader.SIGNATURE_FRAME, key)
    if beside := reader.companion_files(path):
        raise ModelError(f"{path}: expected a model that is one file with --key, got weights in {beside[0].name}")


def is_signed(path: Path) -> bool:
    """Tell whether a model file ends with a signature, whosever it is."""
    from edgecnn_runtime.model_files.signature import signature_in

    with mapped(path) as content:
        return signature_in(content, format_of(path).reader().SIGNATURE_FRAME) is not None


def read_manifest(path: Path) -> bytes | None:
    """Return edgecnn's manifest in a model file, None where there is none.

    Raises:
        ModelError: the file carries one and is damaged: the manifest, or what its checksum covers.
    """
    with mapped(path) as content:
        manifest, crc = format_of(path).reader().read_manifest(path, content)
        check_content(path, content, manifest, crc)
    return manifest
