"""TFLite files, run by LiteRT (the package ai-edge-litert)."""

import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.backends import class_count, image_shape
from edgecnn_runtime.errors import MissingExtraError, ModelError
from edgecnn_runtime.manifest import TFLITE_FILE


class LiteRTBackend:
    """One LiteRT interpreter with a fixed batch of 1; a larger batch runs image by image.

    The reference kernels are slow, and those of TFLite-Micro: their integers are the same to the bit.
    """

    name = "litert"

    def __init__(self, path: Path, *, threads: int = 1, reference: bool = False) -> None:
        try:
            from ai_edge_litert import interpreter as litert
        except ImportError as error:
            raise MissingExtraError("LiteRT", package="ai-edge-litert", extra="litert") from error
        self._path, self._threads, self._reference = path, threads, reference
        options = {"experimental_op_resolver_type": litert.OpResolverType.BUILTIN_REF} if reference else {}
        try:
            interpreter = litert.Interpreter(model_path=str(path), num_threads=threads, **options)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{path}: a whole TFLite file expected; LiteRT says: {error}") from error
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(f"{path}: one input and one output expected, got {len(inputs)} and {len(outputs)}")
        self.input_shape = image_shape(path, tuple(int(size) for size in inputs[0]["shape"]))
        self.classes = class_count(path, tuple(int(size) for size in outputs[0]["shape"]))
        self.manifest_json = read_associated_file(path, TFLITE_FILE)
        self.provider = _provider(interpreter)
        self._interpreter = interpreter
        self._input, self._output = inputs[0]["index"], outputs[0]["index"]
        self._encode = _encoder(path, inputs[0])
        self._decode = _decoder(path, outputs[0])

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run uint8 pixels `(N, height, width, channels)`, 0…255; return probabilities `(N, classes)`."""
        if len(pixels) == 1:
            return self._infer_one(pixels)
        rows = np.empty((len(pixels), self.classes), np.float32)
        for index in range(len(pixels)):
            rows[index] = self._infer_one(pixels[index : index + 1])
        return rows

    def _infer_one(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        interpreter = self._interpreter
        interpreter.set_tensor(self._input, pixels if self._encode is None else self._encode(pixels))
        interpreter.invoke()
        output = interpreter.get_tensor(self._output)
        probabilities: NDArray[np.float32] = output if self._decode is None else self._decode(output)
        return probabilities

    def another(self) -> "LiteRTBackend":
        """Open the file once more; the interpreters share its mapped pages."""
        return LiteRTBackend(self._path, threads=self._threads, reference=self._reference)


def _provider(interpreter: Any) -> str | None:
    """Tell whether XNNPACK took over operators; LiteRT says so only in its list of operators, which is not public."""
    try:
        operators = [operator["op_name"] for operator in interpreter._get_ops_details()]
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError):
        return None
    return "XNNPACK" if "DELEGATE" in operators else "built-in kernels"


def _encoder(path: Path, details: dict[str, Any]) -> Callable[[NDArray[np.uint8]], NDArray[Any]] | None:
    """Return what makes a model's input of uint8 pixels, or None where the pixels are that input."""
    if details["dtype"] == np.float32:
        return lambda pixels: pixels.astype(np.float32)
    dtype, scale, zero_point = _quantization(path, details)
    if (dtype, scale, zero_point) == (np.uint8, 1.0, 0):
        return None
    if (dtype, scale, zero_point) == (np.int8, 1.0, -128):
        # pixel - 128 is the same byte with its highest bit turned.
        return lambda pixels: (pixels ^ np.uint8(128)).view(np.int8)
    table = pixel_values(dtype, scale, zero_point)
    return lambda pixels: table[pixels]


def pixel_values(dtype: Any, scale: float, zero_point: int) -> NDArray[Any]:
    """Return what a quantized input takes for each pixel value 0…255, `(256,)` of `dtype`."""
    limits = np.iinfo(dtype)
    quantized = np.round(np.arange(256) / scale) + zero_point
    return np.clip(quantized, limits.min, limits.max).astype(dtype)


def _decoder(path: Path, details: dict[str, Any]) -> Callable[[NDArray[Any]], NDArray[np.float32]] | None:
    """Return what makes probabilities of a model's output, or None where they are that output."""
    if details["dtype"] == np.float32:
        return None
    dtype, scale, zero_point = _quantization(path, details)

    def decode(quantized: NDArray[Any]) -> NDArray[np.float32]:
        return np.float32(scale) * (quantized - np.float32(zero_point))

    if dtype == np.int16:
        return decode
    # In the order of its bits read as uint8.
    table = decode(np.arange(256, dtype=np.uint8).view(dtype))
    return lambda output: table[output.view(np.uint8)]


def _quantization(path: Path, details: dict[str, Any]) -> tuple[Any, float, int]:
    scale, zero_point = details["quantization"]
    if details["dtype"] not in (np.uint8, np.int8, np.int16) or scale <= 0:
        raise ModelError(
            f"{path}: {details['name']}: float32, or uint8, int8 or int16 with a scale expected, "
            f"got {np.dtype(details['dtype']).name} with scale {scale}"
        )
    return details["dtype"], float(scale), int(zero_point)


def read_associated_file(path: Path, name: str) -> bytes | None:
    """Read one of the files that TFLite Metadata appends to a model as a zip; None if it is absent or damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(name)
    # A damaged zip, too, counts as none; zipfile passes on whatever its offsets and its decompressor lead to.
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, RuntimeError, EOFError, struct.error, zlib.error):
        return None
