"""The whole benchmark: accuracy, latency, cold start and memory of every model, and the files with its result."""

import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from edgecnn_benchmarks.judging.pitfalls import find_pitfalls
from edgecnn_benchmarks.judging.undecided import find_undecided
from edgecnn_benchmarks.judging.verdict import notes, recommend, verdict
from edgecnn_benchmarks.machine.description import describe_machine
from edgecnn_benchmarks.machine.state import read_state
from edgecnn_benchmarks.measuring.candidates import read_subject
from edgecnn_benchmarks.measuring.device_estimates import Estimator, no_estimates
from edgecnn_benchmarks.measuring.measurement import Measurement, ReportMeasuring
from edgecnn_benchmarks.measuring.result import BenchResult
from edgecnn_benchmarks.process import energy
from edgecnn_benchmarks.report.page import write_report
from edgecnn_benchmarks.report.pictures import pictures_of
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_runtime.errors import GateError, InputError
from edgecnn_runtime.system import atomic_files
from edgecnn_runtime.system.own_process import python_interpreter


def bench(
    targets: Sequence[Path],
    *,
    data: Path | None = None,
    output: Path | None = None,
    settings: BenchSettings = BenchSettings(),  # noqa: B008, frozen
    command: str | None = None,
    host: str | None = None,
    estimate: Estimator = no_estimates,
    progress: ReportMeasuring | None = None,
) -> BenchResult:
    """Measure models side by side and write `bench.json`, `bench.csv` and `report.html`.

    Ctrl-C ends it early: what has been measured is written and marked as partial, where at least one round is over.

    Args:
        targets: one run folder (all of its exported files are measured), or model files.
        data: labelled images, a prepared set or a folder with one sub-folder per class; default: the run's own.
        output: where the files go; default: `RUN/bench`, for model files `bench`.
        settings: how to measure.
        command: the command line, for the record.
        host: the name under which SSH reaches this machine, for the record.
        estimate: estimates what the models would need on devices that are not here.
        progress: called with the percentage done and a short text.

    Raises:
        InputError: nothing to measure, unusable labelled images, a reference that is not among the models, or
            an output folder that cannot be written; all found before the latency is measured.
        GateError: not one of the models could be measured.
        KeyboardInterrupt: it was interrupted before anything was measured.
        FileNotFoundError: there is no Python interpreter for a subprocess, as in a frozen program.
    """
    python_interpreter()  # each model runs in a subprocess
    subject = read_subject(targets, data=data, with_keras=settings.with_keras, opening=settings.opening)
    folder = subject.folder if output is None else output
    check_writable(folder)
    device_estimates = estimate(subject.candidates)
    created, machine, start = datetime.now(UTC).isoformat(timespec="seconds"), describe_machine(), read_state()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edgecnn-bench-") as temporary:
        measurement = Measurement(subject, settings=settings, scratch=Path(temporary))
        partial = None
        try:
            measurement.run(progress or _unseen)
        except KeyboardInterrupt:
            if not measurement.rows():
                raise
            partial = f"Interrupted before the end of: {measurement.undone or 'nothing'}."
        rows, failures = measurement.rows(), measurement.failures
        if not rows:
            reasons = "; ".join(f"{failure.name}: {failure.reason}" for failure in failures)
            raise GateError(f"expected at least one model that runs, got none: {reasons}")
        reference = next(row for row in rows if row.speedup is None)
        answers = measurement.answers(reference.candidate)
        pictures = pictures_of(answers, measurement.images)
    end = read_state()
    images = [row.accuracy.total for row in rows if row.accuracy is not None]
    recommended = recommend(rows)
    result = BenchResult(
        name=subject.name,
        created=created,
        seconds=round(time.monotonic() - began, 1),
        command=command,
        host=host,
        device_estimates=device_estimates,
        settings=settings,
        machine=machine,
        start=start,
        end=end,
        data=subject.images.test_data(max(images)) if images else None,
        keras_accuracy=subject.images.keras_accuracy,
        rows=tuple(rows),
        answers=answers,
        failures=tuple(failures),
        reference=reference.name,
        recommended=recommended.name,
        verdict=verdict(rows, recommended, reference),
        pitfalls=find_pitfalls(rows, reference, machine=machine, start=start, end=end),
        undecided=find_undecided(rows),
        energy_absent=energy.why_absent() if reference.energy_mj is None else None,
        partial=partial,
        notes=notes(rows, settings=settings, machine=machine, whole=partial is None) + measurement.notes,
        folder=folder,
        pictures=pictures,
    )
    atomic_files.write_json(folder / "bench.json", result.to_document())
    atomic_files.write_text(folder / "bench.csv", result.to_csv())
    write_report(result, folder / "report.html")
    return result


def _unseen(percent: int, text: str) -> None:
    """Take the progress of a benchmark that nobody watches."""
    del percent, text


def check_writable(folder: Path) -> None:
    """Find out before the measuring, not after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"{folder}: expected a folder that can be written, got {error.strerror}; name another with --output"
        ) from error
