"""Export a run: every format is converted, measured through the runtime, gated, and only then given its name."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgecnn_export import export_index
from edgecnn_export.containers import CONTAINERS, Conversion
from edgecnn_export.export_index import ExportedFile
from edgecnn_export.finished_file import Made, finish_file
from edgecnn_export.formats import USUAL_OPSET, Format
from edgecnn_export.int8.accuracy_search import SearchCandidate, search
from edgecnn_export.int8.calibration import CalibrationImages, CalibrationMethod, choose_calibration
from edgecnn_export.int8.quantizable import names
from edgecnn_export.int8.quantizer import Quantizer, quantize_once
from edgecnn_export.optimized.optimize import ReportEpoch, ignored, optimize
from edgecnn_export.optimized.plan import Plan
from edgecnn_export.source import PREDICTED_AT_ONCE, ExportSource, open_source
from edgecnn_runtime.accuracy import top1_accuracy
from edgecnn_runtime.errors import GateError, InputError, ModelError
from edgecnn_runtime.system import atomic_files
from edgecnn_runtime.system.native_output import native_output_kept
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder

if TYPE_CHECKING:
    import keras

# Called after each candidate for a format.
SearchReport = Callable[[Format, SearchCandidate], object]


@dataclass(frozen=True)
class ExportSettings:
    """What to export and how."""

    formats: tuple[Format, ...]
    calibration_images: int | None = None  # None: 200, or all training images where there are fewer
    seed: int = 0
    max_drop: float = 1.0  # points of accuracy, searched for on the validation images and gated on the test split
    opset: int = USUAL_OPSET
    calibration: CalibrationMethod = CalibrationMethod.MINMAX
    reduce_range: bool = False  # int8 ONNX for x86 CPUs without VNNI
    plan: Plan | None = None  # to prune, cluster or train quantization-aware first

    def __post_init__(self) -> None:
        if not self.max_drop >= 0:
            raise InputError(f"max-drop: expected 0 or more points, got {self.max_drop:g}")
        if not 13 <= self.opset <= 21:
            raise InputError(f"opset: expected 13…21, got {self.opset}")


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
        searching: told each candidate of an accuracy search.

    Returns:
        One entry per format, in order. A file that lost more than `max_drop` points, or that could not be made because
        a converter does not take the network, has a `failure`, and none is left behind under its name.

    Raises:
        InputError: the run, its model or its data cannot be used.
        MissingExtraError: a converter or an interpreter is not installed.
        GateError: the process that optimizes died, or its training diverged.
    """
    source = open_source(run, image_set)
    if any(fmt.needs_calibration for fmt in settings.formats):
        # Before anything is written: a count that cannot be had is refused.
        source = replace(source, calibration=_calibration(source, settings))
    if settings.plan is not None:
        source = _optimized(source, settings.plan, optimizing)
    model_sha256 = export_index.sha256(run.model)
    export_index.drop_stale(run.export, model_sha256=model_sha256)
    atomic_files.write_text(run.export / "labels.txt", "\n".join(source.record.labels) + "\n")
    conversions = {suffix: _conversion(suffix, source.model, settings) for suffix in CONTAINERS}
    files: list[ExportedFile] = []
    for fmt in settings.formats:
        files.append(_export_file(source, conversions[fmt.suffix], fmt, settings, searching))
        # After each file, so that there is an index of what was finished before a full disk or a Ctrl-C.
        export_index.write_index(run.export, files, model_sha256=model_sha256)
        report(files[-1])
    return files


def _optimized(source: ExportSource, plan: Plan, report: ReportEpoch) -> ExportSource:
    """Let the plan's steps change the weights; what is compared with stays the model as trained."""
    done = optimize(source.as_trained, source.training, source.validation, plan, report=report)
    with native_output_kept():  # TensorFlow warns of a second model's tracing
        probabilities = done.model.predict(source.test.images, batch_size=PREDICTED_AT_ONCE, verbose=0)
    outcome = replace(done.outcome, accuracy=top1_accuracy(probabilities, source.test.labels))
    return replace(source, optimized=replace(done, outcome=outcome))


def require_all_kept(files: list[ExportedFile]) -> None:
    """Raise an error that names every file that missed the accuracy budget.

    Raises:
        GateError: at least one file has a `failure`.
    """
    failures = [f"{file.path.name}: {file.failure}" for file in files if file.failure]
    if failures:
        raise GateError("; ".join(failures))


def _export_file(
    source: ExportSource, conversion: Conversion, fmt: Format, settings: ExportSettings, searching: SearchReport
) -> ExportedFile:
    """Convert, measure, embed and verify one file; it gets its name when all of that is done."""
    started = time.perf_counter()
    try:
        made = _convert(source, conversion, fmt, settings, searching)
        return finish_file(source, fmt, made, max_drop=settings.max_drop, started=started)
    except (GateError, ModelError) as error:
        # An operator that the converter or the interpreter does not have.
        for mixed in (False, True):
            source.target(fmt, mixed=mixed).unlink(missing_ok=True)
        path = source.target(fmt)
        return ExportedFile(fmt, path, time.perf_counter() - started, failure=f"{error}; file not made")


def _convert(
    source: ExportSource, conversion: Conversion, fmt: Format, settings: ExportSettings, searching: SearchReport
) -> Made:
    """Make the content of one file, where it is an integer one by calibration or by the accuracy search."""
    if source.calibration is None or not fmt.needs_calibration:
        return Made(conversion.file(fmt.scheme))
    biases_learnt = source.optimized is not None and source.optimized.outcome.optimization.quantization_aware
    quantizer = conversion.quantizer(fmt, biases_learnt=biases_learnt)
    if not fmt.is_searched:
        done = quantize_once(quantizer, source.calibration.images, settings.calibration)
        record = replace(source.calibration.record, method=str(settings.calibration))
        return Made(done.content, record, warning=done.warning, in_float=names(quantizer.graph, done.in_float))

    def after_qat() -> Quantizer:
        return _conversion(fmt.suffix, source.after_qat().model, settings).quantizer(fmt, biases_learnt=True)

    found = search(
        quantizer,
        source.material,
        after_qat=after_qat,
        method=settings.calibration,
        seed=settings.seed,
        max_drop=settings.max_drop,
        report=lambda candidate: searching(fmt, candidate),
    )
    taken = found.taken
    return Made(found.content, taken.calibration, found.candidates, found.skipped, found.warning, taken.in_float)


def _conversion(suffix: str, model: "keras.Model", settings: ExportSettings) -> Conversion:
    return CONTAINERS[suffix].convert(model, opset=settings.opset, reduce_range=settings.reduce_range)


def _calibration(source: ExportSource, settings: ExportSettings) -> CalibrationImages:
    split, positions = source.training.split, source.training.positions
    return choose_calibration(split, positions, images=settings.calibration_images, seed=settings.seed)
