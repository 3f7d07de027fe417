from typing import Any

import keras
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from tiny_runs import tiny_network

from edgecnn_runtime.errors import InputError
from edgecnn_training.explain import drawings
from edgecnn_training.explain.conv_block import conv_block, is_convolution
from edgecnn_training.explain.recorded_layers import find_call, record_layers
from edgecnn_training.networks.network_layers import layer_rows

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 10, 3), np.uint8)
SCALED = PIXELS[np.newaxis].astype(np.float32) / 255


@pytest.fixture(scope="module")
def network() -> Any:
    return tiny_network((12, 10, 3), 3)


def words(figure: Figure) -> str:
    FigureCanvasAgg(figure).draw()
    return "\n".join([figure.get_suptitle(), *(axes.get_title() for axes in figure.axes)])


def test_every_layer_is_recorded_and_left_as_it_was(network: Any) -> None:
    calls = record_layers(network, PIXELS)
    leaves = [row.name for row in layer_rows(network) if not row.nested and row.kind != "InputLayer"]
    assert [call.layer.name for call in calls] == leaves
    for call in calls:
        assert "call" not in vars(call.layer)
        assert call.output.shape == call.layer.output.shape[1:]
    np.testing.assert_allclose(find_call(calls, "head").output, np.asarray(network(PIXELS[np.newaxis]))[0], atol=1e-6)


def test_a_layer_that_is_not_there(network: Any) -> None:
    with pytest.raises(InputError, match=r"layer: expected one of scaling, conv_a, .*, got 'core'"):
        find_call(record_layers(network, PIXELS), "core")


def test_the_block_of_a_fused_activation(network: Any) -> None:
    calls = record_layers(network, PIXELS)
    block = conv_block(calls, find_call(calls, "conv_a"))
    assert [step.title for step in block.steps] == ["Filter: Conv2D 3x3", "Detect: relu", "Condense: MaxPooling2D 2x2"]
    filtered, detected, condensed = (step.values for step in block.steps)
    layer = find_call(calls, "conv_a").layer
    expected = np.asarray(keras.ops.conv(SCALED, layer.kernel, padding="valid") + layer.bias)[0]
    np.testing.assert_allclose(filtered, expected, atol=1e-5)
    assert filtered.min() < 0
    np.testing.assert_allclose(detected, np.maximum(expected, 0), atol=1e-5)
    np.testing.assert_allclose(condensed, detected.reshape(5, 2, 4, 2, 4).max(axis=(1, 3)), atol=1e-6)
    assert block.kernels.shape == (3, 3, 3, 4)
    assert block.strongest[0] == condensed.max(axis=(0, 1)).argmax()


def test_the_block_of_separate_layers(network: Any) -> None:
    calls = record_layers(network, PIXELS)
    block = conv_block(calls, find_call(calls, "conv_b"))
    assert [step.title for step in block.steps] == [
        "Filter: Conv2D 3x2, stride 2, same",
        "Normalise: BatchNormalization",
        "Detect: ReLU",
    ]
    np.testing.assert_array_equal(block.steps[-1].values, find_call(calls, "relu_b").output)


def test_a_depthwise_convolution_has_a_kernel_a_filter() -> None:
    model = keras.Sequential([keras.Input((12, 10, 3)), keras.layers.DepthwiseConv2D(3, depth_multiplier=2)])
    calls = record_layers(model, PIXELS)
    block = conv_block(calls, calls[0])
    assert block.kernels.shape == (3, 3, 1, 6)
    np.testing.assert_array_equal(block.kernels[:, :, 0, 3], model.layers[0].get_weights()[0][:, :, 1, 1])


def test_the_pictures_name_operation_and_shape(network: Any) -> None:
    calls = record_layers(network, PIXELS)
    block = conv_block(calls, find_call(calls, "conv_a"))
    said = words(drawings.network_block(block, PIXELS))
    for title in ("Image\n12 × 10 × 3", "Kernel\n3 × 3 × 3", "Filter\nConv2D 3x3\n10 × 8 × 4", "Detect\nrelu"):
        assert title in said
    assert "4 kernels of 3 × 3 × 3\nas red, green and blue" in words(drawings.kernel_gallery(block))


@pytest.mark.parametrize("name", ["scaling", "pool_a", "flat", "head"])
def test_any_layer_is_drawn(network: Any, name: str) -> None:
    call = find_call(record_layers(network, PIXELS), name)
    assert not is_convolution(call)
    assert f"{name} (" in words(drawings.layer_output(name, "kind", call.output, ("a", "b", "long label")))
