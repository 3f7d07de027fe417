"""MNN, which converts a file to its own format first."""

import subprocess
import sys
import tempfile
from pathlib import Path

import MNN
import numpy as np
from adapter import decode, encode, first_words, serve

# Not by `MNN.tools.mnnconvert`: it installs packages, with whatever pip is on the path, and reports to its makers.
_CONVERT = "import sys; import _tools; _tools.mnnconvert(sys.argv)"


def open_model(path, shape):
    """Convert a file and open it on one thread."""
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        target = Path(folder) / "model.mnn"
        source = ["-f", "TFLITE" if path.endswith(".tflite") else "ONNX", "--modelFile", path]
        command = [sys.executable, "-c", _CONVERT, *source, "--MNNModel", str(target), "--bizCode", "edgecnn"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not target.exists() or not target.stat().st_size:
            said = [line for line in (done.stdout + done.stderr).splitlines() if "rror" in line]
            raise ValueError(first_words("\n".join([f"its converter ends with {done.returncode}:", *said[-1:]])))
        interpreter = MNN.Interpreter(str(target))
    session = interpreter.createSession({"numThread": 1})
    source, result = interpreter.getSessionInput(session), interpreter.getSessionOutput(session)
    interpreter.resizeTensor(source, (1, *shape))
    interpreter.resizeSession(session)
    layout = source.getDimensionType()
    kinds = {
        MNN.Halide_Type_Uint8: np.uint8,
        MNN.Halide_Type_Float: np.float32,
        MNN.Halide_Type_Int: np.int32,
    }
    kind, out_kind = source.getDataType(), result.getDataType()
    if kind not in kinds or out_kind not in kinds:
        raise ValueError("its Python interface does not say the type of a tensor")

    def classify(image):
        values = np.ascontiguousarray(encode(image, kinds[kind])[None])
        source.copyFrom(MNN.Tensor(values.shape, kind, values, layout))
        interpreter.runSession(session)
        empty = np.zeros(result.getShape(), kinds[out_kind])
        host = MNN.Tensor(result.getShape(), out_kind, empty, result.getDimensionType())
        result.copyToHostTensor(host)
        return decode(np.array(host.getData(), kinds[out_kind]).reshape(-1))

    return classify


if __name__ == "__main__":
    serve(open_model)
