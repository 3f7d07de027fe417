"""Export a run: every format is converted, measured through the runtime, gated, and only then given its name."""

import hashlib
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecnn_export import export_index
from edgecnn_export.activation_statistics import measure_statistics
from edgecnn_export.calibration import CalibrationMethod, choose_calibration
from edgecnn_export.converted import Converted
from edgecnn_export.export_index import ExportedFile
from edgecnn_export.formats import FULL_INTEGER, FULL_INTEGER_SIGNED, Format
from edgecnn_export.int8_quantizers import OnnxQuantizer, QuantizationAware, TFLiteQuantizer
from edgecnn_export.ladder import Quantizer, Rung, climb
from edgecnn_export.micro_arena import measure_arena
from edgecnn_export.optimized.optimize import (
    Report,
    ignored,
    optimize,
)
from edgecnn_export.optimized.plan import Plan
from edgecnn_export.optimized.stored_weights import packed
from edgecnn_export.parity import Parity, compare
from edgecnn_export.source import Source, open_source
from edgecnn_runtime import whole_files
from edgecnn_runtime.accuracy import top1_accuracy
from edgecnn_runtime.backends import Backend, open_backend
from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.cpu import available_cpus
from edgecnn_runtime.errors import GateError, InputError
from edgecnn_runtime.golden import golden_images
from edgecnn_runtime.image_set import ImageSet
from edgecnn_runtime.manifest import Calibration, GoldenCheck, Manifest, Scheme
from edgecnn_runtime.native_output import native_output_kept
from edgecnn_runtime.run_folder import RunFolder

# How far a probability may lie from the workstation's. Float kernels differ between CPUs only in the order of their
# sums; float16 and integer kernels may round a value to its neighbour, which the layers behind then carry on.
_GOLDEN_TOLERANCE = {
    Scheme.FLOAT32: 1e-4,
    Scheme.FLOAT16: 5e-3,
    Scheme.DYNAMIC: 2e-2,
    # Integer kernels round alike, but for activations on the edge between two steps: XNNPACK scales in float32.
    Scheme.INT8: 4 / 256,
    Scheme.INT16X8: 4 / 256,
}

_VERSIONED = (
    "edgecnn",
    "tensorflow",
    "keras",
    "tf2onnx",
    "onnx",
    "onnxruntime",
    "ai-edge-litert",
    "litert-quantizer",
    "tflite-micro",
)


@dataclass(frozen=True)
class ExportSettings:
    """What to export and how."""

    formats: tuple[Format, ...]
    calibration_images: int | None = None  # None: 200, or all training images where there are fewer
    seed: int = 0
    max_drop: float = 1.0  # points of accuracy: climbed to on the validation images, gated on the test split
    opset: int = 17
    calibration: CalibrationMethod = CalibrationMethod.MINMAX
    reduce_range: bool = False  # int8 ONNX for x86 CPUs without VNNI
    plan: Plan | None = None  # to prune, cluster or train quantization-aware first

    def __post_init__(self) -> None:
        if not self.max_drop >= 0:
            raise InputError(f"max-drop: 0 or more points expected, got {self.max_drop:g}")
        if not 13 <= self.opset <= 21:
            raise InputError(f"opset: 13…21 expected, got {self.opset}")


# Called after each way of quantizing a format that was tried.
Climbing = Callable[[Format, Rung], object]


def _unheard(fmt: Format, rung: Rung) -> None:
    del fmt, rung


def export_run(
    run: RunFolder,
    image_set: ImageSet,
    settings: ExportSettings,
    *,
    report: Callable[[ExportedFile], object],
    optimizing: Report = ignored,
    climbing: Climbing = _unheard,
) -> list[ExportedFile]:
    """Export the model of a run in every format asked for; write `export.json` and `labels.txt` beside the files.

    Args:
        run: a finished run.
        image_set: the set it was trained on: calibration is taken from `train`, parity is measured on `test`.
        settings: formats, calibration and the accuracy budget.
        report: called after each file.
        optimizing: told the progress of the plan's steps.
        climbing: told each way of quantizing that was tried.

    Returns:
        One entry a format, in order. A file that lost more than `max_drop` points has a `failure` and is not left
        behind under its name.

    Raises:
        InputError: the run, its model or its data cannot be used.
        MissingExtraError: a converter or an interpreter is not installed.
        GateError: the process that optimizes died, or its training diverged.
    """
    source = open_source(run, image_set, opset=settings.opset)
    if any(fmt.needs_calibration for fmt in settings.formats):
        # Before anything is written: a count that cannot be had is refused.
        _calibration(source, settings)
    if settings.plan is not None:
        source = _optimized(source, settings.plan, optimizing)
    model_sha256 = export_index.sha256(run.model)
    export_index.drop_stale(run.export, model_sha256=model_sha256)
    whole_files.write_text(run.export / "labels.txt", "\n".join(source.record.labels) + "\n")
    files: list[ExportedFile] = []
    for fmt in settings.formats:
        files.append(_export_file(source, fmt, settings, climbing))
        # After each file, so that an index stands beside what was finished before a full disk or a Ctrl-C.
        export_index.write_index(run.export, files, model_sha256=model_sha256)
        report(files[-1])
    return files


def _optimized(source: Source, plan: Plan, report: Report) -> Source:
    """Let the plan's steps change the weights; what is compared with stays the model as trained."""
    done = optimize(source.model, source.trained_on, source.validated_on, plan, report=report)
    with native_output_kept():  # TensorFlow warns of a second model's tracing
        probabilities = done.model.predict(source.test.images, batch_size=256, verbose=0)
    outcome = replace(done.outcome, accuracy=top1_accuracy(probabilities, source.test.labels))
    return replace(
        source,
        model=done.model,
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


def _export_file(source: Source, fmt: Format, settings: ExportSettings, climbing: Climbing) -> ExportedFile:
    """Convert, measure, embed and verify one file; it gets its name when all of that is done."""
    started = time.perf_counter()
    made = _convert(source, fmt, settings, climbing)
    target, stale = source.target(fmt, mixed=bool(made.in_float)), source.target(fmt, mixed=not made.in_float)
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        draft = Path(folder) / target.name
        content = made.content
        arena_bytes = measure_arena(content) if fmt in (FULL_INTEGER, FULL_INTEGER_SIGNED) else None
        draft.write_bytes(content)
        with native_output_kept():
            backend = open_backend(draft)
        probabilities = _infer_on_all_cores(backend, np.asarray(source.test.images))
        parity = compare(
            probabilities,
            keras=source.reference,
            labels=source.test.labels,
            labelled_by_model=source.labelled_by_model,
        )
        golden = backend.infer(golden_images(source.record.input))
        manifest = Manifest(
            name=source.run.name,
            labels=source.record.labels,
            input=source.record.input,
            scheme=fmt.scheme,
            recipe=str(source.record.recipe["name"]),
            data_fingerprint=source.record.data_fingerprint,
            accuracy_keras=None if source.labelled_by_model else parity.accuracy_keras,
            accuracy=None if source.labelled_by_model else parity.accuracy,
            agreement=parity.accuracy if source.labelled_by_model else None,
            calibration=made.calibration,
            in_float=made.in_float,
            arena_bytes=arena_bytes,
            golden=GoldenCheck(
                tuple(tuple(round(float(value), 7) for value in row) for row in golden),
                _GOLDEN_TOLERANCE[fmt.scheme],
            ),
            versions=tool_versions(),
            licence=source.record.licence,
            optimization=source.optimized.outcome.optimization if source.optimized else None,
        )
        content = _embed(content, fmt, manifest)
        draft.write_bytes(content)
        golden_result = Classifier.open(draft).verify()
    failure = None
    if parity.drop > settings.max_drop and parity.is_significant:
        failure = _loss(parity, max_drop=settings.max_drop)
        if made.rungs:
            failure += "; a smaller --max-drop climbs further, --qat trains the weights on"
    elif not golden_result.passed:
        failure = (
            f"the same probabilities when the finished file is opened again expected (within "
            f"{golden_result.tolerance:g}), got {golden_result.largest_difference:g}; file not kept"
        )
    # What an earlier export left under either name is not what this model gives.
    stale.unlink(missing_ok=True)
    if failure is None:
        whole_files.write_bytes(target, content)
    else:
        target.unlink(missing_ok=True)
    return ExportedFile(
        format=fmt,
        path=target,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        parity=parity,
        calibration=made.calibration,
        seconds=time.perf_counter() - started,
        failure=failure,
        arena_bytes=arena_bytes,
        rungs=made.rungs,
        warning=made.warning,
        optimized=source.optimized.outcome if source.optimized else None,
        packed=packed(content, fmt.suffix) if source.optimized else None,
    )


def _infer_on_all_cores(backend: Backend, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Run many images, each core a part of them: int16x8 takes a hundred times as long as int8."""
    cores = min(available_cpus(), len(images))
    backends = [backend, *(backend.another() for _ in range(cores - 1))]
    with ThreadPoolExecutor(cores) as pool:
        parts = pool.map(lambda each, part: each.infer(part), backends, np.array_split(images, cores))
        return np.concatenate(list(parts))


def _loss(parity: Parity, *, max_drop: float) -> str:
    """Say that a file lost too much."""
    if parity.labelled_by_model:
        return (
            f"at most {max_drop:g} points of accuracy lost expected, got {parity.drop:.2f} by the float model's own "
            f"probabilities (it agrees on {100 * parity.agreement:.2f} % of images without labels); file not kept"
        )
    return (
        f"at most {max_drop:g} points of accuracy lost expected, got {parity.drop:.2f} "
        f"({100 * parity.accuracy_keras.value:.2f} % -> {100 * parity.accuracy.value:.2f} %); file not kept"
    )


@dataclass(frozen=True)
class _Made:
    """A converted file, without its manifest."""

    content: bytes
    calibration: Calibration | None = None
    rungs: tuple[Rung, ...] = ()
    warning: str | None = None

    @property
    def in_float(self) -> tuple[str, ...]:
        """Labels of the operators that stay float32 in an int8 file."""
        return self.rungs[-1].in_float if self.rungs else ()


def _convert(source: Source, fmt: Format, settings: ExportSettings, climbing: Climbing) -> _Made:
    learnt = source.learnt(fmt)
    if learnt is not None:
        return _Made(learnt)
    if not fmt.needs_calibration:
        return _Made(source.converted.file(fmt))
    chosen, record = _calibration(source, settings)
    biases_learnt = source.optimized is not None and source.optimized.outcome.optimization.quantization_aware
    if fmt.scheme is Scheme.INT16X8:
        from edgecnn_export.int8_tflite import quantize_int16x8

        statistics = measure_statistics(source.converted.tflite, chosen, settings.calibration)
        with native_output_kept():
            content = quantize_int16x8(source.converted.tflite, statistics, biases_learnt=biases_learnt)
        return _Made(content, replace(record, method=str(settings.calibration)), warning=statistics.disagreement())
    learning = QuantizationAware(lambda: source.quantization_aware, chosen)
    quantizer: Quantizer = (
        TFLiteQuantizer(source.converted, fmt.signed, learning, biases_learnt)
        if fmt.suffix == ".tflite"
        else OnnxQuantizer(source.converted, settings.reduce_range, learning, biases_learnt)
    )
    climbed = climb(
        quantizer,
        source.material,
        method=settings.calibration,
        images=settings.calibration_images,
        seed=settings.seed,
        max_drop=settings.max_drop,
        report=lambda rung: climbing(fmt, rung),
    )
    return _Made(climbed.content, climbed.taken.calibration, climbed.rungs, climbed.warning)


def _calibration(source: Source, settings: ExportSettings) -> tuple[NDArray[np.uint8], Calibration]:
    trained_on = source.trained_on
    return choose_calibration(
        trained_on.split, trained_on.positions, images=settings.calibration_images, seed=settings.seed
    )


def _embed(content: bytes, fmt: Format, manifest: Manifest) -> bytes:
    if fmt.suffix == ".tflite":
        from edgecnn_export.manifest_tflite import embed_in_tflite

        return embed_in_tflite(content, manifest)
    from edgecnn_export.manifest_onnx import embed_in_onnx

    return embed_in_onnx(content, manifest)


def tool_versions() -> dict[str, str]:
    """Tell which versions of the tools made the file, those that are installed."""
    installed = {}
    for name in _VERSIONED:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed
