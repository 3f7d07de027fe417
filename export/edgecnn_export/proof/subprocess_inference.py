"""Run a model file in a process of its own: interpreters end the whole process where they meet what they do not check.

LiteRT's reference kernels abort on the scales of a MobileNetV3 with random weights, for one.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import edgecnn_runtime
from edgecnn_runtime.backends import open_backend
from edgecnn_runtime.backends.litert import LiteRTBackend
from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.system.process_end import describe_end

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
    pass  # the process that asked will find the same, and say it
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
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as temporary, tempfile.TemporaryFile() as stderr:
        folder = Path(temporary)
        np.save(folder / "images.npy", images)
        root = str(Path(edgecnn_runtime.__file__).parents[1])
        kernels = "reference" if reference else "optimized"
        command = [sys.executable, "-P", "-c", _PROGRAM, root, str(model), temporary, kernels]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, timeout=_TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired:
            raise ModelError(f"{model.name}: expected an answer within {_TIMEOUT:.0f} s, got none") from None
        if done.returncode:
            raise ModelError(
                f"{model.name}: expected a model that runs; on {kernels} kernels "
                f"{describe_end(done.returncode, stderr)}"
            )
        if not (folder / "probabilities.npy").exists():
            return (LiteRTBackend(model, reference=True) if reference else open_backend(model)).infer(images)
        probabilities: NDArray[np.float32] = np.load(folder / "probabilities.npy", allow_pickle=False)
        return probabilities
