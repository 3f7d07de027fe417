"""One container's way of making an integer file, and the file that comes of it without a search."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgecnn_export.int8.activation_statistics import Statistics, measure_statistics
from edgecnn_export.int8.calibration import CalibrationMethod
from edgecnn_export.int8.quantizable import FloatOperator, QuantizableGraph


class Quantizer(Protocol):
    """One container's way of making an integer file of one network."""

    @property
    def suffix(self) -> str:
        """Of the file, such as `.tflite`."""

    @property
    def graph(self) -> QuantizableGraph:
        """The float32 graph."""

    def without_integer_form(self, statistics: Statistics) -> Sequence[FloatOperator]:
        """Return the operators that stay float32 in every file."""

    def file(self, statistics: Statistics, in_float: Sequence[FloatOperator]) -> bytes:
        """Quantize it, but for the operators named.

        Raises:
            GateError: another operator must be an integer one and has no such form.
            MissingExtraError: the quantizer is not installed.
        """


@dataclass(frozen=True)
class QuantizedFile:
    """An integer file and what it was made with."""

    content: bytes
    statistics: Statistics
    in_float: tuple[FloatOperator, ...]  # what has no integer form

    @property
    def warning(self) -> str | None:
        """Say what is wrong with the calibration images; None where nothing is."""
        return self.statistics.disagreement(unused=[name for operator in self.in_float for name in operator.outputs])


def quantize_once(quantizer: Quantizer, images: NDArray[np.uint8], method: CalibrationMethod) -> QuantizedFile:
    """Quantize all that has an integer form.

    Args:
        quantizer: of the container.
        images: to calibrate on, uint8 `(N, height, width, channels)`.
        method: of the calibration.

    Raises:
        GateError, MissingExtraError: as `Quantizer.file`; an activation is no finite number.
    """
    statistics = measure_statistics(quantizer.graph, images, method)
    in_float = tuple(quantizer.without_integer_form(statistics))
    return QuantizedFile(quantizer.file(statistics, in_float), statistics, in_float)
