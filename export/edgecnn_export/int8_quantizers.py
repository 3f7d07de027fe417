"""How each container is quantized to int8, as the accuracy search wants it."""

import contextlib
import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgecnn_export.converted import Converted, told_by_converter
from edgecnn_export.int8.activation_statistics import Statistics, measure_statistics, only_in_float
from edgecnn_export.int8.calibration import CalibrationMethod
from edgecnn_export.int8.quantizable import FloatOperator
from edgecnn_export.proof.subprocess_inference import infer_in_subprocess
from edgecnn_runtime.backends import Backend, open_backend
from edgecnn_runtime.system.native_output import native_output_kept

if TYPE_CHECKING:
    from edgecnn_export.onnx.graph import OnnxGraph
    from edgecnn_export.optimized.optimize import Optimized
    from edgecnn_export.tflite.graph import TFLiteGraph


@dataclass(frozen=True)
class QuantizationAware:
    """What trains a network on with the rounding of int8, and the images to quantize the result with."""

    train: Callable[[], "Optimized"]
    calibration: NDArray[np.uint8]


@dataclass(frozen=True)
class TFLiteQuantizer:
    """Full-integer TFLite: a `accuracy_search.Quantizer`."""

    converted: Converted
    signed: bool
    learning: "QuantizationAware"
    biases_learnt: bool = False  # the weights come from quantization-aware training

    @property
    def graph(self) -> "TFLiteGraph":
        """The float32 TFLite file."""
        return self.converted.tflite

    def without_integer_form(self, statistics: Statistics) -> tuple[FloatOperator, ...]:
        """Return what must stay float32; nothing where the file is to be for processors that know integers only."""
        from edgecnn_export.tflite.quantize import without_integer_form

        if self.signed:
            only_in_float(self.graph, statistics)
            return ()
        with told_by_converter():
            return without_integer_form(self.graph, statistics)

    def file(self, statistics: Statistics, in_float: Sequence[FloatOperator]) -> bytes:
        """Quantize it, but for some operators."""
        from edgecnn_export.tflite.quantize import quantize

        with told_by_converter():
            return quantize(
                self.graph, statistics, signed=self.signed, in_float=in_float, biases_learnt=self.biases_learnt
            )

    def opened(self, content: bytes, *, first: bool = False) -> contextlib.AbstractContextManager[Backend]:
        """Open a file in the runtime, while a block runs."""
        return opened(content, ".tflite", tried_on=self.learning.calibration[:1] if first else None)

    def trained_on(self) -> bytes:
        """Return the file of the weights that came back from quantization-aware training."""
        return _with_new_weights(self, self.learning.train())


@dataclass(frozen=True)
class OnnxQuantizer:
    """QDQ ONNX: a `accuracy_search.Quantizer`."""

    converted: Converted
    reduce_range: bool
    learning: "QuantizationAware"
    biases_learnt: bool = False  # the weights come from quantization-aware training

    @property
    def graph(self) -> "OnnxGraph":
        """The float32 ONNX model."""
        return self.converted.quantizable_onnx

    def without_integer_form(self, statistics: Statistics) -> tuple[FloatOperator, ...]:
        """Return what only float32 can show; where ONNX Runtime has no integer form, it leaves an operator alone."""
        return only_in_float(self.graph, statistics)

    def file(self, statistics: Statistics, in_float: Sequence[FloatOperator]) -> bytes:
        """Quantize it, but for some operators."""
        from edgecnn_export.onnx.convert import checked
        from edgecnn_export.onnx.quantize import quantize

        with told_by_converter():
            return checked(
                quantize(
                    self.graph,
                    statistics,
                    reduce_range=self.reduce_range,
                    in_float=in_float,
                    biases_learnt=self.biases_learnt,
                )
            )

    def opened(self, content: bytes, *, first: bool = False) -> contextlib.AbstractContextManager[Backend]:
        """Open a file in the runtime, while a block runs."""
        return opened(content, ".onnx", tried_on=self.learning.calibration[:1] if first else None)

    def trained_on(self) -> bytes:
        """Return the file of the weights that came back from quantization-aware training."""
        return _with_new_weights(self, self.learning.train())


def _with_new_weights(quantizer: TFLiteQuantizer | OnnxQuantizer, done: "Optimized") -> bytes:
    """Return the file of the weights that came back from training, which has learnt the biases too."""
    converted = Converted(done.model, quantizer.converted.opset)
    again = dataclasses.replace(quantizer, converted=converted, biases_learnt=True)
    statistics = measure_statistics(again.graph, quantizer.learning.calibration, CalibrationMethod.MINMAX)
    return again.file(statistics, again.without_integer_form(statistics))


@contextlib.contextmanager
def opened(content: bytes, suffix: str, *, tried_on: NDArray[np.uint8] | None = None) -> Iterator[Backend]:
    """Open the content of a model file in the runtime, while the block runs.

    Args:
        content: of the file.
        suffix: `.tflite` or `.onnx`.
        tried_on: images that a process of its own runs before, `(N, height, width, channels)`.

    Raises:
        ModelError: the interpreter does not take it, or crashes.
    """
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        path = Path(folder) / f"draft{suffix}"
        path.write_bytes(content)
        if tried_on is not None:
            infer_in_subprocess(path, tried_on)
        with native_output_kept():
            backend = open_backend(path)
        yield backend
