"""ONNX files, run by ONNX Runtime on the CPU."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.backends import class_count, image_shape
from edgecnn_runtime.errors import MissingExtraError, ModelError
from edgecnn_runtime.manifest import ONNX_KEY

# Images of one run of the session: the memory for activations grows with it, the speed no longer does.
_BATCH = 32
_ERROR_LEVEL = 3  # of ONNX Runtime's logger: 0 verbose … 4 fatal


class OnnxBackend:
    """One ONNX Runtime session; its runs are thread-safe, so all threads share it."""

    name = "onnxruntime"

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError("ONNX Runtime", package="onnxruntime", extra="onnx") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERROR_LEVEL
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        # ONNX Runtime's own exceptions derive from Exception only.
        except Exception as error:
            raise ModelError(f"{path}: a whole ONNX file expected; ONNX Runtime says: {error}") from error
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(f"{path}: one input and one output expected, got {len(inputs)} and {len(outputs)}")
        if inputs[0].type not in _DTYPES or outputs[0].type != "tensor(float)":
            raise ModelError(
                f"{path}: input {' or '.join(_DTYPES)} and output tensor(float) expected, "
                f"got {inputs[0].type} and {outputs[0].type}"
            )
        self.input_shape = image_shape(path, tuple(inputs[0].shape))
        self.classes = class_count(path, tuple(outputs[0].shape))
        text = session.get_modelmeta().custom_metadata_map.get(ONNX_KEY)
        self.manifest_json = None if text is None else text.encode()
        # Those that loaded: ONNX Runtime leaves out what it was asked for and could not start.
        self.provider: str | None = ", ".join(session.get_providers())
        self._session = session
        self._input, self._outputs = inputs[0].name, [outputs[0].name]
        self._dtype = _DTYPES[inputs[0].type]

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run uint8 pixels `(N, height, width, channels)`, 0…255; return probabilities `(N, classes)`."""
        if len(pixels) <= _BATCH:
            return self._run(pixels)
        return np.concatenate([self._run(pixels[start : start + _BATCH]) for start in range(0, len(pixels), _BATCH)])

    def _run(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        values = pixels.astype(self._dtype, copy=False)
        probabilities: NDArray[np.float32] = self._session.run(self._outputs, {self._input: values})[0]
        return probabilities

    def another(self) -> "OnnxBackend":
        """Return this session, which several threads may use at once."""
        return self


_DTYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}
