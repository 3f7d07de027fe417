"""A converted file before it has its manifest, how it was quantized, and what was tried for that."""

from dataclasses import dataclass
from typing import Any

from edgecnn_export.proof.parity import Parity
from edgecnn_runtime.manifest import Calibration


@dataclass(frozen=True)
class SearchCandidate:
    """One way of quantizing, and what it gave."""

    name: str
    validation: Parity
    parity: Parity  # on all images that candidates are measured on
    size: int  # bytes
    microseconds: float  # per image, one thread; a first impression, not a benchmark
    calibration: Calibration | None
    in_float: tuple[str, ...] = ()  # names of the operators that stay float32

    def to_document(self) -> dict[str, Any]:
        """Return the entry of `export.json`."""
        return {
            "candidate": self.name,
            "validation": self.validation.accuracy.to_document(),
            "images": self.parity.accuracy.total,
            "drop_points": round(self.parity.drop, 4),
            "drop_at_most_points": round(self.parity.drop_at_most, 4),
            "expected_loss_points": round(self.parity.expected_loss, 4),
            "bytes": self.size,
            "microseconds": round(self.microseconds, 1),
            "in_float": list(self.in_float),
        }


@dataclass(frozen=True)
class Skipped:
    """One way of quantizing that could not be tried."""

    name: str
    reason: str

    def to_document(self) -> dict[str, Any]:
        """Return the entry of `export.json`."""
        return {"candidate": self.name, "reason": self.reason}


@dataclass(frozen=True)
class Quantization:
    """How the content of an integer file was made; nothing in a file of floats."""

    calibration: Calibration | None = None
    in_float: tuple[str, ...] = ()  # names of the operators that stay float32
    warning: str | None = None  # of the calibration
    # What was tried; the last is in the file: the first that fits, or else the one that loses least.
    candidates: tuple[SearchCandidate, ...] = ()
    skipped: tuple[Skipped, ...] = ()  # what could not be tried


NOT_QUANTIZED = Quantization()


@dataclass(frozen=True)
class ConvertedFile:
    """A converted file, without its manifest."""

    content: bytes
    quantization: Quantization = NOT_QUANTIZED
