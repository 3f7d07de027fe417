"""The interpreters a model can run on, behind one small protocol.

No interpreter is imported here: each backend imports its own when it is constructed, so that a device needs
only the one it uses and `import edgecnn_runtime` stays as light as numpy.
"""

import enum
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.backends.delegate import Delegate
from edgecnn_runtime.backends.interface import Adapt
from edgecnn_runtime.errors import InputError, ModelError


class Backend(Protocol):
    """One opened model. Not safe for use by two threads at once: each takes its own with `another`."""

    name: str
    # What it runs on, as the interpreter tells after loading; None where it does not.
    provider: str | None
    # (height, width, channels) of one image
    input_shape: tuple[int, int, int]
    classes: int
    # The edgecnn manifest as it stands in the file, or None.
    manifest_json: bytes | None

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run uint8 pixels `(N, height, width, channels)`, 0…255; return probabilities `(N, classes)`."""

    def another(self) -> "Backend":
        """Return a backend of the same model for another thread."""


class Provider(enum.StrEnum):
    """Where ONNX Runtime computes."""

    CPU = "cpu"
    CUDA = "cuda"
    TENSORRT = "tensorrt"


def open_backend(
    path: Path,
    *,
    threads: int = 1,
    provider: Provider = Provider.CPU,
    allow_fallback: bool = False,
    delegates: Sequence[Delegate] = (),
    adapt: Adapt | None = None,
) -> Backend:
    """Open a model file with the interpreter of its format, told by the suffix.

    Args:
        path: a `.tflite` or `.onnx` file.
        threads: threads within one inference.
        provider: where ONNX Runtime computes.
        allow_fallback: whether the CPU will do where `provider` is not there.
        delegates: of TFLite, tried in this order.
        adapt: decides how a file without a manifest of edgecnn is used; None: as an exported one.

    Raises:
        ModelError: missing, of another format, damaged, or not an image classifier.
        InputError: a provider or a delegate that is not there, or not of this format.
        MissingExtraError: the interpreter is not installed.
    """
    if threads < 1:
        raise ValueError(f"threads: expected at least 1, got {threads}")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ModelError(f"{path}: expected a model file ({' or '.join(SUFFIXES)}), got {suffix or 'no suffix'}")
    if not path.is_file():
        raise ModelError(f"{path}: expected a model file, {'got a folder' if path.is_dir() else 'no such file'}")
    if suffix == ".tflite":
        if provider is not Provider.CPU:
            raise InputError(f"--provider {provider}: expected an .onnx file, got {path}; TFLite takes a --delegate")
        from edgecnn_runtime.backends.litert import LiteRTBackend

        return LiteRTBackend(path, threads=threads, delegates=delegates, adapt=adapt)
    if delegates:
        raise InputError(f"--delegate: expected a .tflite file, got {path}; ONNX Runtime takes a --provider")
    from edgecnn_runtime.backends.onnx import OnnxBackend

    return OnnxBackend(path, threads=threads, provider=provider, allow_fallback=allow_fallback, adapt=adapt)


def is_model_file(path: Path) -> bool:
    """Tell whether there is a file of a format that a backend runs."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


# Model formats and the name of the backend that runs each.
SUFFIXES = {".tflite": "litert", ".onnx": "onnxruntime"}


def image_shape(path: Path, shape: tuple[object, ...]) -> tuple[int, int, int]:
    """Check that a model's input is one batch of images.

    Raises:
        ModelError: not `(N, height, width, channels)` with 1 or 3 channels.
    """
    if len(shape) == 4:
        _, height, width, channels = shape
        if isinstance(height, int) and isinstance(width, int) and channels in (1, 3) and min(height, width) > 0:
            return height, width, 3 if channels == 3 else 1
    raise ModelError(f"{path}: expected input (N, height, width, 1 or 3), got {shape}")


def class_count(path: Path, shape: tuple[object, ...]) -> int:
    """Check that a model's output is one row of classes an image.

    Raises:
        ModelError: not `(N, classes)` with at least two classes.
    """
    if len(shape) == 2 and isinstance(shape[1], int) and shape[1] > 1:
        return shape[1]
    raise ModelError(f"{path}: expected output (N, classes) with two or more classes, got {shape}")
