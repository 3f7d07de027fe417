"""Where an int8 file loses: operator by operator, and beside what else can go wrong."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from edgecnn_export.int8.activation_statistics import measure_statistics
from edgecnn_export.int8.bias_correction import correct_biases, rounding_errors
from edgecnn_export.int8.calibration import CalibrationMethod, choose_calibration
from edgecnn_export.int8.quantizable import FloatOperator, Statistics
from edgecnn_export.proof.inference import opened
from edgecnn_export.proof.parity import KerasReference, Parity
from edgecnn_export.source import open_source
from edgecnn_export.tflite.container import TFLITE
from edgecnn_export.tflite.graph import TFLiteGraph
from edgecnn_export.tflite.quantize import float_tail, quantize, with_one_scale, without_integer_form
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.system.cpu import available_cpus
from edgecnn_runtime.system.native_output import native_output_kept
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder

# A wrong input, given to the float32 model as it stands: uint8 pixels (N, height, width, channels) in, float32 out.
_MISTAKES: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.float32]]] = {
    "pixels 0…1 instead of 0…255": lambda pixels: pixels.astype(np.float32) / np.float32(255),
    "pixels -1…1 instead of 0…255": lambda pixels: pixels.astype(np.float32) / np.float32(127.5) - np.float32(1),
    "BGR instead of RGB": lambda pixels: pixels[..., ::-1].astype(np.float32),
    "resized to half and back": lambda pixels: _half_and_back(pixels),
}


@dataclass(frozen=True)
class OperatorLoss:
    """What rounding does to the output of one operator, on the images looked at."""

    operator: FloatOperator
    bits: int  # 8; 32: it computes in float32, since it has no integer form or belongs to the last layer
    scale: float  # of the output: one step of its 8 bits; 0 where it has none
    low: float  # of the range that these steps cover
    high: float
    saturated: float  # the share of float32 values outside that range, 0…1
    signal_to_noise: float  # dB, of the output in the int8 file, with what the operators in front of it have added
    regained: float | None  # points of expected loss that go away when it stays float32 as well; None where it does


@dataclass(frozen=True)
class QuantizationLoss:
    """Where the loss comes from."""

    images: int
    int8: Parity  # of the whole file, against the float32 file
    weights: Parity  # of rounded weights alone, biases corrected
    operators: tuple[OperatorLoss, ...]
    mistakes: tuple[tuple[str, Parity], ...]  # of the float32 model, given something else than it expects


def quantization_loss_of(
    run: RunFolder,
    image_set: ImageSet,
    *,
    images: int,
    method: CalibrationMethod,
    seed: int,
    report: Callable[[int, str], object],
) -> QuantizationLoss:
    """Load a run, calibrate as the export does, and compare.

    Args:
        run: a finished run.
        image_set: that it was trained on.
        images: how many validation images to look at; all there are, if there are fewer.
        method: of the calibration.
        seed: of the choice of images.
        report: told how many operators are done, and which is next.

    Raises:
        InputError: the run cannot be used, or no image was asked for.
    """
    if images < 1:
        raise InputError(f"images: expected 1 or more, got {images}")
    source = open_source(run, image_set)
    calibration = choose_calibration(source.training, images=None, seed=seed)
    looked_at = source.validation.sample(min(images, len(source.validation)), seed=seed)
    graph = TFLITE.convert(source.as_trained).graph
    with native_output_kept():
        statistics = measure_statistics(graph, calibration.images, method)
    return find_quantization_loss(graph, statistics, looked_at.images, looked_at.labels, report=report)


def find_quantization_loss(
    graph: TFLiteGraph,
    statistics: Statistics,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    *,
    report: Callable[[int, str], object],
) -> QuantizationLoss:
    """Quantize a graph as a whole, in parts and not at all, and compare.

    Args:
        graph: float32.
        statistics: of its activations on the calibration images.
        images: to compare on, neither trained nor calibrated on, uint8 `(N, height, width, channels)`.
        labels: class numbers, `(N,)`.
        report: told how many operators are done, and which is next.
    """
    with opened(graph.content, TFLITE.format.suffix) as backend:
        reference = KerasReference(images, labels, backend.infer(images))
    floats = without_integer_form(graph, statistics)
    content = quantize(graph, statistics, in_float=floats)

    def loss(file: bytes) -> Parity:
        with opened(file, TFLITE.format.suffix) as backend:
            return reference.parity(backend.infer(images))

    whole = loss(content)
    noise = _signal_to_noise(graph, content, images)
    outside = _saturation(graph, statistics, images)
    floats_in_all = {*floats, *float_tail(graph)}
    operators = []
    for number, operator in enumerate(graph.operators):
        report(number, operator.label)
        low, high = statistics.ranges[operator.output]
        low, high = min(low, 0.0), max(high, 0.0)
        bits = 32 if operator in floats_in_all else 8
        scale = 0.0 if bits == 32 else (high - low) / 255
        regained = None
        if bits == 8:
            alone = loss(quantize(graph, statistics, in_float=(*floats, operator)))
            regained = whole.expected_loss - alone.expected_loss
        operators.append(
            OperatorLoss(operator, bits, scale, low, high, outside[operator.output], noise[operator.output], regained)
        )
    return QuantizationLoss(
        images=len(images),
        int8=whole,
        weights=loss(_rounded_weights(graph, statistics).content),
        operators=tuple(operators),
        mistakes=tuple(
            (name, reference.parity(_run(graph, mistake(images))))
            for name, mistake in _MISTAKES.items()
            if images.shape[-1] == 3 or "RGB" not in name
        ),
    )


def _rounded_weights(graph: TFLiteGraph, statistics: Statistics) -> TFLiteGraph:
    """Return the float32 graph with the weights that an int8 file can hold, and the biases that go with them."""
    one_scale = with_one_scale(graph)
    corrected = correct_biases(graph, statistics, per_tensor=one_scale)
    # Operators are known by their tensors, which are the same in both graphs.
    kernels = {operator: corrected.weights(operator) for operator in corrected.operators if operator.weighted}
    rounded = {
        operator: kernel + rounding_errors(kernel, axes=None if operator in one_scale else (1, 2))
        for operator, kernel in kernels.items()
    }
    return corrected.changed(rounded, {})


def _signal_to_noise(graph: TFLiteGraph, content: bytes, images: NDArray[np.uint8]) -> dict[str, float]:
    """Compare every operator's output in the int8 file with the float32 one, in decibels."""
    with warnings.catch_warnings(), native_output_kept():
        warnings.filterwarnings("ignore", message="Warning: Enabling `experimental_preserve_all_tensors`")
        interpreter = Interpreter(
            model_content=content, num_threads=available_cpus(), experimental_preserve_all_tensors=True
        )
        interpreter.allocate_tensors()
    details = {entry["name"]: entry for entry in interpreter.get_tensor_details()}
    names = [operator.output for operator in graph.operators]
    signal, noise = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    pixels = interpreter.get_input_details()[0]["index"]
    for image, activations in zip(images, graph.activations(images), strict=True):
        interpreter.set_tensor(pixels, image[np.newaxis])
        interpreter.invoke()
        for name in names:
            exact = activations[name]
            rounded = _dequantized(interpreter, details[name])
            signal[name] += float(np.square(exact, dtype=np.float64).mean())
            noise[name] += float(np.square(rounded - exact, dtype=np.float64).mean())
    return {name: _decibels(signal[name], noise[name]) for name in names}


def _dequantized(interpreter: Any, details: dict[str, Any]) -> NDArray[np.float32]:
    values: NDArray[Any] = interpreter.get_tensor(details["index"])
    scale, zero_point = details["quantization"]
    if not scale:
        return values.astype(np.float32)
    exact: NDArray[np.float32] = np.float32(scale) * (values.astype(np.float32) - zero_point)
    return exact


def _decibels(signal: float, noise: float) -> float:
    if noise == 0 or signal == 0:
        return float("inf") if noise == 0 else float("-inf")
    return float(10 * np.log10(signal / noise))


def _saturation(graph: TFLiteGraph, statistics: Statistics, images: NDArray[np.uint8]) -> dict[str, float]:
    """Tell which share of each operator's values lies outside the range that was calibrated."""
    shares: dict[str, float] = {}
    for activations in graph.activations(images):
        for operator in graph.operators:
            low, high = statistics.ranges[operator.output]
            values = activations[operator.output]
            share = float(np.mean((values < min(low, 0.0)) | (values > max(high, 0.0))))
            shares[operator.output] = shares.get(operator.output, 0.0) + share / len(images)
    return shares


def _run(graph: TFLiteGraph, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run float32 inputs that are no pixels through the float32 file."""
    with native_output_kept():
        interpreter = Interpreter(model_content=graph.content, num_threads=available_cpus())
        interpreter.allocate_tensors()
    pixels, output = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    rows = []
    for image in inputs:
        interpreter.set_tensor(pixels, np.ascontiguousarray(image[np.newaxis]))
        interpreter.invoke()
        rows.append(interpreter.get_tensor(output)[0])
    return np.stack(rows)


def _half_and_back(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Leave out every second row and column, and show each of the others twice, as a resize without a filter does."""
    height, width = pixels.shape[1:3]
    kept = pixels[:, ::2, ::2].repeat(2, axis=1).repeat(2, axis=2)
    return kept[:, :height, :width].astype(np.float32)
