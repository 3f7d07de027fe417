"""Biases that make up for rounded weights, in both containers, against the float network itself."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from edgecnn_export.int8.activation_statistics import measure_statistics
from edgecnn_export.int8.bias_correction import correct_biases, rounding_errors
from edgecnn_export.int8.calibration import CalibrationMethod
from edgecnn_export.int8.quantizable import FloatOperator, Statistics
from edgecnn_export.onnx.container import ONNX
from edgecnn_export.onnx.graph import OnnxGraph
from edgecnn_export.onnx.quantize import quantize as quantize_onnx
from edgecnn_export.proof.inference import opened
from edgecnn_export.tflite.container import TFLITE
from edgecnn_export.tflite.graph import TFLiteGraph
from edgecnn_export.tflite.quantize import quantize

IMAGES = np.random.default_rng(0).integers(60, 200, (40, 12, 12, 3), np.uint8)
Quantizable = TFLiteGraph | OnnxGraph


@pytest.fixture(scope="module")
def graphs() -> dict[str, Quantizable]:
    """Of a convolution, a depthwise convolution with two outputs per channel and a dense layer; one channel is dead."""
    import keras

    keras.utils.set_random_seed(1)
    network = keras.Sequential(
        [
            keras.Input((12, 12, 3), name="pixels"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(8, 3, activation="relu", bias_initializer="ones"),
            keras.layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu", bias_initializer="ones"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax", bias_initializer="ones"),
        ]
    )
    kernel, bias = network.layers[1].get_weights()
    kernel[..., 5], bias[5] = 0, 2.5
    network.layers[1].set_weights([kernel, bias])
    return {"tflite": TFLITE.convert(network).graph, "onnx": ONNX.convert(network).graph}


@pytest.fixture(params=["tflite", "onnx"])
def graph(request: pytest.FixtureRequest, graphs: dict[str, Quantizable]) -> Quantizable:
    """The float32 graph in each container."""
    return graphs[request.param]


def statistics_of(graph: Quantizable) -> Statistics:
    return measure_statistics(graph, IMAGES, CalibrationMethod.MINMAX)


def mean_outputs(graph: Quantizable, operator: FloatOperator) -> NDArray[np.float64]:
    """Average an operator's output over images and positions, `(channels,)`."""
    outputs = [values[operator.output] for values in graph.activations(IMAGES)]
    return np.mean([output.mean(axis=tuple(range(output.ndim - 1))) for output in outputs], axis=0)


def with_rounded_weights(graph: Quantizable, operator: FloatOperator) -> Quantizable:
    kernel = graph.weights(operator)
    return graph.changed({operator: kernel + rounding_errors(kernel, steps=7)}, {})


def test_a_graph_with_the_same_constants_is_the_same(graph: Quantizable) -> None:
    weighted = [operator for operator in graph.operators if operator.weighted]
    assert [operator.depthwise for operator in weighted] == [False, True, False]
    again = graph.changed(
        {operator: graph.weights(operator) for operator in weighted},
        {operator: graph.bias(operator) for operator in weighted},
    )
    last = graph.operators[-1].output
    for before, after in zip(graph.activations(IMAGES[:3]), again.activations(IMAGES[:3]), strict=True):
        np.testing.assert_array_equal(before[last], after[last])


def test_corrected_biases_keep_the_mean_of_each_channel(graph: Quantizable) -> None:
    """Weights of 4 bits, so that rounding shows; the last layer, behind which nothing clips."""
    statistics = statistics_of(graph)
    dense = [operator for operator in graph.operators if operator.weighted][-1]
    exact = mean_outputs(graph, dense)
    # Each weighted operator in front of it stays float32, so that its input is what was measured.
    front = [operator for operator in graph.operators if operator.weighted and operator is not dense]
    corrected = correct_biases(graph, statistics, in_float=front, steps=7)
    wrong = np.abs(mean_outputs(with_rounded_weights(graph, dense), dense) - exact).max()
    right = np.abs(mean_outputs(with_rounded_weights(corrected, dense), dense) - exact).max()
    assert wrong > 0.01
    assert right < wrong / 50


@pytest.mark.parametrize("method", CalibrationMethod)
def test_scaled_pixels_keep_a_step_each(graphs: dict[str, Quantizable], method: CalibrationMethod) -> None:
    """Whatever the images show (here 60…199) and whatever is clipped of the activations behind."""
    graph = graphs["onnx"]
    front = next(operator for operator in graph.operators if operator.weighted).inputs[0]
    assert front != graph.pixels
    ranges = measure_statistics(graph, IMAGES, method).ranges
    assert ranges[graph.pixels] == ranges[front] == (0, 255)


class OneOperator:
    """A graph of one operator, whose constants can be read back."""

    def __init__(self, operator: FloatOperator, kernel: NDArray[np.float32], bias: NDArray[np.float32] | None) -> None:
        self.operators, self.kernel, self.biases = (operator,), kernel, bias

    def weights(self, operator: FloatOperator) -> NDArray[np.float32]:
        return self.kernel

    def bias(self, operator: FloatOperator) -> NDArray[np.float32] | None:
        return self.biases

    def changed(
        self, weights: Mapping[FloatOperator, NDArray[np.float32]], biases: Mapping[FloatOperator, NDArray[np.float32]]
    ) -> "OneOperator":
        (operator,) = self.operators
        return OneOperator(operator, weights.get(operator, self.kernel), biases.get(operator, self.biases))  # type: ignore[arg-type]


def operator_of(*, depthwise: bool = False) -> FloatOperator:
    return FloatOperator("CONV_2D", "conv", ("input",), ("output",), weighted=True, depthwise=depthwise)


def seen(mean: Sequence[float], low: float = 0.0, high: float = 1.0) -> Statistics:
    ranges = {"input": (low, high)}
    return Statistics(ranges, {"input": np.array(mean)}, (ranges, ranges))


@pytest.mark.parametrize("multiplier", [1, 2])
def test_each_output_of_a_depthwise_convolution_follows_its_own_channel(multiplier: int) -> None:
    """On inputs whose mean is that of the statistics everywhere, the output with rounded weights has the same mean."""
    mean = np.array([0.1, 0.5, 3.0])
    outputs = 3 * multiplier
    kernel = np.random.default_rng(1).normal(size=(outputs, 9, 1)).astype(np.float32)
    bias = np.arange(outputs, dtype=np.float32)
    corrected = correct_biases(OneOperator(operator_of(depthwise=True), kernel, bias), seen(mean), steps=7)  # type: ignore[type-var]
    rounded = kernel + rounding_errors(kernel, steps=7)
    for output in range(outputs):
        channel = mean[output // multiplier]  # as Keras, TFLite and ONNX order them
        exact = bias[output] + channel * kernel[output].sum()
        assert corrected.biases[output] + channel * rounded[output].sum() == pytest.approx(exact, abs=1e-5)
    assert np.abs(corrected.biases - bias).min() > 1e-4


def test_a_grouped_convolution_is_left_alone() -> None:
    """Which inputs its channels read is not known here."""
    kernel = np.random.default_rng(1).normal(size=(4, 9, 2)).astype(np.float32)
    graph = OneOperator(operator_of(), kernel, np.ones(4, np.float32))
    assert np.array_equal(correct_biases(graph, seen([1, 2, 3, 4]), steps=7).biases, np.ones(4))  # type: ignore[type-var]
    assert correct_biases(OneOperator(operator_of(), kernel, None), seen([1, 2])).biases is None  # type: ignore[type-var]


@pytest.mark.parametrize(("low", "high", "spread"), [(100.0, 200.0, 200.0), (-2.0, 1.0, 3.0), (-5.0, -1.0, 5.0)])
@pytest.mark.parametrize("steps", [127, 64])
def test_a_dead_channel_gets_a_weight_in_whose_steps_its_bias_fits(
    low: float, high: float, spread: float, steps: int
) -> None:
    """The range of 8 bits always holds zero; the bias may then grow to eight times itself within 32 bits."""
    kernel = np.zeros((2, 9, 1), np.float32)
    kernel[1] = 0.5
    graph = OneOperator(operator_of(), kernel, np.array([2.5, 2.5], np.float32))
    made = correct_biases(graph, seen([0.0], low, high), steps=steps)  # type: ignore[type-var]
    (weight,) = made.kernel[0][made.kernel[0] != 0]
    assert 2.5 / (spread / 255 * weight / steps) == pytest.approx(2**31 / 8)
    np.testing.assert_array_equal(made.kernel[1], kernel[1])
    assert not kernel[0].any()


def test_rounding_is_to_127_steps_of_the_largest_weight_of_each_channel() -> None:
    kernel = np.array([[[127.0], [0.4], [-3.6]], [[1.27], [0.004], [-0.036]], [[0.0], [0.0], [0.0]]], np.float32)
    expected = np.array([[[0.0], [-0.4], [-0.4]], [[0.0], [-0.004], [-0.004]], [[0.0], [0.0], [0.0]]])
    np.testing.assert_allclose(rounding_errors(kernel), expected, atol=1e-5)
    in_all = rounding_errors(kernel, axes=None)
    np.testing.assert_allclose(in_all[1], [[-0.27], [-0.004], [0.036]], atol=1e-5)


@given(
    arrays(np.float32, (3, 4, 2), elements=st.floats(-100, 100, width=32)),
    st.sampled_from([7, 63, 64, 127]),
    st.booleans(),
)
def test_what_is_rounded_and_scaled_back_is_within_half_a_step(
    kernel: NDArray[np.float32], steps: int, per_channel: bool
) -> None:
    axes = (1, 2) if per_channel else None
    largest = np.abs(kernel).max(axis=axes, keepdims=True)
    errors = rounding_errors(kernel, steps, axes=axes)
    assert (np.abs(errors) <= largest / steps * 0.5001 + 1e-6).all()
    # Whole steps, and none beyond the largest.
    step = np.where(largest > 0, largest / steps, 1)
    whole = (kernel + errors) / step
    np.testing.assert_allclose(whole, np.rint(whole), atol=1e-2)
    assert (np.abs(whole) <= steps + 1e-2).all()


def test_biases_that_training_has_fitted_stay() -> None:
    kernel = np.random.default_rng(1).normal(size=(2, 9, 1)).astype(np.float32)
    graph = OneOperator(operator_of(), kernel, np.ones(2, np.float32))
    assert correct_biases(graph, seen([1.0]), steps=7, biases_learnt=True).biases is graph.biases  # type: ignore[type-var]


def test_operators_in_float_keep_their_biases(graph: Quantizable) -> None:
    weighted = [operator for operator in graph.operators if operator.weighted]
    corrected = correct_biases(graph, statistics_of(graph), in_float=weighted[:1])
    changed = [not np.array_equal(graph.bias(operator), corrected.bias(operator)) for operator in weighted]
    assert changed == [False, True, True]


def test_a_dead_channel_keeps_its_bias(graphs: dict[str, TFLiteGraph]) -> None:
    """Without weights a channel has no step to store its bias in, and the bias overflows."""
    graph = graphs["tflite"]
    with opened(graph.content, ".tflite") as backend:
        exact = backend.infer(IMAGES)
    with opened(quantize(graph, statistics_of(graph)), ".tflite") as backend:
        rounded = backend.infer(IMAGES)
    np.testing.assert_allclose(rounded, exact, atol=0.02)


@pytest.mark.parametrize(("reduce_range", "largest"), [(False, 127), (True, 64)])
def test_onnx_weights_have_one_scale_per_channel(
    graphs: dict[str, OnnxGraph], reduce_range: bool, largest: int
) -> None:
    graph = graphs["onnx"]
    made = quantize_onnx(graph, statistics_of(graph), reduce_range=reduce_range).graph
    constants = {entry.name: onnx.numpy_helper.to_array(entry) for entry in made.initializer}
    scales = {
        node.input[0]: constants[node.input[1]]
        for node in made.node
        if node.op_type == "DequantizeLinear" and constants.get(node.input[0], np.zeros(0)).dtype == np.int8
    }
    shapes = sorted((constants[name].shape, scale.shape) for name, scale in scales.items() if constants[name].ndim > 1)
    assert shapes == [((8, 3, 3, 3), (8,)), ((16, 1, 3, 3), (16,)), ((16, 3), (3,))]
    assert {int(np.abs(constants[name].astype(int)).max()) for name in scales if constants[name].ndim > 1} == {largest}
