"""Export a run: every format is converted, measured through the runtime, gated, and only then given its name."""

import hashlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgecnn_export import export_index
from edgecnn_export.calibration import choose_calibration
from edgecnn_export.export_index import ExportedFile
from edgecnn_export.formats import FULL_INTEGER, FULL_INTEGER_SIGNED, Format
from edgecnn_export.micro_arena import measure_arena
from edgecnn_export.parity import Parity, compare
from edgecnn_export.trained_model import load_trained
from edgecnn_runtime import whole_files
from edgecnn_runtime.backends import open_backend
from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.errors import GateError, InputError
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
    Scheme.INT8: 4 / 256,  # four steps of the quantized output
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

    def __post_init__(self) -> None:
        if not self.max_drop >= 0:
            raise InputError(f"max-drop: 0 or more points expected, got {self.max_drop:g}")
        if not 13 <= self.opset <= 21:
            raise InputError(f"opset: 13…21 expected, got {self.opset}")


@dataclass(frozen=True)
class _Source:
    """What every format of one export starts from."""

    run: RunFolder
    record: RunRecord
    model: "keras.Model"
    test: Split
    reference: NDArray[np.float32]  # Keras on the test split, (N, classes)
    calibration: NDArray[np.uint8] | None
    calibration_record: Calibration | None
    labelled_by_model: bool  # whether the labels of `test` are the model's own answers


def export_run(
    run: RunFolder,
    image_set: ImageSet,
    settings: ExportSettings,
    *,
    report: Callable[[ExportedFile], object],
) -> list[ExportedFile]:
    """Export the model of a run in every format asked for; write `export.json` and `labels.txt` beside the files.

    Args:
        run: a finished run.
        image_set: the set it was trained on: calibration is taken from `train`, parity is measured on `test`.
        settings: formats, calibration and the accuracy budget.
        report: called after each file.

    Returns:
        One entry a format, in order. A file that lost more than `max_drop` points has a `failure` and is not left
        behind under its name.

    Raises:
        InputError: the run, its model or its data cannot be used.
        MissingExtraError: a converter or an interpreter is not installed.
    """
    record = run.read_record()
    _check_data(record, image_set)
    calibration = calibration_record = None
    if any(fmt.needs_calibration for fmt in settings.formats):
        calibration, calibration_record = choose_calibration(
            image_set, images=settings.calibration_images, seed=settings.seed
        )
    model = load_trained(run.model)
    test = image_set.split("test")
    reference = model.predict(test.images, batch_size=256, verbose=0)
    source = _Source(run, record, model, test, reference, calibration, calibration_record, image_set.labelled_by_model)
    model_sha256 = export_index.sha256(run.model)
    export_index.drop_stale(run.export, model_sha256=model_sha256)
    whole_files.write_text(run.export / "labels.txt", "\n".join(record.labels) + "\n")
    files: list[ExportedFile] = []
    for fmt in settings.formats:
        files.append(_export_file(source, fmt, settings))
        # After each file, so that an index stands beside what was finished before a full disk or a Ctrl-C.
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


def _check_data(record: RunRecord, image_set: ImageSet) -> None:
    if image_set.labels != record.labels or image_set.input != record.input:
        raise InputError(
            f"data: the labels and the input of the run expected ({len(record.labels)} labels, "
            f"{record.input.shape}), got {image_set.name} ({len(image_set.labels)}, {image_set.input.shape})"
        )


def _export_file(source: _Source, fmt: Format, settings: ExportSettings) -> ExportedFile:
    """Convert, measure, embed and verify one file; it gets its name when all of that is done."""
    started = time.perf_counter()
    target = source.run.exported(fmt.variant, fmt.suffix)
    calibration_record = source.calibration_record if fmt.needs_calibration else None
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        draft = Path(folder) / target.name
        content = _convert(source, fmt, opset=settings.opset)
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
            calibration=calibration_record,
            arena_bytes=arena_bytes,
            golden=GoldenCheck(
                tuple(tuple(round(float(value), 7) for value in row) for row in golden),
                _GOLDEN_TOLERANCE[fmt.scheme],
            ),
            versions=tool_versions(),
            licence=source.record.licence,
        )
        content = _embed(content, fmt, manifest)
        draft.write_bytes(content)
        golden_result = Classifier.open(draft).verify()
    failure = None
    if parity.drop > settings.max_drop:
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
        calibration=calibration_record,
        seconds=time.perf_counter() - started,
        failure=failure,
        arena_bytes=arena_bytes,
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


def _convert(source: _Source, fmt: Format, *, opset: int) -> bytes:
    calibration = source.calibration if fmt.needs_calibration else None
    with native_output_kept():
        if fmt.suffix == ".tflite":
            from edgecnn_export.tflite import export_tflite

            return export_tflite(source.model, fmt.scheme, calibration=calibration, signed=fmt.signed)
        from edgecnn_export.onnx import export_onnx

        return export_onnx(source.model, fmt.scheme, opset=opset, calibration=calibration)


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
