"""Files that are not finished yet, run by the runtime: first in a subprocess, then opened from memory, on all cores.

Interpreters end the whole process where they meet what they do not check. LiteRT's reference kernels abort on the
scales of a MobileNetV3 with random weights, for one.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import edgecnn_runtime
from edgecnn_runtime.backends import Backend, open_backend
from edgecnn_runtime.backends.litert import LiteRTBackend
from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.system.cpu import available_cpus
from edgecnn_runtime.system.native_output import native_output_kept
from edgecnn_runtime.system.own_process import run_python

# Seconds for a handful of images; on reference kernels a network of 224x224 pixels takes seconds for one.
_TIMEOUT = 600.0

_PROGRAM = """\
import sys
from pathlib import Path
import numpy as np
sys.path[:0] = [sys.argv[1]]
from edgecnn_runtime.backends import open_backend
from edgecnn_runtime.backends.litert import LiteRTBackend
model, folder, reference = Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4] == "reference"
try:
    backend = LiteRTBackend(model, reference=True) if reference else open_backend(model)
    np.save(folder / "probabilities.npy", backend.infer(np.load(folder / "images.npy", allow_pickle=False)))
except Exception:
    pass  # the process that asked finds the same, and says it
"""


def infer_in_subprocess(model: Path, images: NDArray[np.uint8], *, reference: bool = False) -> NDArray[np.float32]:
    """Run some images.

    Args:
        model: a `.tflite` or `.onnx` file.
        images: uint8 `(N, height, width, channels)`.
        reference: on TFLite's reference kernels in place of the optimized ones.

    Returns:
        Probabilities, `(N, classes)`.

    Raises:
        ModelError: the interpreter does not take the file, crashes, or is busy for ever.
        MissingExtraError: it is not installed.
    """
    kernels = "reference" if reference else "optimized"
    root = str(Path(edgecnn_runtime.__file__).parents[1])
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        np.save(Path(folder, "images.npy"), images)
        ended = run_python("-c", _PROGRAM, root, str(model), folder, kernels, timeout=_TIMEOUT)
        if ended.reason:
            raise ModelError(f"{model.name}: expected a model that runs; on {kernels} kernels {ended.reason}")
        answer = Path(folder, "probabilities.npy")
        if not answer.exists():
            return (LiteRTBackend(model, reference=True) if reference else open_backend(model)).infer(images)
        probabilities: NDArray[np.float32] = np.load(answer, allow_pickle=False)
        return probabilities


@contextlib.contextmanager
def unnamed(draft: Path) -> Iterator[None]:
    """Keep the path of a temporary file out of what is said of it: whoever reads it knows the file by its own name."""
    try:
        yield
    except ModelError as error:
        raise ModelError(str(error).replace(f"{draft}: ", "").replace(f"{draft.name}: ", "")) from error


@contextlib.contextmanager
def opened(content: bytes, suffix: str, *, images: NDArray[np.uint8] | None = None) -> Iterator[Backend]:
    """Open the content of a model file in the runtime, while the block runs.

    Args:
        content: of the file.
        suffix: such as `.tflite`.
        images: what a subprocess runs before, `(N, height, width, channels)`.

    Raises:
        ModelError: the interpreter does not take it, or crashes in the subprocess.
    """
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        path = Path(folder) / f"draft{suffix}"
        path.write_bytes(content)
        with unnamed(path):
            if images is not None:
                infer_in_subprocess(path, images)
            with native_output_kept():
                backend = open_backend(path)
            yield backend


def infer_on_all_cores(backend: Backend, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Run many images, each core a part of them: int16x8 takes a hundred times as long as int8."""
    cores = min(available_cpus(), len(images))
    backends = [backend, *(backend.another() for _ in range(cores - 1))]
    with ThreadPoolExecutor(cores) as pool:
        parts = pool.map(lambda each, part: each.infer(part), backends, np.array_split(images, cores))
        return np.concatenate(list(parts))
