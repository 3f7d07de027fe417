"""The measuring itself, stage by stage; what has been measured can be read at any time, also after an interrupt."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgecnn_benchmarks.measuring.accuracy import Opened, answers_of, measure_accuracy
from edgecnn_benchmarks.measuring.answers import FileAnswers
from edgecnn_benchmarks.measuring.candidates import Subject
from edgecnn_benchmarks.measuring.cold_start import ColdStarts
from edgecnn_benchmarks.measuring.labelled_images import BenchImages, ImageShelf
from edgecnn_benchmarks.measuring.memory import Memories, gzip_bytes
from edgecnn_benchmarks.measuring.result import BenchRow, Failure, RowLatency
from edgecnn_benchmarks.measuring.rounds import Job, ReportRound, Round, Rounds, Turn, speedup, speedups, sweep
from edgecnn_benchmarks.process.worker_process import WorkerError
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_benchmarks.statistics.intervals import Estimate, median_estimate, tells_apart
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.model_formats import MODEL_FORMATS, find_format

# Called with the percentage done and a short text such as "round 3, int8.tflite".
ReportMeasuring = Callable[[int, str], None]

# Where each stage begins, in percent of a typical benchmark's time.
_ACCURACY, _ROUNDS, _COLD_STARTS, _MEMORY, _END = 0, 20, 78, 96, 100


class Measurement:
    """One benchmark under way."""

    def __init__(self, subject: Subject, *, settings: BenchSettings, scratch: Path) -> None:
        self._subject, self._settings, self._scratch = subject, settings, scratch
        self._opened: list[Opened] = []
        self._failures: list[Failure] = []
        self._jobs: list[Job] = []
        self._rounds: Rounds | None = None
        self._cold_starts: ColdStarts | None = None
        self._memories: Memories | None = None

    def run(self, progress: ReportMeasuring) -> None:
        """Measure everything.

        Raises:
            InputError: a reference that is not among the models.
            DataError: labelled images were given and fit not one of the models.
        """
        settings, scratch = self._settings, self._scratch
        self._opened, self._failures = measure_accuracy(
            self._subject,
            shelf=ImageShelf(self._subject, scratch),
            settings=settings,
            scratch=scratch,
            report=_stage(progress, _ACCURACY, _ROUNDS),
        )
        if not self._opened:
            return
        reference = find_reference(self._opened, settings.reference).candidate.name
        self._jobs = [job for model in self._opened for job in sweep(model.candidate, model.sample, settings)]
        self._rounds = Rounds(self._jobs, reference=reference, settings=settings, scratch=scratch)
        self._rounds.measure(_stage(progress, _ROUNDS, _COLD_STARTS))
        alive = [job for job in self._jobs if not job.variant and job.name not in self._rounds.failures]
        self._cold_starts = ColdStarts(alive, settings=settings, scratch=scratch)
        self._cold_starts.measure(_stage(progress, _COLD_STARTS, _MEMORY))
        self._memories = Memories(alive, settings=settings, scratch=scratch)
        self._memories.measure(_stage(progress, _MEMORY, _END))

    @property
    def undone(self) -> str | None:
        """What was not, or not wholly, measured; None where all was."""
        if self._memories is not None and len(self._memories.memories) + len(self._memories.failures) >= len(
            [job for job in self._jobs if not job.variant and self._rounds and job.name not in self._rounds.failures]
        ):
            return None
        stages = (
            ("accuracy", self._rounds),
            ("latency", self._cold_starts),
            ("cold start", self._memories),
            ("memory", None),
        )
        begun = next(index for index, (_, following) in enumerate(stages) if following is None)
        return " and ".join([", ".join(name for name, _ in stages[begun:-1]), "memory"]).removeprefix(" and ")

    @property
    def failures(self) -> list[Failure]:
        """What could not be measured so far."""
        failures = list(self._failures)
        for stage, work in (("latency", self._rounds), ("cold start", self._cold_starts), ("memory", self._memories)):
            failures += _failures(stage, {} if work is None else work.failures)
        return failures

    def rows(self) -> list[BenchRow]:
        """Make rows of what was measured, the fastest first; none before the first round is over."""
        turns = {} if self._rounds is None else self._rounds.turns
        measured = [model for model in self._opened if model.candidate.name in turns]
        if not measured:
            return []
        reference = find_reference(measured, self._settings.reference, strict=False).candidate.name
        files = {model.candidate.name: self._file_row(model) for model in measured}
        rows = [
            _timed(files[job.candidate.name], job, turns[job.name], turns[reference] if job.name != reference else None)
            for job in self._jobs
            if job.name in turns and job.candidate.name in files
        ]
        return sorted(rows, key=lambda row: row.latency_us.p50.value / row.batch)

    @property
    def images(self) -> BenchImages | None:
        """The labelled images of the models, where there are any."""
        return next((model.images for model in self._opened if model.images is not None), None)

    @property
    def assumed(self) -> tuple[str, ...]:
        """What nobody said about the files that others made."""
        return tuple(
            f"{model.candidate.name}: assumed: {'; '.join(model.facts.assumed)}."
            for model in self._opened
            if model.facts.assumed
        )

    def answers(self, reference: str) -> tuple[FileAnswers, ...]:
        """Set what each file answered against what the reference, the name of one, did."""
        model = next(model for model in self._opened if model.candidate.name == reference)
        return answers_of(self._opened, model)

    def _file_row(self, model: Opened) -> BenchRow:
        """Make a row of what does not depend on threads and batch; the rest is still to come."""
        name, nothing = model.candidate.name, Estimate(0, 0, 0)
        starts = {} if self._cold_starts is None else self._cold_starts.seconds
        memory = None if self._memories is None else self._memories.memories.get(name)
        return BenchRow(
            name=name,
            label=model.candidate.label,
            file=name,
            scheme=model.facts.scheme,
            backend=model.facts.backend,
            provider=model.facts.provider,
            threads=0,
            batch=0,
            size_bytes=model.candidate.size_bytes,
            gzip_bytes=gzip_bytes(model.candidate.path),
            latency_us=RowLatency(nothing, nothing, nothing, nothing),
            quantiles_us=(),
            images_per_s=nothing,
            speedup=None,
            told_apart=None,
            rounds=(),
            load_s=nothing,
            first_us=nothing,
            cold_start_s=median_estimate(starts[name]) if name in starts else None,
            steady_memory_bytes=None if memory is None else memory.steady,
            peak_memory_bytes=None if memory is None else memory.peak,
            energy_mj=None,
            accuracy=model.accuracy,
            agreement=model.agreement,
        )


def find_reference(opened: Sequence[Opened], wanted: str, *, strict: bool = True) -> Opened:
    """Find the model that the others are compared with: by file name, label or scheme, in the order of the formats.

    Raises:
        InputError: there is none, and `strict`; float32 is never missed, it is what most people compare with.
    """
    # The Keras model is float32, too, and is the reference only where it is named.
    found = [
        model
        for model in opened
        if wanted in (model.candidate.name, model.candidate.label)
        or (wanted == model.facts.scheme and not model.candidate.is_keras)
    ]
    if not found and strict and wanted != BenchSettings.reference:
        raise InputError(
            f"reference: expected one of {', '.join(model.candidate.name for model in opened)} or a scheme among "
            f"theirs, got {wanted!r}"
        )
    order = (*MODEL_FORMATS.values(), None)
    return min(found or opened, key=lambda model: order.index(find_format(model.candidate.path)))


def _stage(progress: ReportMeasuring, start: int, end: int) -> ReportRound:
    return lambda share, text: progress(start + int(share * (end - start)), text)


def _failures(stage: str, reasons: dict[str, WorkerError]) -> list[Failure]:
    return [Failure(name, stage, str(error)) for name, error in reasons.items()]


def _timed(row: BenchRow, job: Job, turns: Sequence[Turn], reference: Sequence[Turn] | None) -> BenchRow:
    """Add to a file's row what was timed."""
    rounds = [turn.round for turn in turns]
    theirs = None if reference is None else [turn.round for turn in reference]
    latencies = np.concatenate([np.asarray(turn.latencies_ns) for turn in turns]) / 1000
    energies = [measured.energy_mj for measured in rounds if measured.energy_mj is not None]

    def over_rounds(figure: Callable[[Round], float]) -> Estimate:
        return median_estimate([figure(measured) for measured in rounds])

    return replace(
        row,
        name=job.name,
        label=job.label,
        threads=job.threads,
        batch=job.batch,
        latency_us=RowLatency(
            p50=over_rounds(lambda measured: measured.p50_us),
            p90=over_rounds(lambda measured: measured.p90_us),
            p95=over_rounds(lambda measured: measured.p95_us),
            p99=over_rounds(lambda measured: measured.p99_us),
        ),
        quantiles_us=tuple(round(float(value), 3) for value in np.percentile(latencies, range(101))),
        images_per_s=over_rounds(lambda measured: measured.images_per_s),
        speedup=None if theirs is None else speedup(rounds, theirs),
        told_apart=None if theirs is None else tells_apart(speedups(rounds, theirs)),
        rounds=tuple(rounds),
        load_s=over_rounds(lambda measured: measured.load_s),
        first_us=over_rounds(lambda measured: measured.first_us),
        energy_mj=median_estimate(energies) if len(energies) == len(rounds) else None,
    )
