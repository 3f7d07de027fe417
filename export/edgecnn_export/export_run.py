"""Export a run: every format is converted, measured through the runtime, gated, and only then given its name."""

import hashlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgecnn_export import export_index
from edgecnn_export.calibration import CalibrationMethod, choose_calibration
from edgecnn_export.converted import Converted
from edgecnn_export.export_index import ExportedFile
from edgecnn_export.formats import FULL_INTEGER, FULL_INTEGER_SIGNED, Format
from edgecnn_export.int8_quantizers import OnnxQuantizer, QuantizationAware, TFLiteQuantizer
from edgecnn_export.ladder import Material, Quantizer, Rung, climb
from edgecnn_export.micro_arena import measure_arena
from edgecnn_export.optimized.optimize import (
    Optimized,
    Portion,
    Report,
    ignored,
    optimize,
    portions,
    quantization_aware,
)
from edgecnn_export.optimized.plan import Plan
from edgecnn_export.optimized.stored_weights import packed
from edgecnn_export.parity import Parity, compare
from edgecnn_export.trained_model import load_trained
from edgecnn_runtime import whole_files
from edgecnn_runtime.accuracy import top1_accuracy
from edgecnn_runtime.backends import open_backend
from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.errors import GateError, InputError, MissingExtraError
from edgecnn_runtime.golden import golden_images
from edgecnn_runtime.image_set import ImageSet, Split
from edgecnn_runtime.manifest import Calibration, GoldenCheck, Manifest, Scheme
from edgecnn_runtime.native_output import native_output_kept
from edgecnn_runtime.run_folder import RunFolder, RunRecord

if TYPE_CHECKING:
    import keras

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

_VERSIONED = ("edgecnn", "tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "ai-edge-litert", "tflite-micro")


@dataclass(frozen=True)
class ExportSettings:
    """What to export and how."""

    formats: tuple[Format, ...]
    calibration_images: int | None = None  # None: 200, or all training images where there are fewer
    seed: int = 0
    max_drop: float = 1.0  # percentage points of accuracy on the test split
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


@dataclass(frozen=True)
class _Source:
    """What every format of one export starts from."""

    run: RunFolder
    record: RunRecord
    model: "keras.Model"
    converted: Converted
    test: Split
    reference: NDArray[np.float32]  # Keras on the test split, (N, classes)
    trained_on: Portion
    validated_on: Portion
    labelled_by_model: bool  # whether the labels of `test` are the model's own answers
    optimized: Optimized | None = None  # `model` is then its model

    def target(self, fmt: Format) -> Path:
        """Return the path of a format's file."""
        variant = self.optimized.outcome.optimization.variant if self.optimized else ""
        return self.run.exported(fmt.form, fmt.suffix, variant=variant)

    def learnt(self, fmt: Format) -> bytes | None:
        """Return the converted file where quantization-aware training has made it, with ranges that it has learnt."""
        return self.optimized.int8_tflite if self.optimized and fmt == FULL_INTEGER else None

    @cached_property
    def material(self) -> Material:
        """The images for the ladder."""
        split, positions = self.validated_on.split, self.validated_on.positions
        validation = np.asarray(split.images[positions])
        with native_output_kept():
            keras = self.model.predict(validation, batch_size=256, verbose=0)
        return Material(
            self.trained_on.split,
            self.trained_on.positions,
            validation,
            split.labels[positions],
            keras,
            self.labelled_by_model,
        )

    @cached_property
    def quantization_aware(self) -> Optimized | None:
        """The network after quantization-aware training; None where it cannot be trained so."""
        if self.optimized is not None or self.labelled_by_model:
            return None
        batch_size = int(self.record.recipe.get("batch_size", 32))
        try:
            return quantization_aware(self.model, self.trained_on, self.validated_on, batch_size=batch_size)
        except (InputError, GateError, MissingExtraError):
            # A layer that the toolkit does not know, a process that died, no toolkit: one rung less.
            return None


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
    record = run.read_record()
    _check_data(record, image_set)
    trained_on, validated_on = _portions(record, image_set)
    model = load_trained(run.model)
    test = image_set.split("test")
    reference = model.predict(test.images, batch_size=256, verbose=0)
    source = _Source(
        run,
        record,
        model,
        Converted(model, settings.opset),
        test,
        reference,
        trained_on,
        validated_on,
        image_set.labelled_by_model,
    )
    if settings.plan is not None:
        source = _optimized(source, settings.plan, optimizing)
    model_sha256 = export_index.sha256(run.model)
    export_index.drop_stale(run.export, model_sha256=model_sha256)
    whole_files.write_text(run.export / "labels.txt", "\n".join(record.labels) + "\n")
    files: list[ExportedFile] = []
    for fmt in settings.formats:
        files.append(_export_file(source, fmt, settings, climbing))
        # After each file, so that an index stands beside what was finished before a full disk or a Ctrl-C.
        export_index.write_index(run.export, files, model_sha256=model_sha256)
        report(files[-1])
    return files


def _portions(record: RunRecord, image_set: ImageSet) -> tuple[Portion, Portion]:
    """Tell which images the run was trained on, and which it was validated on."""
    recipe = record.recipe
    return portions(
        image_set,
        validation_fraction=float(recipe.get("validation_fraction", 0.1)),
        seed=int(recipe.get("seed", record.seed)),
    )


def _optimized(source: _Source, plan: Plan, report: Report) -> _Source:
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


def _check_data(record: RunRecord, image_set: ImageSet) -> None:
    if image_set.labels != record.labels or image_set.input != record.input:
        raise InputError(
            f"data: the labels and the input of the run expected ({len(record.labels)} labels, "
            f"{record.input.shape}), got {image_set.name} ({len(image_set.labels)}, {image_set.input.shape})"
        )


def _export_file(source: _Source, fmt: Format, settings: ExportSettings, climbing: Climbing) -> ExportedFile:
    """Convert, measure, embed and verify one file; it gets its name when all of that is done."""
    started = time.perf_counter()
    target = source.target(fmt)
    made = _convert(source, fmt, settings, climbing)
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        draft = Path(folder) / target.name
        content = made.content
        arena_bytes = measure_arena(content) if fmt in (FULL_INTEGER, FULL_INTEGER_SIGNED) else None
        draft.write_bytes(content)
        with native_output_kept():
            backend = open_backend(draft)
        probabilities = backend.infer(np.asarray(source.test.images))
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
    elif not golden_result.passed:
        failure = (
            f"the same probabilities when the finished file is opened again expected (within "
            f"{golden_result.tolerance:g}), got {golden_result.largest_difference:g}; file not kept"
        )
    if failure is None:
        whole_files.write_bytes(target, content)
    else:
        # What an earlier export left under this name is not what this model gives.
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


def _convert(source: _Source, fmt: Format, settings: ExportSettings, climbing: Climbing) -> _Made:
    learnt = source.learnt(fmt)
    if learnt is not None:
        return _Made(learnt)
    if not fmt.needs_calibration:
        return _Made(source.converted.file(fmt, None))
    chosen, record = choose_calibration(
        source.trained_on.split,
        source.trained_on.positions,
        images=settings.calibration_images,
        seed=settings.seed,
    )
    if fmt.scheme is not Scheme.INT8:
        return _Made(source.converted.file(fmt, chosen), record)
    learning = QuantizationAware(lambda: source.quantization_aware, chosen)
    quantizer: Quantizer = (
        TFLiteQuantizer(source.converted, fmt.signed, learning)
        if fmt.suffix == ".tflite"
        else OnnxQuantizer(source.converted, settings.reduce_range, learning)
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
