"""The formats of model files: all in which they differ, in one place.

Whatever depends on a file's format asks its row of `MODEL_FORMATS`. The rows of the engines
(`backends/engines.py`) say which formats they run.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.model_files.whole import check_content

if TYPE_CHECKING:
    from edgecnn_runtime.model_files.graph_facts import GraphFacts


class FormatReader(Protocol):
    """What the module of a format reads from its files without an engine."""

    # What comes before the signature with which a file may end, see `model_files/signature.py`.
    SIGNATURE_FRAME: bytes

    def read_manifest(self, content: bytes, /) -> tuple[bytes | None, int]:
        """Return edgecnn's manifest, None where there is none, and the CRC-32 of the rest of the file."""

    def read_facts(self, content: bytes, /) -> "GraphFacts":
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


@dataclass(frozen=True, eq=False)
class ModelFile:
    """A model file, read once: all who open the model see the same bytes, whatever becomes of the file.

    The bytes are a copy. A mapping would change when the file is written over in place, and end the process when it is
    cut short.
    """

    path: Path
    content: bytes
    identity: tuple[int, ...]  # of the file: what another one in its place, or a change, does not share

    @classmethod
    def read(cls, path: Path) -> "ModelFile":
        """Read a file of one of the formats.

        Raises:
            ModelError: missing, of another format, or changed while it was read.
            OSError: it cannot be read.
        """
        format_of(path)
        if path.is_dir():
            raise ModelError(f"{path}: expected a model file, got a folder")
        if not path.is_file():
            raise ModelError(f"{path}: not found; expected a model file")
        with path.open("rb") as file:
            identity = file_identity(os.fstat(file.fileno()))
            model = cls(path, file.read(), identity)
            if file_identity(os.fstat(file.fileno())) != identity:
                raise model.changed()
        return model

    @classmethod
    def of(cls, model: "Path | ModelFile") -> "ModelFile":
        """Read a file, unless it is read; raises what `read` does."""
        return model if isinstance(model, ModelFile) else cls.read(model)

    @cached_property
    def manifest(self) -> bytes | None:
        """The manifest of edgecnn, None where there is none.

        Raises:
            ModelError: the file carries one and is damaged: the manifest, or what its checksum covers.
        """
        try:
            manifest, crc = format_of(self.path).reader().read_manifest(self.content)
        except ModelError as error:
            raise ModelError(f"{self.path}: {error}") from error
        check_content(self.path, self.content, manifest, crc)
        return manifest

    def facts(self) -> "GraphFacts":
        """Return how the graph begins and ends; nothing is known of a damaged file, which its engine refuses.

        Raises:
            ModelError: what it says of itself is larger than any.
        """
        try:
            return format_of(self.path).reader().read_facts(self.content)
        except ModelError as error:
            raise ModelError(f"{self.path}: {error}") from error

    def check_signature(self, key: Path) -> None:
        """Check that the file was signed by the holder of a key, and is as it was then.

        Args:
            key: a PEM file with the Ed25519 public key.

        Raises:
            ModelError: the file is not signed, was signed by another key, was changed since, or is not all of the
                model.
            InputError: the key is not there, or is none of this kind.
            MissingExtraError: the package cryptography is not installed.
        """
        from edgecnn_runtime.model_files.signature import check_signature

        reader = format_of(self.path).reader()
        check_signature(self.path, self.content, reader.SIGNATURE_FRAME, key)
        if beside := reader.companion_files(self.path):
            raise ModelError(
                f"{self.path}: expected a model that is one file with --key, got weights in {beside[0].name}"
            )

    @property
    def is_signed(self) -> bool:
        """Whether it ends with a signature, whosever it is."""
        from edgecnn_runtime.model_files.signature import signature_in

        return signature_in(self.content, format_of(self.path).reader().SIGNATURE_FRAME) is not None

    def check_unchanged(self) -> None:
        """Make sure that what an engine has read from the path since is this file.

        Raises:
            ModelError: there is another one, or none.
        """
        try:
            unchanged = file_identity(self.path.stat()) == self.identity
        except OSError:
            unchanged = False
        if not unchanged:
            raise self.changed()

    def changed(self) -> ModelError:
        """Return the error of a file that did not stay as it was."""
        return ModelError(
            f"{self.path}: expected a file that stays as it is while it is opened, got one that was replaced or "
            "changed meanwhile; open it again"
        )


def file_identity(status: os.stat_result) -> tuple[int, ...]:
    """Return what another file in the place of one, or the same one written anew, does not share with it."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def read_manifest(path: Path) -> bytes | None:
    """Return edgecnn's manifest in a model file, None where there is none.

    Raises:
        ModelError: missing, or it carries one and is damaged: the manifest, or what its checksum covers.
    """
    return ModelFile.read(path).manifest
