"""Biases that make up for rounded weights, in both containers, against the float network itself."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecnn_export.int8.activation_statistics import measure_statistics
from edgecnn_export.int8.bias_correction import correct_biases, rounding_errors
from edgecnn_export.int8.calibration import CalibrationMethod
from edgecnn_export.int8.quantizable import FloatOperator, Statistics
from edgecnn_export.onnx.container import ONNX
from edgecnn_export.onnx.graph import OnnxGraph
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
