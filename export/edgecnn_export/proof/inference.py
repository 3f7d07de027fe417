"""Files that are not finished yet, run by the runtime: opened from memory, and on all cores."""

import contextlib
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecnn_export.proof.subprocess_inference import infer_in_subprocess
from edgecnn_runtime.backends import Backend, open_backend
from edgecnn_runtime.system.cpu import available_cpus
from edgecnn_runtime.system.native_output import native_output_kept


@contextlib.contextmanager
def opened(content: bytes, suffix: str, *, tried_on: NDArray[np.uint8] | None = None) -> Iterator[Backend]:
    """Open the content of a model file in the runtime, while the block runs.

    Args:
        content: of the file.
        suffix: such as `.tflite`.
        tried_on: images that a subprocess runs before, `(N, height, width, channels)`.

    Raises:
        ModelError: the interpreter does not take it, or crashes in the subprocess.
    """
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        path = Path(folder) / f"draft{suffix}"
        path.write_bytes(content)
        if tried_on is not None:
            infer_in_subprocess(path, tried_on)
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
