"""Biases that make up for the rounding of the weights.

Rounding a channel's weights to 8 bits adds an error to every one of its outputs. Where the inputs have a mean, as
pixels and the outputs of ReLU do, a part of that error is the same for all images: the rounding errors times the mean
input. Taking it off the bias costs nothing on the device (M. Nagel et al., Data-Free Quantization Through Weight
Equalization and Bias Correction, ICCV 2019, section 4.2; the mean is measured here, not derived).
"""

from collections.abc import Collection
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edgecnn_export.int8.quantizable import FloatOperator, QuantizableGraph, Statistics

G = TypeVar("G", bound=QuantizableGraph)

# Symmetric and per channel: a weight is one of -127…127 steps.
_STEPS = 127
# A bias is stored in steps of (input step · weight step), in 32 bits; this leaves it three of them to grow.
_BIAS_STEPS = 2**28


def correct_biases(
    graph: G,
    statistics: Statistics,
    *,
    in_float: Collection[FloatOperator] = (),
    per_tensor: Collection[FloatOperator] = (),
    steps: int = _STEPS,
    biases_learnt: bool = False,
) -> G:
    """Prepare a float graph for weights of 8 bits.

    Args:
        graph: to be quantized.
        statistics: of its activations on calibration images.
        in_float: operators that will keep their weights.
        per_tensor: operators whose weights will have one scale; those of the others have one per channel.
        steps: the largest weight of a channel in steps; 63 for weights of 7 bits.
        biases_learnt: the biases fit rounded weights already, as quantization-aware training has made them.

    Returns:
        The graph with corrected biases. Channels whose weights are all but zero get one that is just large enough
        for the bias to be stored in the channel's steps; without it the bias overflows.
    """
    weights: dict[FloatOperator, NDArray[np.float32]] = {}
    biases: dict[FloatOperator, NDArray[np.float32]] = {}
    for operator in graph.operators:
        if not operator.weighted or operator in in_float:
            continue
        bias, kernel = graph.bias(operator), graph.weights(operator)
        mean = statistics.means[operator.inputs[0]]
        depth = 1 if operator.depthwise else len(mean)
        if bias is None or kernel.shape[2] != depth:
            continue
        low, high = statistics.ranges[operator.inputs[0]]
        least = _least_weight(np.abs(bias), (max(high, 0.0) - min(low, 0.0)) / 255, steps)
        axes = None if operator in per_tensor else (1, 2)
        dead = np.abs(kernel).max(axis=axes) < least
        if dead.any():
            kernel = kernel.copy()
            kernel[dead, 0, 0] = least[dead]
            weights[operator] = kernel
        if biases_learnt:
            continue
        errors = rounding_errors(kernel, steps, axes=axes).sum(axis=1)
        # Output channel k·m + j of a depthwise convolution comes of input channel k alone, m being its multiplier.
        shift = errors[:, 0] * np.repeat(mean, len(errors) // len(mean)) if operator.depthwise else errors @ mean
        biases[operator] = (bias - shift).astype(np.float32)
    return graph.changed(weights, biases)


def rounding_errors(
    kernel: NDArray[np.float32], steps: int = _STEPS, *, axes: tuple[int, ...] | None = (1, 2)
) -> NDArray[np.float32]:
    """Return what rounding adds to weights `(output channels, positions, input channels)`.

    Args:
        kernel: the weights.
        steps: the largest weight in steps.
        axes: over which weights share a scale; None: all of them.
    """
    step = np.abs(kernel).max(axis=axes, keepdims=True) / steps
    step[step == 0] = 1.0
    errors: NDArray[np.float32] = np.rint(kernel / step) * step - kernel
    return errors


def _least_weight(bias: NDArray[np.float32], input_step: float, steps: int) -> NDArray[np.float32]:
    """Return how large the largest weight of each channel must be for its bias to fit."""
    return steps * bias / (_BIAS_STEPS * input_step) if input_step > 0 else np.zeros_like(bias)
