"""Export a run: every format is converted, measured through the runtime, gated, and only then given its name."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from edgecnn_export import export_index
from edgecnn_export.containers import CONTAINERS, Conversion
from edgecnn_export.export_index import ExportedFile
from edgecnn_export.finished_file import finish_file
from edgecnn_export.formats import USUAL_OPSET, Format
from edgecnn_export.int8.accuracy_search import quantize_once, search
from edgecnn_export.int8.calibration import CalibrationMethod
from edgecnn_export.int8.converted_file import ConvertedFile, SearchCandidate
from edgecnn_export.optimized.optimize import ReportEpoch, ignored
from edgecnn_export.optimized.plan import Plan
from edgecnn_export.signing import SigningKey
from edgecnn_export.source import ExportSource, open_source
from edgecnn_runtime.errors import GateError, InputError, ModelError
from edgecnn_runtime.system import atomic_files
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder

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
    signing_key: SigningKey | None = None
    plan: Plan | None = None  # to prune, cluster or train quantization-aware first

    def __post_init__(self) -> None:
        if not self.max_drop >= 0:
            raise InputError(f"max-drop: expected 0 or more points, got {self.max_drop:g}")
        if not 13 <= self.opset <= 18:  # what tf2onnx writes
            raise InputError(f"opset: expected 13…18, got {self.opset}")


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
        source = source.calibrated(images=settings.calibration_images, seed=settings.seed)
    if settings.plan is not None:
        source = source.after(settings.plan, optimizing)
    model_sha256 = export_index.sha256(run.model)
    export_index.drop_stale(run.export, model_sha256=model_sha256)
    atomic_files.write_text(run.export / "labels.txt", "\n".join(source.record.labels) + "\n")
    conversions = {suffix: _conversion(suffix, source, settings) for suffix in CONTAINERS}
    files: list[ExportedFile] = []
    for fmt in settings.formats:
        files.append(_export_file(source, conversions[fmt.suffix], fmt, settings, searching))
        # After each file, so that there is an index of what was finished before a full disk or a Ctrl-C.
        export_index.write_index(run.export, files, model_sha256=model_sha256)
        report(files[-1])
    return files


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
        converted = _convert(source, conversion, fmt, settings, searching)
        return finish_file(
            source, fmt, converted, max_drop=settings.max_drop, signing_key=settings.signing_key, started=started
        )
    except (GateError, ModelError) as error:
        # An operator that the converter or the interpreter does not have.
        for mixed in (False, True):
            source.target(fmt, mixed=mixed).unlink(missing_ok=True)
        path = source.target(fmt)
        return ExportedFile(fmt, path, time.perf_counter() - started, failure=f"{error}; file not made")


def _convert(
    source: ExportSource, conversion: Conversion, fmt: Format, settings: ExportSettings, searching: SearchReport
) -> ConvertedFile:
    """Make the content of one file, where it is an integer one by calibration or by the accuracy search."""
    if source.calibration is None or not fmt.needs_calibration:
        return ConvertedFile(conversion.file(fmt.scheme))
    if not fmt.is_searched:
        return quantize_once(conversion.quantizer(fmt), source.calibration, settings.calibration)
    return search(
        conversion.quantizer(fmt),
        source.search_images,
        after_qat=lambda: _conversion(fmt.suffix, source.after_qat(), settings).quantizer(fmt),
        method=settings.calibration,
        seed=settings.seed,
        max_drop=settings.max_drop,
        report=lambda candidate: searching(fmt, candidate),
    )


def _conversion(suffix: str, source: ExportSource, settings: ExportSettings) -> Conversion:
    return CONTAINERS[suffix].convert(
        source.model, biases_learnt=source.biases_learnt, opset=settings.opset, reduce_range=settings.reduce_range
    )
