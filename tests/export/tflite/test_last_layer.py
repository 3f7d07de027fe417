"""The last layer of int8 TFLite computes in float32, from int8 weights: whatever kind of layer it is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from format_content import content_of
from tflite_facts import operator_versions

from edgecnn_export.formats import INT8_TFLITE
from edgecnn_export.proof.inference import opened
from edgecnn_export.tflite.flatbuffer import kernels, operator_name, unpack

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 12, 12, 3), np.uint8)


def _pooled(layers: Any, x: Any) -> Any:
    """As in SqueezeNet: a convolution gives each class a map, whose average is the logit."""
    return layers.Softmax()(layers.GlobalAveragePooling2D()(layers.Conv2D(3, 1)(x)))


def _one_by_one(layers: Any, x: Any) -> Any:
    """As in MobileNet: a convolution over one position."""
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    return layers.Softmax()(layers.Flatten()(layers.Conv2D(3, 1)(x)))


def _dense(layers: Any, x: Any) -> Any:
    return layers.Dense(3, activation="softmax")(layers.Flatten()(x))


def _wide_dense(layers: Any, x: Any) -> Any:
    """As in a network of a thousand classes: 66,000 weights."""
    return layers.Dense(220, activation="softmax")(layers.Flatten()(x))


def _without_weights(layers: Any, x: Any) -> Any:
    """The features are the logits."""
    return layers.Softmax()(layers.GlobalAveragePooling2D()(layers.ReLU()(x)))


@pytest.mark.parametrize(
    ("head", "expected", "unpacked"),
    [
        (_dense, "FULLY_CONNECTED", True),
        # These stay as they are; the layer rounds what it takes to 8 bits itself.
        (_wide_dense, "FULLY_CONNECTED", False),
        (_one_by_one, "CONV_2D", True),
        # Too much work for float32, and sums over many positions do not tie.
        (_pooled, "CONV_2D", False),
        (_without_weights, "CONV_2D", False),
    ],
)
def test_the_last_layer(head: Callable[[Any, Any], Any], expected: str, unpacked: bool) -> None:
    import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    pixels = keras.Input((12, 12, 3), name="pixels")
    x = layers.Conv2D(3, 3, activation="relu")(layers.Rescaling(1 / 255)(pixels))
    network = keras.Model(pixels, head(layers, x))
    content = content_of(network, INT8_TFLITE, IMAGES)
    model = unpack(content)
    graph = model.subgraphs[0]
    weighted = [each for each in graph.operators if operator_name(model, each) in ("CONV_2D", "FULLY_CONNECTED")]
    assert operator_name(model, weighted[-1]) == expected
    made = {number for each in graph.operators if operator_name(model, each) == "DEQUANTIZE" for number in each.outputs}
    assert (weighted[-1].inputs[1] in made) == unpacked
    weights = graph.tensors[weighted[-1].inputs[1]].quantization
    if expected == "FULLY_CONNECTED" and not unpacked:
        assert len(weights.scale) == 1
        assert operator_versions(content)["FULLY_CONNECTED"] == 3
        assert graph.tensors[weighted[-1].inputs[0]].type == schema.TensorType.FLOAT32
    assert {values.dtype for _, values in kernels(content)} == {np.dtype(np.int8)}
    with opened(content, ".tflite") as backend:
        probabilities = backend.infer(IMAGES)
    np.testing.assert_allclose(probabilities, network(IMAGES), atol=0.03)
    first, second = np.sort(probabilities, axis=1)[:, :-3:-1].T
    assert (first > second).all()
