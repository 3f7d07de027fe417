"""The measuring itself, stage by stage; what has been measured can be read at any time, also after an interrupt."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecnn_benchmarks.measuring.accuracy import OpenedModel, answers_of, measure_accuracy
from edgecnn_benchmarks.measuring.answers import FileAnswers
from edgecnn_benchmarks.measuring.candidates import Subject
from edgecnn_benchmarks.measuring.cold_start import ColdStarts
from edgecnn_benchmarks.measuring.labelled_images import BenchImages
from edgecnn_benchmarks.measuring.memory import Memories, Memory
from edgecnn_benchmarks.measuring.result import BenchRow, Failure
from edgecnn_benchmarks.measuring.rounds import Job, ReportRound, Rounds, sweep
from edgecnn_benchmarks.measuring.timing import Timing
from edgecnn_benchmarks.process.worker_process import WorkerError
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_benchmarks.statistics.intervals import Estimate
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.model_formats import MODEL_FORMATS, find_format

# Called with the percentage done and a short text such as "round 3, int8.tflite".
ReportMeasuring = Callable[[int, str], None]

# Where each stage begins, in percent of a typical benchmark's time.
_STAGES = {"accuracy": 0, "latency": 20, "cold start": 78, "memory": 96}
_NO_ACCURACY = (
    "No accuracy was measured, for want of labelled images that the network was not trained on; give some with --data."
)


@dataclass(frozen=True)
class MeasuredRow:
    """All that was measured of a row; None for what was not."""

    job: Job
    opened: OpenedModel
    timing: Timing
    cold_start_s: Estimate | None
    memory: Memory | None

    @property
    def row(self) -> BenchRow:
        """The row of the result."""
        return BenchRow(
            name=self.job.name,
            label=self.job.label,
            file=self.job.candidate.file,
            candidate=self.job.candidate.name,
            scheme=self.opened.facts.scheme,
            backend=self.opened.facts.backend,
            provider=self.opened.facts.provider,
            threads=self.job.threads,
            batch=self.job.batch,
            size_bytes=self.job.candidate.size_bytes,
            gzip_bytes=self.job.candidate.gzip_bytes,
            latency_us=self.timing.latency_us,
            quantiles_us=self.timing.quantiles_us,
            images_per_s=self.timing.images_per_s,
            speedup=self.timing.speedup,
            told_apart=self.timing.told_apart,
            rounds=self.timing.rounds,
            load_s=self.timing.load_s,
            first_us=self.timing.first_us,
            cold_start_s=self.cold_start_s,
            steady_memory_bytes=None if self.memory is None else self.memory.steady,
            peak_memory_bytes=None if self.memory is None else self.memory.peak,
            energy_mj=self.timing.energy_mj,
            accuracy=self.opened.accuracy,
            agreement=self.opened.agreement,
        )


class Measurement:
    """One benchmark under way."""

    def __init__(self, subject: Subject, *, settings: BenchSettings, scratch: Path) -> None:
        self._subject = subject
        self._settings, self._scratch = settings, scratch
        # The stage that is under way; None before the first and after the last.
        self._stage: str | None = None
        self._opened: list[OpenedModel] = []
        self._failures: list[Failure] = []
        # What additional engines do not open.
        self._unopened: list[Failure] = []
        self._rounds = Rounds([], reference="", settings=settings, scratch=scratch)
        self._cold_starts = ColdStarts([], settings=settings, scratch=scratch)
        self._memories = Memories([], settings=settings, scratch=scratch)

    def run(self, progress: ReportMeasuring) -> None:
        """Measure everything.

        Raises:
            InputError: a reference that is not among the models.
            DataError: labelled images were given and fit not one of the models.
        """
        settings, scratch = self._settings, self._scratch
        report = self._begin("accuracy", progress)
        self._opened, self._failures, self._unopened = measure_accuracy(
            self._subject, settings=settings, scratch=scratch, report=report
        )
        if self._opened:
            reference = find_reference(self._opened, settings.reference).candidate.name
            jobs = [job for model in self._opened for job in sweep(model.candidate, model.sample, settings)]
            self._rounds = Rounds(jobs, reference=reference, settings=settings, scratch=scratch)
            self._rounds.measure(self._begin("latency", progress))
            jobs = [job for job in jobs if not job.variant and job.name not in self._rounds.failures]
            self._cold_starts = ColdStarts(jobs, settings=settings, scratch=scratch)
            self._cold_starts.measure(self._begin("cold start", progress))
            self._memories = Memories(jobs, settings=settings, scratch=scratch)
            self._memories.measure(self._begin("memory", progress))
        self._stage = None

    def _begin(self, stage: str, progress: ReportMeasuring) -> ReportRound:
        """Note that a stage begins; return what it calls with its own share done, 0…1."""
        self._stage = stage
        start = _STAGES[stage]
        end = min((percent for percent in _STAGES.values() if percent > start), default=100)
        return lambda share, text: progress(start + int(share * (end - start)), text)

    @property
    def undone(self) -> str | None:
        """What was not, or not wholly, measured; None where all was."""
        if self._stage is None:
            return None
        *others, last = list(_STAGES)[list(_STAGES).index(self._stage) :]
        return " and ".join(filter(None, (", ".join(others), last)))

    @property
    def failures(self) -> list[Failure]:
        """What could not be measured so far."""
        stages: tuple[tuple[str, Mapping[str, WorkerError]], ...] = (
            ("latency", self._rounds.failures),
            ("cold start", self._cold_starts.failures),
            ("memory", self._memories.failures),
        )
        return self._failures + [
            Failure(name, stage, str(error)) for stage, errors in stages for name, error in errors.items()
        ]

    def rows(self) -> list[BenchRow]:
        """Make rows of what was measured, the fastest first; none before the first round is over."""
        turns = self._rounds.turns
        opened = {model.candidate.name: model for model in self._opened if model.candidate.name in turns}
        if not opened:
            return []
        reference = find_reference(list(opened.values()), self._settings.reference, strict=False).candidate.name
        rows = [
            MeasuredRow(
                job,
                opened[job.candidate.name],
                Timing(turns[job.name], reference=None if job.name == reference else turns[reference]),
                cold_start_s=self._cold_starts.estimates.get(job.candidate.name),
                memory=self._memories.memories.get(job.candidate.name),
            ).row
            for job in self._rounds.jobs
            if job.name in turns and job.candidate.name in opened
        ]
        return sorted(rows, key=lambda row: row.latency_us.p50.value / row.batch)

    @property
    def images(self) -> BenchImages | None:
        """The labelled images of the models, where there are any."""
        return next((model.images for model in self._opened if model.images is not None), None)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the images, and what nobody said about the third-party models."""
        return (
            *(() if self._subject.images.has_labels else (_NO_ACCURACY,)),
            *self._assumed(),
            *(
                f"{failure.name}: not measured, since the engine does not open it: {failure.reason}"
                for failure in self._unopened
            ),
        )

    def _assumed(self) -> tuple[str, ...]:
        return tuple(
            f"{model.candidate.name}: assumed: {'; '.join(model.facts.assumed)}."
            for model in self._opened
            if model.facts.assumed
        )

    def answers(self, reference: str) -> tuple[FileAnswers, ...]:
        """Compare what each candidate answered with what the reference, the name of one, did."""
        return answers_of(self._opened, next(model for model in self._opened if model.candidate.name == reference))


def find_reference(opened: Sequence[OpenedModel], reference: str, *, strict: bool = True) -> OpenedModel:
    """Find the model that the others are compared with: by name, label, file or scheme, in the order of the formats.

    Raises:
        InputError: there is none, and `strict`; float32 is never missed, it is what most people compare with.
    """
    # The Keras model is float32, too, and is the reference only where it is named.
    found = [
        model
        for model in opened
        if reference in (model.candidate.name, model.candidate.label, model.candidate.file)
        or (reference == model.facts.scheme and not model.candidate.is_keras)
    ]
    if not found and strict and reference != BenchSettings.reference:
        raise InputError(
            f"reference: expected one of {', '.join(model.candidate.name for model in opened)} or a scheme among "
            f"theirs, got {reference!r}"
        )
    order = (*MODEL_FORMATS.values(), None)
    return min(found or opened, key=lambda model: order.index(find_format(model.candidate.path)))
