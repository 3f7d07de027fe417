"""What every engine's file implements."""

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edgecnn_runtime.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgecnn_runtime.backends.adaptation import Adapt
    from edgecnn_runtime.backends.delegate import Delegate
    from edgecnn_runtime.model_formats import ModelFile


class Backend(Protocol):
    """One opened model. Not safe for use by two threads at once: each takes its own with `another`."""

    # Of the engine, or of the package that replaces its first.
    name: str
    # What it runs on, as the interpreter tells after loading; None where it does not.
    provider: str | None
    # (height, width, channels) of one image
    input_shape: tuple[int, int, int]
    classes: int
    # The edgecnn manifest as the file has it, or None.
    manifest_json: bytes | None

    def infer(self, pixels: "NDArray[np.uint8]") -> "NDArray[np.float32]":
        """Run uint8 pixels `(N, height, width, channels)`, 0…255; return probabilities `(N, classes)`.

        Raises:
            ModelError: the engine cannot run the model.
            MemoryError: there is not enough memory at the moment.
        """

    def another(self) -> "Backend":
        """Return a backend of the same model for another thread; the file is not opened again."""

    def after_fork(self) -> "Backend":
        """Return a backend of the same model for a process that was forked from that which opened this one.

        This one may have been at work in a thread that the new process does not have, so that it is not touched.

        Raises:
            ModelError: the engine does not survive a fork, or needs the file again and that has changed.
        """


class Provider(enum.StrEnum):
    """The hardware that an engine computes on; every engine takes the CPU."""

    CPU = "cpu"
    CUDA = "cuda"
    TENSORRT = "tensorrt"


@dataclass(frozen=True)
class TensorFacts:
    """An input or an output, as the interpreter describes it."""

    name: str
    shape: tuple[int | None, ...] | None  # None for an open size, or where not even the number of axes is known
    dtype: str  # of numpy
    scale: float | None = None  # None where it is not quantized
    zero_point: int = 0


@dataclass(frozen=True, kw_only=True)
class BackendOptions:
    """How a model is opened."""

    threads: int = 1  # within one inference
    provider: Provider = Provider.CPU
    # Whether the CPU will do where `provider` is not there.
    allow_fallback: bool = False
    delegates: "tuple[Delegate, ...]" = ()  # tried in this order
    # Decides how a file without a manifest of edgecnn is used; None: as an exported one.
    adapt: "Adapt | None" = None


class EngineFile(Protocol):
    """What the module of an engine offers; importing it does not import the engine."""

    __name__: str

    def open_model(self, model: "ModelFile", options: BackendOptions, /) -> Backend:
        """Open a model file.

        Raises:
            ModelError: damaged, or not an image classifier.
            InputError: a provider or a delegate that is not there.
            MissingExtraError: the engine is not installed.
        """

    def probe(self) -> Sequence[str]:
        """Import the engine, with whatever happens then; return the names of the providers that really load.

        `edgecnn doctor` calls it in a subprocess.
        """


# What engines say, in errors of any kind, when the system gives them no memory.
_NO_MEMORY = re.compile("bad[ _]alloc|failed to (re)?allocate|cannot allocate|out of memory", re.IGNORECASE)


def out_of_memory(error: Exception) -> bool:
    """Tell whether an engine failed for want of memory, which is no fault of the model."""
    return isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)) is not None


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
    """Check that a model's output is one row of classes per image.

    Raises:
        ModelError: not `(N, classes)` with at least two classes.
    """
    if len(shape) == 2 and isinstance(shape[1], int) and shape[1] > 1:
        return shape[1]
    raise ModelError(f"{path}: expected output (N, classes) with two or more classes, got {shape}")
