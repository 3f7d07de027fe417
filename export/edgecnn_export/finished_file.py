"""One converted file, measured through the runtime, its manifest embedded, verified, gated, and only then named."""

import hashlib
import tempfile
import time
from importlib import metadata
from pathlib import Path

import numpy as np

from edgecnn_export.containers import CONTAINERS
from edgecnn_export.export_index import ExportedFile
from edgecnn_export.formats import Format
from edgecnn_export.int8.converted_file import ConvertedFile
from edgecnn_export.optimized.stored_weights import packed
from edgecnn_export.proof.inference import infer_in_subprocess, infer_on_all_cores, unnamed
from edgecnn_export.proof.parity import Parity, golden_tolerance
from edgecnn_export.signing import SigningKey
from edgecnn_export.source import ExportSource
from edgecnn_runtime.backends import open_backend
from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.manifest import GoldenCheck, Manifest
from edgecnn_runtime.system import atomic_files
from edgecnn_runtime.system.native_output import native_output_kept

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


def finish_file(
    source: ExportSource,
    fmt: Format,
    converted: ConvertedFile,
    *,
    max_drop: float,
    signing_key: SigningKey | None = None,
    started: float,
) -> ExportedFile:
    """Measure, embed, sign and verify the content of one file, and give it its name.

    Args:
        source: the model, the test images and what Keras makes of them.
        fmt: of the file.
        converted: its content.
        max_drop: points of accuracy that it may lose on the test images.
        signing_key: signs it; None: it is not signed.
        started: when its making began, by `time.perf_counter`.

    Returns:
        Its entry; with a `failure`, and no file left behind, where it lost more or is not the same when opened again.

    Raises:
        ModelError: the interpreter does not take it, or crashes.
    """
    container = CONTAINERS[fmt.suffix]
    path = source.target(fmt, mixed=bool(converted.quantization.in_float))
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder, unnamed(draft := Path(folder) / path.name):
        draft.write_bytes(converted.content)
        if not converted.quantization.candidates:  # else it has run
            infer_in_subprocess(draft, np.asarray(source.test.images[:1]))
        with native_output_kept():
            backend = open_backend(draft)
        parity = source.test.parity(infer_on_all_cores(backend, np.asarray(source.test.images)))
        golden = backend.infer(source.golden_images)
        others = container.on_other_kernels(draft, fmt.scheme, source.golden_images)
        manifest = Manifest(
            name=source.run.name,
            labels=source.record.labels,
            input=source.record.input,
            recipe=str(source.record.recipe["name"]),
            data_fingerprint=source.record.data_fingerprint,
            licence=source.record.licence,
            scheme=fmt.scheme,
            optimization=source.optimized.outcome.optimization if source.optimized else None,
            calibration=converted.quantization.calibration,
            in_float=converted.quantization.in_float,
            accuracy_keras=None if parity.labelled_by_model else parity.accuracy_keras,
            accuracy=None if parity.labelled_by_model else parity.accuracy,
            agreement=parity.accuracy if parity.labelled_by_model else None,
            arena_bytes=container.arena_bytes(converted.content, fmt.scheme),
            golden=GoldenCheck(
                tuple(tuple(round(float(value), 7) for value in row) for row in golden),
                golden_tolerance(fmt.least_tolerance, golden, others),
            ),
            versions=tool_versions(),
        )
        content = container.embed(converted.content, manifest)
        if signing_key is not None:
            content = container.sign(content, signing_key)
        draft.write_bytes(content)
        golden_result = Classifier.open(draft).verify()
    failure = None
    if parity.drop > max_drop and parity.is_significant:
        failure = _loss(parity, max_drop=max_drop)
        if converted.quantization.candidates:
            failure += "; a smaller --max-drop searches further, --qat trains the weights on"
    elif not golden_result.passed:
        failure = (
            f"expected the same probabilities when the finished file is opened again (within "
            f"{golden_result.tolerance:g}), got {golden_result.largest_difference:g}; file not kept"
        )
    # What an earlier export left under either name is not what this model gives.
    source.target(fmt, mixed=not converted.quantization.in_float).unlink(missing_ok=True)
    if failure is None:
        atomic_files.write_bytes(path, content)
    else:
        path.unlink(missing_ok=True)
    return ExportedFile(
        fmt,
        path,
        time.perf_counter() - started,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        parity=parity,
        quantization=converted.quantization,
        failure=failure,
        arena_bytes=manifest.arena_bytes,
        optimized=source.optimized.outcome if source.optimized else None,
        packed=packed(content, container.kernels(content)) if source.optimized else None,
    )


def _loss(parity: Parity, *, max_drop: float) -> str:
    """Say that a file lost too much."""
    if parity.labelled_by_model:
        return (
            f"expected at most {max_drop:g} points of accuracy lost, got {parity.drop:.2f} by the float model's own "
            f"probabilities (it agrees on {100 * parity.agreement:.2f} % of images without labels); file not kept"
        )
    return (
        f"expected at most {max_drop:g} points of accuracy lost, got {parity.drop:.2f} "
        f"({100 * parity.accuracy_keras.value:.2f} % -> {100 * parity.accuracy.value:.2f} %); file not kept"
    )


def tool_versions() -> dict[str, str]:
    """Tell which versions of the tools made the file, those that are installed."""
    installed = {}
    for name in _VERSIONED:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed
