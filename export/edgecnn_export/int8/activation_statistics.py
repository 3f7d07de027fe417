"""What the activations of a graph are on the calibration images: ranges to quantize them with, and means."""

import contextlib
import io
import itertools
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from edgecnn_export.int8.calibration import CalibrationMethod
from edgecnn_export.int8.quantizable import FloatOperator, QuantizableGraph, Ranges, Statistics
from edgecnn_runtime.errors import GateError, MissingExtraError

# ONNX Runtime's own defaults for its collector, and the share of values that `percentile` keeps.
_BINS = 2048
_QUANTIZED_BINS = 128
_PERCENTILE = 99.99
# What no activation that is worth 8 bits exceeds; the collector's bins would fill the memory.
_LARGEST = 1e5
# Bytes of activations that its histograms are brought up to date with at once.
_AT_ONCE = 2**27


def only_in_float(graph: QuantizableGraph, statistics: Statistics) -> tuple[FloatOperator, ...]:
    """Return the operators that meet numbers on the images that are not finite, as the exponential inside a SELU may.

    Raises:
        GateError: one of them has weights.
    """
    infinite = {name for name, limits in statistics.ranges.items() if not np.isfinite(limits).all()}
    found = tuple(each for each in graph.operators if infinite.intersection((*each.inputs, *each.outputs)))
    for operator in found:
        if operator.weighted:
            raise GateError(
                f"expected activations that are finite numbers, got others on the calibration images at "
                f"{operator.label} ({operator.kind}); the network divides by zero, or its numbers grow too large"
            )
    return found


def measure_statistics(graph: QuantizableGraph, images: NDArray[np.uint8], method: CalibrationMethod) -> Statistics:
    """Run the images through the graph.

    Args:
        graph: to be quantized.
        images: uint8 `(N, height, width, channels)`, 0…255.
        method: all values, or those that a method of ONNX Runtime's calibration finds worth keeping; the same methods
            as for the ONNX files.

    Raises:
        MissingExtraError: a method other than minmax needs ONNX Runtime.
    """
    extremes: dict[str, list[tuple[float, float]]] = {}
    means: dict[str, NDArray[np.float64]] = {}
    weighted = {operator.inputs[0] for operator in graph.operators if operator.weighted}
    for activations in graph.activations(images):
        for name, values in activations.items():
            extremes.setdefault(name, []).append((float(values.min()), float(values.max())))
            if name in weighted:
                mean = values.mean(axis=tuple(range(values.ndim - 1)), dtype=np.float64)
                means[name] = means.get(name, 0.0) + mean / len(images)
    # What leads from pixels to the first weights scales them: its ranges are those of black and white, whatever these
    # images show. So each of the camera's 256 values stays a step of its own, the input's having scale 1.
    front = _of_black_and_white(graph, images)
    extremes |= {name: [limits] * len(images) for name, limits in front.items()}
    ranges = _extremes(extremes, slice(None))
    halves = _extremes(extremes, slice(0, None, 2)), _extremes(extremes, slice(1, None, 2))
    if method is not CalibrationMethod.MINMAX:
        names = {
            name for name, (low, high) in ranges.items() if -_LARGEST <= low <= high <= _LARGEST and name not in front
        }
        narrow = _narrow_ranges(graph, images, method, names)
        ranges |= {
            name: (max(ranges[name][0], low), min(ranges[name][1], high)) for name, (low, high) in narrow.items()
        }
    return Statistics(ranges, means, halves)


def _of_black_and_white(graph: QuantizableGraph, images: NDArray[np.uint8]) -> dict[str, tuple[float, float]]:
    """Tell the ranges of the input, and of what is made of it before it meets weights."""
    front = itertools.takewhile(lambda operator: not operator.weighted, graph.operators)
    names = [graph.pixels, *(name for operator in front for name in operator.outputs)]
    both = np.concatenate([np.full_like(images[:1], value) for value in (0, 255)])
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for activations in graph.activations(both):
        for name in names:
            seen[name].append((float(activations[name].min()), float(activations[name].max())))
    return _extremes(seen, slice(None))


def _extremes(by_image: Mapping[str, list[tuple[float, float]]], images: slice) -> dict[str, tuple[float, float]]:
    """Return the lowest and the highest value on some of the images; nothing where there are none of them."""
    chosen = {name: values[images] for name, values in by_image.items()}
    return {
        name: (min(low for low, _ in values), max(high for _, high in values))
        for name, values in chosen.items()
        if values
    }


def _narrow_ranges(
    graph: QuantizableGraph, images: NDArray[np.uint8], method: CalibrationMethod, names: Collection[str]
) -> Ranges:
    try:
        from onnxruntime.quantization.calibrate import HistogramCollector
    except ImportError as error:
        raise MissingExtraError(f"calibration by {method}", package="onnxruntime", extra="onnx") from error
    collector = HistogramCollector(
        method=str(method),
        symmetric=False,
        num_bins=_BINS,
        num_quantized_bins=_QUANTIZED_BINS,
        percentile=_PERCENTILE,
        scenario="same",
    )
    # It prints what it does.
    with contextlib.redirect_stdout(io.StringIO()):
        held: dict[str, list[NDArray[np.float32]]] = {}
        size = 0
        for activations in graph.activations(images):
            for name, values in activations.items():
                if name in names and values.dtype == np.float32:  # comparisons give booleans
                    held.setdefault(name, []).append(values.copy())
                    size += values.nbytes
            if size > _AT_ONCE:
                collector.collect(held)
                held, size = {}, 0
        if held:
            collector.collect(held)
        thresholds = collector.compute_collection_result()
    return {name: (float(limits[0]), float(limits[1])) for name, limits in thresholds.items()}
