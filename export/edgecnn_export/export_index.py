"""`export.json`: what is in the export folder, and what was measured on each file."""

import dataclasses
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn_export.formats import Format
from edgecnn_export.int8.converted_file import NOT_QUANTIZED, Quantization
from edgecnn_export.optimized.plan import Outcome
from edgecnn_export.optimized.stored_weights import Packed
from edgecnn_export.proof.parity import Parity
from edgecnn_runtime.accuracy import Accuracy
from edgecnn_runtime.json_dataclasses import read_dataclass, read_object
from edgecnn_runtime.system import atomic_files

INDEX_FILE = "export.json"
SCHEMA_VERSION = 2
# Keys of schema 1, and what they are called now.
_RENAMED = {"ladder": "accuracy_search", "rung": "candidate"}


@dataclass(frozen=True)
class _Entry:
    format: str
    file: str
    variant: str = ""


@dataclass(frozen=True)
class _Source:
    of: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class _Index:
    """What is used again of `export.json`; all else in it stays as it was written."""

    files: tuple[_Entry, ...] = ()
    c_source: _Source | None = None


@dataclass(frozen=True)
class ExportedFile:
    """One converted file and what was measured on it; where `failure` says why, it was not kept, or could not be made.

    One that could not be made has no parity, no size and no hash.
    """

    format: Format
    path: Path
    seconds: float
    size: int = 0  # bytes
    sha256: str = ""
    parity: Parity | None = None
    quantization: Quantization = NOT_QUANTIZED
    failure: str | None = None
    arena_bytes: int | None = None  # of RAM with TFLite-Micro, where that was measured
    # Of a model that was pruned, clustered or trained quantization-aware.
    optimized: Outcome | None = None
    packed: Packed | None = None

    @property
    def variant(self) -> str:
        """How the model was optimized, as the file's name says; empty where it was not."""
        return self.optimized.optimization.variant if self.optimized else ""

    def to_document(self) -> dict[str, Any]:
        """Return the entry of `export.json`."""
        parity, made = self.parity, self.quantization
        entry = {
            "format": self.format.name,
            "variant": self.variant,
            "file": self.path.name,
            "kept": self.failure is None,
            "failure": self.failure,
            "seconds": round(self.seconds, 2),
        }
        if parity is None:
            return entry
        return {
            **entry,
            "bytes": self.size,
            "sha256": self.sha256,
            **_right(parity),
            "top1_agreement": parity.agreement,
            "largest_difference": parity.largest_difference,
            "mean_difference": parity.mean_difference,
            "calibration": dataclasses.asdict(made.calibration) if made.calibration else None,
            "arena_bytes": self.arena_bytes,
            "warning": made.warning,
            **({"in_float": list(made.in_float)} if made.in_float else {}),
            **({"accuracy_search": [each.to_document() for each in made.candidates]} if made.candidates else {}),
            **({"not_tried": [each.to_document() for each in made.skipped]} if made.skipped else {}),
            **({"optimization": self.optimized.to_document()} if self.optimized else {}),
            **({"packed": self.packed.to_document()} if self.packed else {}),
        }


def sha256(path: Path) -> str:
    """Hash a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def drop_stale(folder: Path, *, model_sha256: str) -> None:
    """Remove the files that were exported from another model than the run now holds."""
    document = _read(folder)
    if document.get("model_sha256") != model_sha256:
        _unlink(folder, [entry["file"] for entry in document.get("files", [])])
        _unlink(folder, (document.get("c_source") or {}).get("files", []))
        (folder / INDEX_FILE).unlink(missing_ok=True)


def write_index(folder: Path, files: list[ExportedFile], *, model_sha256: str) -> None:
    """Write `export.json`; entries of formats and variants that were not exported this time stay.

    C++ source of a file that was exported anew is not of that file any more, and goes.
    """
    document = _read(folder)
    # The newest entry of a format and variant, in the place of the one before.
    entries = {
        (entry["format"], entry.get("variant", "")): entry
        for entry in [*document.get("files", []), *(file.to_document() for file in files)]
    }
    document |= {"schema_version": SCHEMA_VERSION, "model_sha256": model_sha256, "files": list(entries.values())}
    if document.get("c_source") and document["c_source"]["of"] in {file.path.name for file in files}:
        _unlink(folder, document.pop("c_source")["files"])
    atomic_files.write_json(folder / INDEX_FILE, document)


def record_c_source(folder: Path, c_source: dict[str, Any]) -> None:
    """Add to `export.json` the C++ source that was made of one of its files."""
    atomic_files.write_json(folder / INDEX_FILE, {**_read(folder), "c_source": c_source})


def _unlink(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        # The name alone: an index is a file like any other and must not reach out of its folder.
        (folder / Path(name).name).unlink(missing_ok=True)


def _read(folder: Path) -> dict[str, Any]:
    """Read the index; an unreadable one counts as none, since it can be made again."""
    try:
        document = read_object(folder / INDEX_FILE, name=INDEX_FILE)
        read_dataclass(_Index, document, name=INDEX_FILE)
        match document.get("schema_version"):
            case 1:
                return {**_of_schema_2(document), "schema_version": SCHEMA_VERSION}
            case 2:
                return document
    except (OSError, ValueError, RecursionError):
        pass
    return {}


def _of_schema_2(value: Any) -> Any:
    """Bring a document of schema 1, or a part of one: new names, and accuracies with their interval as it is now."""
    match value:
        case {"correct": _, "total": _}:
            return read_dataclass(Accuracy, value, name=INDEX_FILE).to_document()
        case dict():
            return {_RENAMED.get(key, key): _of_schema_2(item) for key, item in value.items()}
        case list():
            return [_of_schema_2(item) for item in value]
    return value


def _right(parity: Parity) -> dict[str, Any]:
    """Return how often the file is right or, of images that nobody labelled, how often it agrees with Keras."""
    if parity.labelled_by_model:
        # No accuracy was measured.
        return {
            "accuracy": None,
            "accuracy_keras": None,
            "agreement": parity.accuracy.to_document(),
            "expected_drop_points": round(parity.drop, 4),
        }
    return {
        "accuracy": parity.accuracy.to_document(),
        "accuracy_keras": parity.accuracy_keras.to_document(),
        "drop_points": round(parity.drop, 4),
        "lost": parity.lost,
        "gained": parity.gained,
        "mcnemar_p": round(parity.p_value, 6),
    }
