"""TFLite-Micro's Python interpreter as a backend, to compare with; and stand-ins for its headers."""

from collections.abc import Iterable
from pathlib import Path

import needs
import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.backends.stored_tensors import pixel_values

# TFLite-Micro's 8-bit kernels equal TFLite's reference kernels to the bit; its 16-bit ones may round the other way. A
# logit that is off by a step, 1/32768 of a range of up to 32, moves a probability by a quarter of that at most.
A_LOGIT_STEP = 8 / 32768 + 1e-7

# More than any network of ours needs; what is not used is never touched.
PLENTY = 2**28


class MicroBackend:
    """Runs one image at a time; skips the test where the interpreter is not installed."""

    def __init__(self, content: bytes, *, arena: int = PLENTY) -> None:
        needs.package("tflite_micro", "tflite-micro")
        from tflite_micro import runtime

        self.interpreter = runtime.Interpreter.from_bytes(content, arena_size=arena)
        details = self.interpreter.get_input_details(0)
        self._table = pixel_values(details["dtype"], *_quantization(details))
        self._output = self.interpreter.get_output_details(0)

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run uint8 pixels `(N, height, width, channels)`; return probabilities `(N, classes)`."""
        rows = np.concatenate([self.invoke(self._table[image]) for image in pixels]).astype(np.float32)
        if self._output["dtype"] == np.float32:
            return rows
        scale, zero_point = _quantization(self._output)
        return np.float32(scale) * (rows - zero_point)

    def invoke(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """Run the input tensor's own values for one image; return the output tensor's, `(1, classes)`."""
        self.interpreter.set_input(values[np.newaxis], 0)
        self.interpreter.invoke()
        return self.interpreter.get_output(0)


def _quantization(details: dict) -> tuple[float, int]:  # type: ignore[type-arg]
    parameters = details["quantization_parameters"]
    return float(parameters["scales"][0]), int(parameters["zero_points"][0])


def write_micro_headers(folder: Path, methods: Iterable[str]) -> None:
    """Write headers that declare what a main loop uses of TFLite-Micro, and no more."""
    micro = folder / "tensorflow" / "lite" / "micro"
    micro.mkdir(parents=True)
    (micro / "micro_mutable_op_resolver.h").write_text(
        "#pragma once\nenum TfLiteStatus { kTfLiteOk, kTfLiteError };\nnamespace tflite {\n"
        "template <unsigned int N> struct MicroMutableOpResolver {\n"
        + "".join(f"  TfLiteStatus {name}() {{ return kTfLiteOk; }}\n" for name in methods)
        + "};\n}\n"
    )
    (micro / "micro_interpreter.h").write_text(
        '#pragma once\n#include <cstddef>\n#include <cstdint>\n#include "micro_mutable_op_resolver.h"\n'
        "namespace tflite {\nstruct Model;\nconst Model* GetModel(const void* data);\n"
        "struct MicroInterpreter {\n  template <class R>\n"
        "  MicroInterpreter(const Model* model, const R& operators, uint8_t* arena, size_t arena_size);\n"
        "  TfLiteStatus AllocateTensors();\n  TfLiteStatus Invoke();\n"
        "  template <class T> T* typed_input_tensor(int index);\n"
        "  template <class T> T* typed_output_tensor(int index);\n};\n}\n"
    )
