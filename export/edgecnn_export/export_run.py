"""Export a run: every format is converted, measured through the runtime, gated, and only then given its name."""

import time
from collections.abc import Callable
from dataclasses import replace

from edgecnn_export import export_index
from edgecnn_export.conversion import SearchReport, convert
from edgecnn_export.converted import Converted
from edgecnn_export.export_index import ExportedFile
from edgecnn_export.export_settings import ExportSettings
from edgecnn_export.finished_file import finish_file
from edgecnn_export.formats import Format
from edgecnn_export.int8.accuracy_search import SearchCandidate
from edgecnn_export.int8.calibration import CalibrationImages, choose_calibration
from edgecnn_export.optimized.optimize import ReportEpoch, ignored, optimize
from edgecnn_export.optimized.plan import Plan
from edgecnn_export.source import PREDICTED_AT_ONCE, ExportSource, open_source
from edgecnn_runtime.accuracy import top1_accuracy
from edgecnn_runtime.errors import GateError, ModelError
from edgecnn_runtime.system import atomic_files
from edgecnn_runtime.system.native_output import native_output_kept
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder


def _unheard(fmt: Format, candidate: SearchCandidate) -> None:
    del fmt, candidate


def export_run(
    run: RunFolder,
    image_set: ImageSet,
    settings: ExportSettings,
    *,
    report: Callable[[ExportedFile], object],
    optimizing: ReportEpoch = ignored,
    searching: SearchReport = _unheard,
) -> list[ExportedFile]:
    """Export the model of a run in every format asked for; write `export.json` and `labels.txt` beside the files.

    Args:
        run: a finished run.
        image_set: the set it was trained on: calibration is taken from `train`, parity is measured on `test`.
        settings: formats, calibration and the accuracy budget.
        report: called after each file.
        optimizing: told the progress of the plan's steps.
        searching: told each way of quantizing that was tried.

    Returns:
        One entry a format, in order. A file that lost more than `max_drop` points, or that could not be made because a
        converter does not take the network, has a `failure`, and none is left behind under its name.

    Raises:
        InputError: the run, its model or its data cannot be used.
        MissingExtraError: a converter or an interpreter is not installed.
        GateError: the process that optimizes died, or its training diverged.
    """
    source = open_source(run, image_set, opset=settings.opset)
    if any(fmt.needs_calibration for fmt in settings.formats):
        # Before anything is written: a count that cannot be had is refused.
        source = replace(source, calibration=_calibration(source, settings))
    if settings.plan is not None:
        source = _optimized(source, settings.plan, optimizing)
    model_sha256 = export_index.sha256(run.model)
    export_index.drop_stale(run.export, model_sha256=model_sha256)
    atomic_files.write_text(run.export / "labels.txt", "\n".join(source.record.labels) + "\n")
    files: list[ExportedFile] = []
    for fmt in settings.formats:
        files.append(_export_file(source, fmt, settings, searching))
        # After each file, so that an index stands beside what was finished before a full disk or a Ctrl-C.
        export_index.write_index(run.export, files, model_sha256=model_sha256)
        report(files[-1])
    return files


def _optimized(source: ExportSource, plan: Plan, report: ReportEpoch) -> ExportSource:
    """Let the plan's steps change the weights; what is compared with stays the model as trained."""
    done = optimize(source.as_trained, source.trained_on, source.validated_on, plan, report=report)
    with native_output_kept():  # TensorFlow warns of a second model's tracing
        probabilities = done.model.predict(source.test.images, batch_size=PREDICTED_AT_ONCE, verbose=0)
    outcome = replace(done.outcome, accuracy=top1_accuracy(probabilities, source.test.labels))
    return replace(
        source,
        converted=Converted(done.model, source.converted.opset),
        optimized=replace(done, outcome=outcome),
    )


def require_all_kept(files: list[ExportedFile]) -> None:
    """Raise an error that names every file that missed the accuracy budget.

    Raises:
        GateError: at least one file has a `failure`.
    """
    failures = [f"{file.path.name}: {file.failure}" for file in files if file.failure]
    if failures:
        raise GateError("; ".join(failures))


def _export_file(source: ExportSource, fmt: Format, settings: ExportSettings, searching: SearchReport) -> ExportedFile:
    """Convert, measure, embed and verify one file; it gets its name when all of that is done."""
    started = time.perf_counter()
    try:
        made = convert(source, fmt, settings, searching)
        return finish_file(source, fmt, made, max_drop=settings.max_drop, started=started)
    except (GateError, ModelError) as error:
        # An operator that the converter or the interpreter does not have.
        for mixed in (False, True):
            source.target(fmt, mixed=mixed).unlink(missing_ok=True)
        path = source.target(fmt)
        return ExportedFile(fmt, path, time.perf_counter() - started, failure=f"{error}; file not made")


def _calibration(source: ExportSource, settings: ExportSettings) -> CalibrationImages:
    trained_on = source.trained_on
    return choose_calibration(
        trained_on.split, trained_on.positions, images=settings.calibration_images, seed=settings.seed
    )
