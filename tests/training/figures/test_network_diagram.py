from typing import Any

import keras
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from edgecnn_training.figures.network_diagram import network_diagram
from edgecnn_training.networks.network import build_network
from edgecnn_training.networks.network_layers import layer_rows
from edgecnn_training.recipes import get_recipe


def residual(blocks: int) -> Any:
    """A frozen convolution and skipping blocks, within another model."""
    inner = keras.Input((8, 8, 4), name="inner_pixels")
    x = inner
    for number in range(blocks):
        y = keras.layers.Conv2D(4, 3, padding="same", name=f"conv_{number}")(x)
        x = keras.layers.Add(name=f"add_{number}")([x, y])
    base = keras.Model(inner, x, name="base")
    base.trainable = False
    pixels = keras.Input((8, 8, 4), name="pixels")
    return keras.Model(pixels, keras.layers.Dense(2, "softmax")(keras.layers.Flatten()(base(pixels))), name="skip")


def test_rows_of_the_documented_network() -> None:
    rows = layer_rows(build_network(keras, get_recipe("mnist"), 10))
    assert [(row.shape[1:], row.parameters) for row in rows if row.parameters] == [
        ((10,), 1_199_882),
        ((26, 26, 32), 320),
        ((24, 24, 64), 18_496),
        ((128,), 1_179_776),
        ((10,), 1_290),
    ]
    assert [row.depth for row in rows] == [0, 0, *[0 if row.nested else 1 for row in rows[2:-1]], 0]


def test_a_layer_that_reads_two_says_which() -> None:
    rows = {row.name: row for row in layer_rows(residual(2))}
    assert rows["add_0"].inputs == ("inner_pixels", "conv_0")
    assert rows["add_1"].inputs == ("add_0", "conv_1")
    assert rows["conv_1"].inputs == ()
    assert rows["conv_0"].frozen
    assert not rows["add_0"].frozen


@pytest.mark.parametrize("blocks", [1, 25])
def test_diagram_says_name_shape_and_parameters(blocks: int) -> None:
    model = residual(blocks)
    figure = network_diagram(layer_rows(model), name="skip")
    FigureCanvasAgg(figure).draw()
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert f"{model.count_params():,} parameters, 514 trained, {148 * blocks:,} frozen *" in texts
    assert texts.count("148 *") == blocks + (blocks == 1)  # of one block, the frame says the same
    assert "N × 8 × 8 × 4" in texts
