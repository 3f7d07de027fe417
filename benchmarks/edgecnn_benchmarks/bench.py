"""The whole benchmark: accuracy, latency, cold start and memory of every model, and the files that tell of it."""

import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from edgecnn_benchmarks.accuracy import Opened, measure_accuracy
from edgecnn_benchmarks.candidates import SPLIT, Subject, read_subject
from edgecnn_benchmarks.cold_start import measure_cold_starts
from edgecnn_benchmarks.intervals import median_estimate
from edgecnn_benchmarks.labelled_images import ImageShelf
from edgecnn_benchmarks.machine import describe_machine
from edgecnn_benchmarks.report import write_report
from edgecnn_benchmarks.result import BenchResult, Failure, Latency, Row, TestData
from edgecnn_benchmarks.rounds import Job, Report, Round, measure_rounds, speedup
from edgecnn_benchmarks.settings import Settings
from edgecnn_benchmarks.verdict import notes, recommend, verdict
from edgecnn_benchmarks.worker_process import WorkerError, WorkerProcess
from edgecnn_runtime import whole_files
from edgecnn_runtime.accuracy import top1_accuracy
from edgecnn_runtime.errors import GateError, InputError

# Called with the percentage done and a short text such as "round 3, int8.tflite".
Progress = Callable[[int, str], None]

# Where each stage begins, in percent of a typical benchmark's time.
_ACCURACY, _ROUNDS, _COLD_STARTS, _MEMORY, _END = 0, 20, 78, 96, 100

# Single predictions before the peak of the memory is read.
_MEMORY_PREDICTIONS = 100


def bench(
    targets: Sequence[Path],
    *,
    data: Path | None = None,
    output: Path | None = None,
    settings: Settings = Settings(),  # noqa: B008, frozen
    command: str | None = None,
    progress: Progress | None = None,
) -> BenchResult:
    """Measure models side by side and write `bench.json`, `bench.csv` and `report.html`.

    Args:
        targets: one run folder (all of its exported files are measured), or model files.
        data: labelled images, a prepared set or a folder with one sub-folder a class; default: the run's own.
        output: where the files go; default: `RUN/bench`, for model files `bench`.
        settings: how to measure.
        command: the command line, for the record.
        progress: told how far the work has come.

    Raises:
        InputError: nothing to measure, unusable labelled images, a reference that is not among the models, or
            an output folder that cannot be written; all found before the latency is measured.
        GateError: not one of the models could be measured.
    """
    subject = read_subject(targets, data=data)
    folder = subject.folder if output is None else output
    _check_writable(folder)
    created, machine = datetime.now(UTC).isoformat(timespec="seconds"), describe_machine()
    with tempfile.TemporaryDirectory(prefix="edgecnn-bench-") as temporary:
        scratch = Path(temporary)
        rows, failures, assumed = _measure(subject, settings, scratch, progress or _unseen)
    if not rows:
        reasons = "; ".join(f"{failure.name}: {failure.reason}" for failure in failures)
        raise GateError(f"at least one model that runs expected, got none: {reasons}")
    reference = next(row for row in rows if row.speedup is None)
    recommended = recommend(rows)
    result = BenchResult(
        name=subject.name,
        created=created,
        command=command,
        settings=settings,
        machine=machine,
        data=_test_data(subject, rows),
        keras_accuracy=None
        if subject.keras_probabilities is None or subject.prepared is None or not subject.has_labels
        else top1_accuracy(subject.keras_probabilities, subject.prepared.split(SPLIT).labels),
        rows=tuple(rows),
        failures=tuple(failures),
        reference=reference.name,
        recommended=recommended.name,
        verdict=verdict(rows, recommended, reference),
        notes=notes(rows, reference, settings=settings, machine=machine, has_labels=subject.has_labels) + assumed,
        folder=folder,
    )
    whole_files.write_json(folder / "bench.json", result.to_document())
    whole_files.write_text(folder / "bench.csv", result.to_csv())
    write_report(result, folder / "report.html")
    return result


def _unseen(percent: int, text: str) -> None:
    """Take the progress of a benchmark that nobody watches."""
    del percent, text


def _check_writable(folder: Path) -> None:
    """Find out before the measuring, not after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"{folder}: a folder that can be written expected, got {error.strerror}; name another with --output"
        ) from error


def _measure(
    subject: Subject, settings: Settings, scratch: Path, progress: Progress
) -> tuple[list[Row], list[Failure], tuple[str, ...]]:
    opened, failures = measure_accuracy(
        subject,
        shelf=ImageShelf(subject, scratch),
        settings=settings,
        scratch=scratch,
        report=_stage(progress, _ACCURACY, _ROUNDS),
    )
    if opened:
        _find_reference(opened, settings.reference)
    jobs = [Job(model.candidate, model.sample) for model in opened]

    rounds, broken = measure_rounds(
        jobs, settings=settings, scratch=scratch, report=_stage(progress, _ROUNDS, _COLD_STARTS)
    )
    failures += _failures("latency", broken)
    jobs = [job for job in jobs if job.candidate.name in rounds]

    cold_starts, broken = measure_cold_starts(
        jobs, settings=settings, scratch=scratch, report=_stage(progress, _COLD_STARTS, _MEMORY)
    )
    failures += _failures("cold start", broken)

    memory, broken = _measure_memory(jobs, settings=settings, scratch=scratch, report=_stage(progress, _MEMORY, _END))
    failures += _failures("memory", broken)

    measured = [model for model in opened if model.candidate.name in rounds]
    if not measured:
        return [], failures, ()
    reference = _find_reference(measured, settings.reference, strict=False).candidate.name
    rows = [
        _row(
            model,
            rounds[model.candidate.name],
            None if model.candidate.name == reference else rounds[reference],
            cold_starts.get(model.candidate.name),
            memory.get(model.candidate.name),
        )
        for model in measured
    ]
    assumed = tuple(
        f"{model.candidate.name}: assumed: {'; '.join(model.facts.assumed)}."
        for model in measured
        if model.facts.assumed
    )
    return sorted(rows, key=lambda row: row.latency_us.p50.value), failures, assumed


def _stage(progress: Progress, start: int, end: int) -> Report:
    return lambda share, text: progress(start + int(share * (end - start)), text)


def _failures(stage: str, reasons: dict[str, WorkerError]) -> list[Failure]:
    return [Failure(name, stage, str(error)) for name, error in reasons.items()]


def _find_reference(opened: Sequence[Opened], wanted: str, *, strict: bool = True) -> Opened:
    """Find the model that the others are compared with: by file name, label or scheme, TFLite first.

    Raises:
        InputError: there is none, and `strict`; float32 is never missed, it is what most people compare with.
    """
    found = [model for model in opened if wanted in (model.candidate.name, model.candidate.label, model.facts.scheme)]
    if not found and strict and wanted != Settings.reference:
        raise InputError(
            f"reference: one of {', '.join(model.candidate.name for model in opened)} or a scheme among theirs "
            f"expected, got {wanted!r}"
        )
    return min(found or opened, key=lambda model: model.candidate.path.suffix != ".tflite")


def _measure_memory(
    jobs: Sequence[Job], *, settings: Settings, scratch: Path, report: Report
) -> tuple[dict[str, int], dict[str, WorkerError]]:
    """Read the peak memory of a fresh process of each model; nothing for those whose system does not tell."""
    peaks: dict[str, int] = {}
    failures: dict[str, WorkerError] = {}
    for index, job in enumerate(jobs):
        report(index / len(jobs), f"memory, {job.candidate.label}")
        try:
            with WorkerProcess(
                job.candidate.path,
                threads=settings.threads,
                timeout=settings.timeout,
                folder=scratch,
                opening=settings.opening,
            ) as worker:
                answer = worker.ask("peak_memory", images=str(job.images), predictions=_MEMORY_PREDICTIONS)
        except WorkerError as error:
            failures[job.candidate.name] = error
        else:
            if answer["bytes"] is not None:
                peaks[job.candidate.name] = answer["bytes"]
    return peaks, failures


def _row(
    model: Opened,
    rounds: Sequence[Round],
    reference: Sequence[Round] | None,
    cold_starts: Sequence[float] | None,
    peak_memory_bytes: int | None,
) -> Row:
    return Row(
        name=model.candidate.name,
        label=model.candidate.label,
        scheme=model.facts.scheme,
        backend=model.facts.backend,
        size_bytes=model.candidate.size_bytes,
        latency_us=Latency(
            p50=median_estimate([measured.p50_us for measured in rounds]),
            p90=median_estimate([measured.p90_us for measured in rounds]),
            p99=median_estimate([measured.p99_us for measured in rounds]),
        ),
        images_per_s=median_estimate([measured.images_per_s for measured in rounds]),
        speedup=None if reference is None else speedup(rounds, reference),
        rounds=tuple(rounds),
        cold_start_s=None if cold_starts is None else median_estimate(cold_starts),
        peak_memory_bytes=peak_memory_bytes,
        accuracy=model.accuracy,
        agreement=model.agreement,
    )


def _test_data(subject: Subject, rows: Sequence[Row]) -> TestData | None:
    images = max((row.accuracy.total for row in rows if row.accuracy is not None), default=None)
    if images is None:
        return None
    if subject.prepared is not None:
        return TestData(subject.prepared.name, images, subject.prepared.fingerprint)
    assert subject.labelled_folder is not None  # else there were no labelled images
    return TestData(subject.labelled_folder.name, images, None)
