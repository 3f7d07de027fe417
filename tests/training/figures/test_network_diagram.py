from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from edgecnn_training.figures.network_diagram import network_diagram
from edgecnn_training.networks.network import build_network
from edgecnn_training.networks.network_layers import layer_rows, network_summary
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
    flat = keras.layers.Flatten(name="flat")(base(pixels))
    return keras.Model(pixels, keras.layers.Dense(2, "softmax", name="head")(flat), name="skip")


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


def with_long_names() -> Any:
    """Layers whose names, shapes and parameters are as long as they come, three models deep."""
    pixels = keras.Input((224, 224, 3), name="the_pixels_of_an_image_as_long_as_names_go")
    x = keras.layers.Conv2D(1280, 3, strides=(2, 1), padding="same", name="a_convolution_with_quite_a_long_name")(
        pixels
    )
    x = keras.layers.Add(name="the_sum_of_it_and_of_itself")([x, x])
    for name in ("inner", "outer"):
        model = keras.Model(pixels, x, name=name * 8)
        pixels = keras.Input((224, 224, 3), name=f"pixels_of_{name}")
        x = model(pixels)
    return keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(x), name="the_name_of_the_network" * 5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: build_network(keras, get_recipe("symbols-vgg16"), 3),
        lambda: residual(25),
        with_long_names,
    ],
    ids=["vgg16", "columns", "long"],
)
def test_no_text_touches_another_or_is_cut_off(make: Callable[[], Any]) -> None:
    model = make()
    figure = network_diagram(layer_rows(model), name=model.name)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = np.array([text.get_window_extent(canvas.get_renderer()).extents for text in figure.axes[0].texts])
    boxes = boxes[boxes[:, 2] > boxes[:, 0]]  # an arrow is a text without words
    left, bottom, right, top = boxes.T
    apart = (right[:, None] <= left) | (right <= left[:, None]) | (top[:, None] <= bottom) | (top <= bottom[:, None])
    assert (apart | np.eye(len(boxes), dtype=bool)).all()
    assert left.min() >= 0
    assert right.max() <= figure.bbox.width


def test_the_summary_says_the_same_as_text() -> None:
    lines = network_summary(residual(1)).splitlines()
    assert lines[0] == "skip: 662 parameters, 514 trained, 148 frozen *"
    assert [" ".join(line.split()) for line in lines[2:]] == [
        "layer name output parameters reads",
        "InputLayer pixels N × 8 × 8 × 4 –",
        "Functional base N × 8 × 8 × 4 148 *",
        "InputLayer inner_pixels N × 8 × 8 × 4 –",
        "Conv2D 3x3, same conv_0 N × 8 × 8 × 4 148 *",
        "Add add_0 N × 8 × 8 × 4 – inner_pixels, conv_0",
        "Flatten flat N × 256 –",
        "Dense, softmax head N × 2 514",
    ]
    assert lines[5].startswith("  InputLayer")
