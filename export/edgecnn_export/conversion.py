"""The content of one format, without its manifest: converted, for int8 by the accuracy search."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from edgecnn_export.converted import Converted, told_by_converter
from edgecnn_export.export_settings import ExportSettings
from edgecnn_export.formats import Format
from edgecnn_export.int8.accuracy_search import Quantizer, SearchCandidate, Skipped, search
from edgecnn_export.int8.activation_statistics import measure_statistics
from edgecnn_export.int8.calibration import CalibrationImages, CalibrationMethod
from edgecnn_export.int8.quantizable import names
from edgecnn_export.int8_quantizers import OnnxQuantizer, QuantizationAware, TFLiteQuantizer
from edgecnn_export.source import ExportSource
from edgecnn_runtime.manifest import Calibration, Scheme

# Called after each way of quantizing a format that was tried.
SearchReport = Callable[[Format, SearchCandidate], object]


@dataclass(frozen=True)
class Made:
    """A converted file, without its manifest."""

    content: bytes
    calibration: Calibration | None = None
    candidates: tuple[SearchCandidate, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    warning: str | None = None
    in_float: tuple[str, ...] = ()  # names of the operators that stay float32 in a file of integers


def convert(source: ExportSource, fmt: Format, settings: ExportSettings, searching: SearchReport) -> Made:
    """Convert to one format.

    Raises:
        GateError: the converter does not take the network.
        MissingExtraError: a converter or an interpreter is not installed.
    """
    if source.calibration is None or not fmt.needs_calibration:
        return Made(source.converted.file(fmt))
    chosen = source.calibration
    biases_learnt = source.optimized is not None and source.optimized.outcome.optimization.quantization_aware
    if fmt.scheme is Scheme.INT16X8:
        return _int16x8(source.converted, chosen, settings.calibration, biases_learnt=biases_learnt)
    learning = QuantizationAware(source.quantization_aware, chosen.images)
    quantizer: Quantizer = (
        TFLiteQuantizer(source.converted, fmt.signed, learning, biases_learnt)
        if fmt.suffix == ".tflite"
        else OnnxQuantizer(source.converted, settings.reduce_range, learning, biases_learnt)
    )
    found = search(
        quantizer,
        source.material,
        method=settings.calibration,
        seed=settings.seed,
        max_drop=settings.max_drop,
        report=lambda candidate: searching(fmt, candidate),
    )
    taken = found.taken
    return Made(found.content, taken.calibration, found.candidates, found.skipped, found.warning, taken.in_float)


def _int16x8(
    converted: Converted, chosen: CalibrationImages, method: CalibrationMethod, *, biases_learnt: bool
) -> Made:
    from edgecnn_export.tflite.quantize import quantize_int16x8, without_integer_form

    graph = converted.tflite
    statistics = measure_statistics(graph, chosen.images, method)
    with told_by_converter():
        floats = without_integer_form(graph, statistics, bits=16)
        content = quantize_int16x8(graph, statistics, in_float=floats, biases_learnt=biases_learnt)
    return Made(
        content,
        replace(chosen.record, method=str(method)),
        warning=statistics.disagreement(unused=[name for operator in floats for name in operator.outputs]),
        in_float=names(graph, floats),
    )
