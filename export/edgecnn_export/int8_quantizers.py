"""How each container is quantized to int8, as the ladder wants it."""

import contextlib
import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgecnn_export.activation_statistics import Statistics, measure_statistics
from edgecnn_export.calibration import CalibrationMethod
from edgecnn_export.converted import Converted, told_by_converter
from edgecnn_export.quantizable import Operator
from edgecnn_runtime.backends import Backend, open_backend
from edgecnn_runtime.native_output import native_output_kept

if TYPE_CHECKING:
    from edgecnn_export.onnx_graph import OnnxGraph
    from edgecnn_export.optimized.optimize import Optimized
    from edgecnn_export.tflite_graph import TFLiteGraph


@dataclass(frozen=True)
class QuantizationAware:
    """What trains a network on with the rounding of int8, and the images to quantize the result with."""

    train: Callable[[], "Optimized"]
    calibration: NDArray[np.uint8]


@dataclass(frozen=True)
class TFLiteQuantizer:
    """Full-integer TFLite: a `ladder.Quantizer`."""

    converted: Converted
    signed: bool
    learning: "QuantizationAware"
    biases_learnt: bool = False  # the weights come from quantization-aware training

    @property
    def graph(self) -> "TFLiteGraph":
        """The float32 TFLite file."""
        return self.converted.tflite

    def without_integer_form(self, statistics: Statistics) -> tuple[Operator, ...]:
        """Return what must stay float32; nothing where the file is to be for processors that know integers only."""
        from edgecnn_export.int8_tflite import without_integer_form

        with told_by_converter():
            return () if self.signed else without_integer_form(self.graph, statistics)

    def file(self, statistics: Statistics, in_float: Sequence[Operator]) -> bytes:
        """Quantize it, but for some operators."""
        from edgecnn_export.int8_tflite import quantize

        with told_by_converter():
            return quantize(
                self.graph, statistics, signed=self.signed, in_float=in_float, biases_learnt=self.biases_learnt
            )

    def opened(self, content: bytes) -> contextlib.AbstractContextManager[Backend]:
        """Open a file in the runtime, while a block runs."""
        return opened(content, ".tflite")

    def trained_on(self) -> bytes:
        """Return the file of the weights that came back from quantization-aware training."""
        return _with_new_weights(self, self.learning.train())


@dataclass(frozen=True)
class OnnxQuantizer:
    """QDQ ONNX: a `ladder.Quantizer`."""

    converted: Converted
    reduce_range: bool
    learning: "QuantizationAware"
    biases_learnt: bool = False  # the weights come from quantization-aware training

    @property
    def graph(self) -> "OnnxGraph":
        """The float32 ONNX model."""
        return self.converted.quantizable_onnx

    def without_integer_form(self, statistics: Statistics) -> tuple[Operator, ...]:
        """Return nothing: ONNX Runtime quantizes what lies around an operator and leaves it alone."""
        del statistics
        return ()

    def file(self, statistics: Statistics, in_float: Sequence[Operator]) -> bytes:
        """Quantize it, but for some operators."""
        from edgecnn_export.int8_onnx import quantize
        from edgecnn_export.onnx import checked

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

    def opened(self, content: bytes) -> contextlib.AbstractContextManager[Backend]:
        """Open a file in the runtime, while a block runs."""
        return opened(content, ".onnx")

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
def opened(content: bytes, suffix: str) -> Iterator[Backend]:
    """Open the content of a model file in the runtime, while the block runs.

    Raises:
        ModelError: the interpreter does not take it.
    """
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        path = Path(folder) / f"draft{suffix}"
        path.write_bytes(content)
        with native_output_kept():
            backend = open_backend(path)
        yield backend
