"""A classifier to evaluate or explain: the Keras model of a run, or a model file through the runtime."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.errors import InputError, MissingExtraError
from edgecnn_runtime.image_fit import ImageFit
from edgecnn_runtime.manifest import InputSpec
from edgecnn_runtime.system.cpu import available_cpus
from edgecnn_runtime.system.native_output import native_output_kept
from edgecnn_runtime.workstation.run_folder import RunFolder, RunRecord


@dataclass(frozen=True)
class OpenedModel:
    """What every classifier has in common, whatever computes it."""

    path: Path
    labels: tuple[str, ...]
    input: InputSpec
    # uint8 (N, height, width, channels) -> float32 (N, classes)
    probabilities: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    network: Any | None  # the Keras model, if it is one
    run: RunFolder | None  # that it comes from
    record: RunRecord | None  # of that run
    third_party: bool = False  # a file that others made, which does not say how its images were decoded
    fit: ImageFit = field(default_factory=ImageFit)  # what of its resizing is said and not assumed
    # What neither such a file nor the caller says, in sentences.
    assumed: tuple[str, ...] = ()


def _open_file(path: Path) -> Classifier:
    with native_output_kept():
        return Classifier.open(path, threads=available_cpus())


def open_model(target: Path, *, open_file: Callable[[Path], Classifier] = _open_file) -> OpenedModel:
    """Open a run folder (its `model.keras`) or a model file of any format that the runtime reads.

    Args:
        target: the folder or the file.
        open_file: opens a model file, with what the user says about one that others made.

    Raises:
        InputError: neither, or a run that was not finished.
        ModelError: a model file that cannot be read.
        MissingExtraError: Keras, or the interpreter of the format, is not installed.
    """
    if not target.exists():
        raise InputError(f"{target}: not found; expected a run folder or a model file")
    if target.is_dir() or target.suffix == ".keras":
        folder = RunFolder(target if target.is_dir() else target.parent)
        record = folder.read_record()
        model = folder.load_model(_import_keras())
        return OpenedModel(
            path=folder.model,
            labels=record.labels,
            input=record.input,
            probabilities=_through_keras(model),
            network=model,
            run=folder,
            record=record,
        )
    classifier = open_file(target)
    folder = RunFolder(target.resolve().parent.parent)
    exported = target.resolve().parent == folder.export and folder.record.exists()
    return OpenedModel(
        path=target,
        labels=classifier.labels,
        input=classifier.manifest.input,
        probabilities=classifier.predict_proba,
        network=None,
        run=folder if exported else None,
        record=folder.read_record() if exported else None,
        third_party=classifier.is_third_party,
        fit=classifier.contract.said_fit(classifier.manifest.input),
        assumed=classifier.contract.assumed,
    )


def _import_keras() -> Any:
    try:
        with native_output_kept():
            import keras
    except ImportError as error:
        raise MissingExtraError("the Keras model of a run", package=error.name or "keras", extra="train") from error
    return keras


def _through_keras(model: Any) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    # Uncompiled, Keras takes XLA, which is several times slower on a CPU. The loss is never asked for.
    model.compile(jit_compile=False)

    def probabilities(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(model.predict_on_batch(pixels), np.float32)

    return probabilities
