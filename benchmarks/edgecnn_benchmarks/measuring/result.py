"""What a benchmark found: the rows, and their form as `bench.json` and `bench.csv`; `result_file` reads them again."""

import csv
import dataclasses
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecnn_benchmarks.machine.description import Machine
from edgecnn_benchmarks.machine.state import MachineState
from edgecnn_benchmarks.measuring.answers import FileAnswers
from edgecnn_benchmarks.measuring.device_estimates import FileEstimate
from edgecnn_benchmarks.measuring.labelled_images import TestData
from edgecnn_benchmarks.measuring.timing import Round, RowLatency
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_benchmarks.statistics.intervals import Estimate
from edgecnn_benchmarks.statistics.quantities import listed
from edgecnn_runtime.accuracy import Accuracy
from edgecnn_runtime.backends.engines import Engine, engines_of, find_engine
from edgecnn_runtime.model_formats import MODEL_FORMATS

# Of bench.json; `result_file` also reads the two before.
SCHEMA_VERSION = 4
# An interval of a ratio that is wider than this share on each side says more about the machine than about the files.
NOISY = 0.02
NOISE = "this machine was too noisy, measure again when it is idle or with a larger --max-secs"
# With more undecided pairs than these, one sentence names them all; of nine files there are 36.
_PAIRS = 3


@dataclass(frozen=True)
class BenchRow:
    """One model file in one engine, at one number of threads and one batch; None where it was not measured.

    The Keras model may be among the rows as well. A sweep makes several rows of one candidate; what does not depend on
    threads and batch is the same in all of them.
    """

    # Unlike that of every other row: the candidate, and in a sweep what sets the row apart.
    name: str
    # The name without what all files' names begin with, for charts and narrow tables.
    label: str
    # The model file's name.
    file: str
    # The file's name, and the engine's where that is not the first for the format; that of `answers`.
    candidate: str
    scheme: str
    # The name of an engine, "keras call" or "keras predict".
    backend: str
    # What the interpreter says that it runs on, for example "CPUExecutionProvider" or "XNNPACK, 5 of 6 operators".
    provider: str | None
    # Threads within one inference, and images per call.
    threads: int
    batch: int
    size_bytes: int
    gzip_bytes: int | None
    # The steady state: after the warm-up.
    latency_us: RowLatency
    # 101 percentiles, 0 to 100, of all timed calls of all rounds together, in microseconds.
    quantiles_us: tuple[float, ...]
    images_per_s: Estimate
    # How many times as fast as the reference, per image: the ratio of their p50 within each round, over the rounds.
    speedup: Estimate | None
    # Whether that ratio differs from 1 beyond doubt (`intervals.tells_apart`); None of the reference itself.
    told_apart: bool | None
    rounds: tuple[Round, ...]
    # In a process that has just begun: opening the model, its interpreter's import included, and then the first call.
    load_s: Estimate
    first_us: Estimate
    # From starting a process to its printed label of one PNG file.
    cold_start_s: Estimate | None
    # Resident memory of a process after 100 single predictions, and the most it held until then.
    steady_memory_bytes: int | None
    peak_memory_bytes: int | None
    # Of the processor package while one image is classified, idle power included.
    energy_mj: Estimate | None
    accuracy: Accuracy | None
    # Share of the test images, 0…1, for which it names the class that the Keras model names.
    agreement: float | None

    @property
    def is_file(self) -> bool:
        """Whether it is a model file, which can be shipped, at the first threads and batch of a sweep."""
        return self.format != "keras" and self.name == self.candidate

    @property
    def format(self) -> str:
        """The name of the file's format, which is also its class in the report's style sheet."""
        if self.backend.startswith("keras"):
            return "keras"
        formats = tuple(MODEL_FORMATS) if self.engine is None else self.engine.formats
        return next((name for name in formats if MODEL_FORMATS[name].suffix in self.file.lower()), formats[0])

    @property
    def engine(self) -> Engine | None:
        """What ran the file; None of the Keras model, and of an engine that this version does not know."""
        return find_engine(self.backend)

    @property
    def shipped(self) -> str:
        """Name what is shipped: the file and its engine, and how to ask for one that does not open it by itself."""
        engine = self.engine
        if engine is None:
            return self.name
        asked_for = "" if engine is engines_of(self.format)[0] else f" (--engine {engine.name})"
        return f"{self.file} with {engine.title}{asked_for}"


@dataclass(frozen=True)
class Failure:
    """Something of a model that could not be measured, and why."""

    name: str
    stage: str
    reason: str


@dataclass(frozen=True)
class Pitfall:
    """A known way to misread figures, where these figures have it, in a sentence."""

    # For example "int16x8-reference-kernels"; `judging.pitfalls` lists them.
    kind: str
    sentence: str
    # The names of the rows it is about; none: all of them.
    rows: tuple[str, ...] = ()


@dataclass(frozen=True)
class Undecided:
    """Two rows whose latencies these measurements cannot tell apart."""

    first: str
    second: str
    # How many times as fast the first is as the second.
    ratio: Estimate
    sentence: str


@dataclass(frozen=True)
class BenchResult:
    """One benchmark, complete, or as far as it came before it was interrupted."""

    name: str
    created: str  # UTC, ISO 8601
    # How long all of it took.
    seconds: float
    command: str | None
    settings: BenchSettings
    machine: Machine
    start: MachineState
    end: MachineState
    data: TestData | None
    # What the Keras model, which the files were exported from, reaches on the same images.
    keras_accuracy: Accuracy | None
    rows: tuple[BenchRow, ...]  # the fastest first, by the time of one image
    # What each file answered; none without labelled images. The reference's own come first.
    answers: tuple[FileAnswers, ...]
    failures: tuple[Failure, ...]
    reference: str  # the name of a row
    recommended: str  # the name of a row
    verdict: str
    pitfalls: tuple[Pitfall, ...]
    undecided: tuple[Undecided, ...]
    # Why there is no energy in the rows; None where there is.
    energy_absent: str | None
    # What of the work was not done, where the benchmark was interrupted.
    partial: str | None
    notes: tuple[str, ...]
    # The folder of bench.json, bench.csv and report.html.
    folder: Path
    # The flipped images of `answers` as PNG, by their number in the test data; they stay out of bench.json.
    pictures: Mapping[int, bytes] = field(default_factory=dict)
    # The name of the machine that was measured, where it is another one, reached by SSH.
    host: str | None = None
    # What the files would need on microcontrollers and NPUs; nothing of it was measured.
    device_estimates: tuple[FileEstimate, ...] = ()

    def row(self, name: str) -> BenchRow:
        """Return the row of one name."""
        return next(row for row in self.rows if row.name == name)

    @property
    def undecided_sentences(self) -> list[str]:
        """Which files cannot be told apart: of a few pairs each with its ratio, of many all in one sentence."""
        pairs = self.undecided
        if len(pairs) <= _PAIRS:
            return [pair.sentence for pair in pairs]
        others = {pair.first: [other.second for other in pairs if other.first == pair.first] for pair in pairs}
        named = "; ".join(f"{first} from {listed(names)}" for first, names in others.items())
        noisy = sum(pair.ratio.half_width > NOISY for pair in pairs)
        noise = f"; in {noisy} of them {NOISE}" if noisy else ""
        return [f"{len(pairs)} pairs of files cannot be told apart by speed: {named}{noise}."]

    @property
    def missing(self) -> list[str]:
        """The names of the models that have no row, each once."""
        measured = {row.name for row in self.rows}
        return list(dict.fromkeys(failure.name for failure in self.failures if failure.name not in measured))

    @property
    def estimates(self) -> list[FileEstimate]:
        """The estimates for other devices, those of the fastest file first."""
        known = {estimate.file: estimate for estimate in self.device_estimates}
        return [known[file] for file in dict.fromkeys(row.file for row in self.rows) if file in known]

    @property
    def sentences(self) -> list[str]:
        """What is said below the figures, the verdict last."""
        return [
            *(pitfall.sentence for pitfall in self.pitfalls),
            *self.undecided_sentences,
            *self.notes,
            *(sentence for sentence in (self.energy_absent, self.partial, self.verdict) if sentence is not None),
        ]

    def to_document(self) -> dict[str, Any]:
        """Return the content of `bench.json`; names carry units, shares are 0…1."""
        document = dataclasses.asdict(dataclasses.replace(self, pictures={}))
        del document["folder"], document["pictures"]
        document["keras_accuracy"] = self.keras_accuracy and self.keras_accuracy.to_document()
        for row, row_document in zip(self.rows, document["rows"], strict=True):
            row_document["accuracy"] = row.accuracy and row.accuracy.to_document()
        return {"schema_version": SCHEMA_VERSION, **document}

    def to_csv(self) -> str:
        """Return the rows as CSV, one line per row, an empty field where something was not measured."""
        text = io.StringIO()
        rows = [_flat(row) for row in self.rows]
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


def _flat(row: BenchRow) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": row.name,
        "file": row.file,
        "scheme": row.scheme,
        "backend": row.backend,
        "provider": row.provider,
        "threads": row.threads,
        "batch": row.batch,
        "size_bytes": row.size_bytes,
        "gzip_bytes": row.gzip_bytes,
        "rounds": len(row.rounds),
        "runs": sum(measured.runs for measured in row.rounds),
    }
    for name, estimate in (
        ("latency_p50_us", row.latency_us.p50),
        ("latency_p90_us", row.latency_us.p90),
        ("latency_p95_us", row.latency_us.p95),
        ("latency_p99_us", row.latency_us.p99),
        ("images_per_s", row.images_per_s),
        ("speedup", row.speedup),
        ("load_s", row.load_s),
        ("first_us", row.first_us),
        ("cold_start_s", row.cold_start_s),
        ("energy_mj", row.energy_mj),
    ):
        fields |= _flat_estimate(name, estimate)
    accuracy = None
    if row.accuracy is not None:
        accuracy = Estimate(row.accuracy.value, *row.accuracy.interval)
    return fields | {
        "told_apart": row.told_apart,
        "steady_memory_bytes": row.steady_memory_bytes,
        "peak_memory_bytes": row.peak_memory_bytes,
        **_flat_estimate("accuracy", accuracy),
        "agreement": row.agreement,
    }


def _flat_estimate(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    if estimate is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
