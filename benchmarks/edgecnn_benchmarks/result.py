"""What a benchmark found: the rows, and their form as `bench.json` and `bench.csv`."""

import csv
import dataclasses
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn_benchmarks.intervals import Estimate
from edgecnn_benchmarks.machine import Machine
from edgecnn_benchmarks.rounds import Round
from edgecnn_benchmarks.settings import Settings
from edgecnn_runtime.accuracy import Accuracy

# Of bench.json; a reader refuses a later one.
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Latency:
    """Of one inference on one image, in microseconds: medians over the rounds, with their intervals."""

    p50: Estimate
    p90: Estimate
    p99: Estimate


@dataclass(frozen=True)
class Row:
    """One model file and everything measured of it; None where it could not be."""

    name: str
    label: str
    scheme: str
    backend: str
    size_bytes: int
    latency_us: Latency
    images_per_s: Estimate
    # How many times as fast as the reference: the ratio of their p50 within each round, median over the rounds.
    speedup: Estimate | None
    rounds: tuple[Round, ...]
    cold_start_s: Estimate | None
    peak_memory_bytes: int | None
    accuracy: Accuracy | None
    # Share of the test images, 0…1, for which it names the class that the Keras model names.
    agreement: float | None

    @property
    def format(self) -> str:
        """The file's format, as its suffix and as a class in the report's style sheet."""
        return "tflite" if self.backend == "litert" else "onnx"


@dataclass(frozen=True)
class Failure:
    """Something of a model that could not be measured, and why."""

    name: str
    stage: str
    reason: str


@dataclass(frozen=True)
class TestData:
    """The labelled images of the accuracy."""

    __test__ = False  # pytest takes a class of this name for tests

    name: str
    images: int
    fingerprint: str | None


@dataclass(frozen=True)
class BenchResult:
    """One benchmark, complete."""

    name: str
    created: str  # UTC, ISO 8601
    command: str | None
    settings: Settings
    machine: Machine
    data: TestData | None
    # What the Keras model, which the files were exported from, reaches on the same images.
    keras_accuracy: Accuracy | None
    rows: tuple[Row, ...]  # the fastest first
    failures: tuple[Failure, ...]
    reference: str  # the name of a row
    recommended: str  # the name of a row
    verdict: str
    notes: tuple[str, ...]
    # Where bench.json, bench.csv and report.html stand.
    folder: Path

    def row(self, name: str) -> Row:
        """Return the row of one model."""
        return next(row for row in self.rows if row.name == name)

    def to_document(self) -> dict[str, Any]:
        """Return the content of `bench.json`; units stand in the names, shares are 0…1."""
        document = dataclasses.asdict(self)
        del document["folder"]
        document["keras_accuracy"] = _accuracy_document(self.keras_accuracy)
        for row, row_document in zip(self.rows, document["rows"], strict=True):
            row_document["accuracy"] = _accuracy_document(row.accuracy)
        return {"schema_version": SCHEMA_VERSION, **document}

    def to_csv(self) -> str:
        """Return the rows as CSV, one line a model, an empty field where something was not measured."""
        text = io.StringIO()
        rows = [_flat(row) for row in self.rows]
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


def _accuracy_document(accuracy: Accuracy | None) -> Mapping[str, float] | None:
    if accuracy is None:
        return None
    low, high = accuracy.interval
    return {**dataclasses.asdict(accuracy), "value": accuracy.value, "low": low, "high": high}


def _flat(row: Row) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": row.name,
        "scheme": row.scheme,
        "backend": row.backend,
        "size_bytes": row.size_bytes,
        "rounds": len(row.rounds),
        "runs": sum(measured.runs for measured in row.rounds),
    }
    for name, estimate in (
        ("latency_p50_us", row.latency_us.p50),
        ("latency_p90_us", row.latency_us.p90),
        ("latency_p99_us", row.latency_us.p99),
        ("images_per_s", row.images_per_s),
        ("speedup", row.speedup),
        ("cold_start_s", row.cold_start_s),
    ):
        fields |= _flat_estimate(name, estimate)
    accuracy = None
    if row.accuracy is not None:
        accuracy = Estimate(row.accuracy.value, *row.accuracy.interval)
    return fields | {
        "peak_memory_bytes": row.peak_memory_bytes,
        **_flat_estimate("accuracy", accuracy),
        "agreement": row.agreement,
    }


def _flat_estimate(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    if estimate is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
